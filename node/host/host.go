package host

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// DefaultMaxStages is how many compiled stages are kept.
const DefaultMaxStages = 64

// ErrEvicted is returned by Run of a stage that had to make room for others; preparing it again helps.
var ErrEvicted = errors.New("stage was evicted")

// Config describes a Host.
type Config struct {
	// Backends are the engines of this machine; at least one.
	Backends []engine.Backend
	// Threads is the number of cores that a stage may use; 0 means all.
	Threads int
	// Speed is the emulated speed relative to the machine's own, in (0, 1]; 0 means 1: not paced.
	Speed float64
	// Memory is the most bytes that compiled stages may hold together; 0 means no limit.
	Memory int64
	// MaxStages is how many compiled stages are kept; 0 means DefaultMaxStages.
	MaxStages int
	// Quiet is held while timings are taken, so that machines that are emulated side by side on one host do not disturb each
	// other's; nil means that nothing is held.
	Quiet sync.Locker
}

// Host is the part of a node that computes. It is safe for concurrent use.
type Host struct {
	cfg  Config
	turn chan struct{} // holds the one right to run a stage
	busy Meter

	mu      sync.Mutex
	stages  map[uint64]*list.Element    // guarded by mu; values are *Stage
	order   *list.List                  // guarded by mu; most recently used first
	codings map[CodecWork]time.Duration // guarded by mu; the least time of each
	closed  bool                        // guarded by mu
}

// New makes a Host.
func New(cfg Config) (*Host, error) {
	if len(cfg.Backends) == 0 {
		return nil, errors.New("stage host: no backend")
	}
	if cfg.Speed == 0 {
		cfg.Speed = 1
	}
	if cfg.Speed < 0 || cfg.Speed > 1 {
		return nil, fmt.Errorf("stage host: speed %g is not in (0, 1]: a machine cannot emulate a faster one", cfg.Speed)
	}
	if cfg.MaxStages == 0 {
		cfg.MaxStages = DefaultMaxStages
	}
	if cfg.Quiet == nil {
		cfg.Quiet = noLock{}
	}
	h := &Host{cfg: cfg, turn: make(chan struct{}, 1), stages: map[uint64]*list.Element{}, order: list.New(), codings: map[CodecWork]time.Duration{}}
	h.turn <- struct{}{}
	return h, nil
}

type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

// Speed is the emulated speed; 1 when the host is not paced.
func (h *Host) Speed() float64 { return h.cfg.Speed }

// Load is the share of the last seconds in which a stage ran, in [0, 1].
func (h *Host) Load() float64 { return h.busy.Share(time.Now()) }

// Backends lists the engines' names.
func (h *Host) Backends() []string {
	var names []string
	for _, b := range h.cfg.Backends {
		names = append(names, b.Name())
	}
	return names
}

// Version is the version of a backend; false when the host does not have it.
func (h *Host) Version(backend string) (string, bool) {
	for _, b := range h.cfg.Backends {
		if b.Name() == backend {
			return b.Version(), true
		}
	}
	return "", false
}

func (h *Host) backend(name string) (engine.Backend, error) {
	for _, b := range h.cfg.Backends {
		if b.Name() == name || name == "" {
			return b, nil
		}
	}
	return nil, fmt.Errorf("backend %q is not on this node: it has %v", name, h.Backends())
}

var seed = maphash.MakeSeed()

// key identifies a stage: graph, backend and groups.
func key(graph, backend string, groups []split.GroupID) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(graph)
	h.WriteByte(0)
	h.WriteString(backend)
	for _, g := range groups {
		h.Write([]byte{byte(g), byte(g >> 8), byte(g >> 16), byte(g >> 24)})
	}
	return h.Sum64()
}

// Prepare compiles, warms and times a stage of g, or finds the one prepared before. graph is g's digest; backend "" means the
// first. estimate is the time that a run takes by the profile, on the real machine; it counts where the stage cannot be timed for
// want of known shapes, and with rush, which saves the timing. It blocks for as long as compiling takes.
func (h *Host) Prepare(ctx context.Context, g *split.Graph, graph string, groups []split.GroupID, backend string, estimate time.Duration, rush bool) (*Stage, error) {
	b, err := h.backend(backend)
	if err != nil {
		return nil, fmt.Errorf("prepare stage: %w", err)
	}
	k := key(graph, b.Name(), groups)
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, fmt.Errorf("prepare stage: %w", ErrEvicted)
	}
	e, ok := h.stages[k]
	if !ok {
		e = h.order.PushFront(&Stage{host: h, key: k})
		h.stages[k] = e
	}
	h.order.MoveToFront(e)
	s := e.Value.(*Stage)
	h.mu.Unlock()

	if err := s.compile(ctx, b, g, groups, estimate, rush); err != nil {
		h.drop(s)
		return nil, fmt.Errorf("prepare stage of %d groups: %w", len(groups), err)
	}
	h.makeRoom(s)
	return s, nil
}

// drop takes a stage that failed out of the table, unless it was replaced.
func (h *Host) drop(s *Stage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.stages[s.key]; ok && e.Value == s {
		h.order.Remove(e)
		delete(h.stages, s.key)
	}
}

// makeRoom evicts the stages that were not used for longest until the limits hold, but never keep.
func (h *Host) makeRoom(keep *Stage) {
	var evicted []*Stage
	h.mu.Lock()
	for h.order.Len() > 1 && (h.order.Len() > h.cfg.MaxStages || h.cfg.Memory > 0 && h.held() > h.cfg.Memory) {
		e := h.order.Back()
		s := e.Value.(*Stage)
		if s == keep {
			break
		}
		h.order.Remove(e)
		delete(h.stages, s.key)
		evicted = append(evicted, s)
	}
	h.mu.Unlock()
	for _, s := range evicted {
		s.close()
	}
}

// held is the bytes of all compiled stages; h.mu is held.
func (h *Host) held() (n int64) {
	for e := h.order.Front(); e != nil; e = e.Next() {
		n += e.Value.(*Stage).memory.Load()
	}
	return n
}

// Close waits for the stage that runs and frees all of them.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	var all []*Stage
	for e := h.order.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*Stage))
	}
	h.order.Init()
	clear(h.stages)
	h.mu.Unlock()
	for _, s := range all {
		s.close()
	}
}

// sorted reports whether the ids ascend strictly, which stages need.
func sorted(groups []split.GroupID) bool {
	return slices.IsSorted(groups) && len(slices.Compact(slices.Clone(groups))) == len(groups)
}
