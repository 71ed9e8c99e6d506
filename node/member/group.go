package member

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cleave-mesh/cleave/internal/feed"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// Config describes a Group.
type Config struct {
	// Host carries the gossip; required, and a member of a mesh. It is not closed by the Group.
	Host *transport.Host
	// Name is the node's name for people; "" means the end of its identity.
	Name string
	// Timing is LAN() or WAN(); the zero value means LAN().
	Timing Timing
	// LAN makes the group announce this node on the local network by multicast DNS, and join the members found there.
	LAN bool
	// Addrs are addresses to publish beside Host.Addrs (a public one behind a NAT).
	Addrs []string
	// Logger receives joins, failures and memberlist's complaints; nil means silence.
	Logger *slog.Logger
}

// State says how a node is doing.
type State uint8

// The states.
const (
	Alive  State = 1
	Failed State = 2 // no longer answers; may come back
	Left   State = 3 // said goodbye
	// Evicted nodes are out for good.
	Evicted State = 4
)

var stateNames = [...]string{"", "alive", "failed", "left", "evicted"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Node is a member of the mesh as this node sees it.
type Node struct {
	ID    transport.PeerID
	Name  string
	Role  admit.Role
	Relay bool // relays for nodes behind NATs
	Addrs []string
	State State
	Since time.Time // of the state
}

// statusKey is the record by which a node says that it is here, or that it leaves.
const (
	statusKey  = "member.status"
	statusHere = "here"
	statusLeft = "left"
)

// Errors of membership.
var (
	// ErrNoSeed is returned by Join when none of the seeds answers.
	ErrNoSeed = errors.New("member: no seed answers")
	// ErrTooLarge is returned by Set for a key or value beyond its limit.
	ErrTooLarge = errors.New("member: record too large")
)

// Group is this node's view of the mesh. Safe for concurrent use.
type Group struct {
	// Constant after Start.
	host   *transport.Host
	cfg    Config
	log    *slog.Logger
	wire   *wire
	list   *memberlist.Memberlist
	queue  *memberlist.TransmitLimitedQueue
	store  *store
	events *feed.Feed[Event]
	self   admit.Key
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	fetch  chan rumour
	hurry  chan struct{} // asks for an exchange soon

	joining atomic.Bool // a join at a node found on the LAN is under way

	mu      sync.Mutex
	nodes   map[transport.PeerID]Node
	version uint64
	closed  bool
}

// Start begins to gossip, alone until Join or until another node joins here.
func Start(cfg Config) (*Group, error) {
	if cfg.Host == nil {
		return nil, errors.New("member: Config.Host is required")
	}
	if cfg.Host.Credentials() == nil {
		return nil, transport.ErrNotMember
	}
	if cfg.Name == "" {
		cfg.Name = cfg.Host.ID().Short()
	}
	if len(cfg.Name) > MaxName {
		return nil, fmt.Errorf("member: name of %d bytes, limit %d", len(cfg.Name), MaxName)
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = LAN()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	public, err := cfg.Host.ID().Public()
	if err != nil {
		return nil, err
	}
	g := &Group{
		host: cfg.Host, cfg: cfg, log: cfg.Logger, store: newStore(), events: feed.New(EventQueue, lag), self: admit.KeyOf(public),
		nodes: map[transport.PeerID]Node{}, fetch: make(chan rumour, fetchQueue),
		hurry: make(chan struct{}, 1),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.wire = newWire(cfg.Host, cfg.Timing.Stream)
	// memberlist gossips and probes from the moment that it is made: what its callbacks use must stand before.
	g.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: 4, NumNodes: g.alive}
	mc := listConfig(string(cfg.Host.ID()), cfg.Timing, g.wire)
	mc.Delegate, mc.Events, mc.Alive, mc.Merge = delegate{g}, delegate{g}, delegate{g}, nil
	mc.Logger = log.New(logWriter{cfg.Logger}, "", 0)
	g.list, err = memberlist.Create(mc)
	if err != nil {
		g.cancel()
		_ = g.wire.Shutdown()
		return nil, fmt.Errorf("member: start gossip: %w", err)
	}
	g.host.Handle(transport.KindRecords, g.serveRecords)
	if err := g.Set(statusKey, []byte(statusHere)); err != nil {
		g.cancel()
		_ = g.list.Shutdown()
		return nil, err
	}
	g.wg.Add(2 + fetchers)
	go func() { defer g.wg.Done(); g.events.Run(g.ctx) }()
	go g.maintain()
	for range fetchers {
		go g.fetchLoop()
	}
	if cfg.LAN {
		g.startLAN()
	}
	return g, nil
}

// listConfig is memberlist's configuration, but for the callbacks.
func listConfig(name string, timing Timing, w memberlist.Transport) *memberlist.Config {
	mc := memberlist.DefaultLANConfig()
	timing.apply(mc)
	mc.Name, mc.Transport = name, w
	mc.BindAddr, mc.BindPort, mc.AdvertisePort = "::", 0, gossipPort
	mc.RequireNodeNames = true
	mc.EnableCompression = false // packets are small, and records are announced, not repeated
	mc.UDPBufferSize = transport.MaxPacket
	return mc
}

// joinRounds is how often Join tries all seeds: one that many nodes join at once may be busy.
const joinRounds = 3

// Join makes this node part of the mesh that a seed belongs to. Seeds are tried in order until one answers; records are
// fetched before Join returns.
func (g *Group) Join(ctx context.Context, seeds ...transport.Seed) error {
	var errs []error
	for round := range joinRounds {
		if round > 0 {
			t := time.NewTimer(rand.N(time.Duration(round) * time.Second))
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return fmt.Errorf("%w: %w", ErrNoSeed, errors.Join(errs...))
			}
		}
		errs = nil
		for _, s := range seeds {
			if s.Peer == g.host.ID() {
				continue
			}
			err := g.joinAt(ctx, s)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
			if errors.Is(err, admit.ErrEvicted) {
				return fmt.Errorf("%w: %w", ErrNoSeed, err)
			}
		}
	}
	return fmt.Errorf("%w: %w", ErrNoSeed, errors.Join(errs...))
}

// joinAt joins at one seed.
func (g *Group) joinAt(ctx context.Context, s transport.Seed) error {
	if s.Addr != "" {
		g.host.Learn(s.Peer, s.Addr)
	}
	if err := g.host.Connect(ctx, s.Peer); err != nil {
		return err
	}
	if _, err := g.list.Join([]string{joinName(s.Peer)}); err != nil {
		return err
	}
	if _, err := g.exchange(ctx, s.Peer); err != nil {
		return err
	}
	select {
	case g.hurry <- struct{}{}:
	default:
	}
	return nil
}

// Nodes lists every node known, this one included, ordered by name and identity.
func (g *Group) Nodes() []Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Node, 0, len(g.nodes))
	for _, n := range g.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b Node) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out
}

// Node is one node; false when it is not known.
func (g *Group) Node(id transport.PeerID) (Node, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, ok := g.nodes[id]
	return n, ok
}

// Events is the stream of what happens to nodes and records, in order. When the reader falls behind by EventQueue events, the
// oldest are dropped and a Lagged event says so: then Nodes and Records are the truth. The channel closes with the Group.
func (g *Group) Events() <-chan Event { return g.events.Events() }

// alive counts the nodes that gossip reaches.
func (g *Group) alive() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, x := range g.nodes {
		if x.State == Alive {
			n++
		}
	}
	return max(1, n)
}

// membersHash sums up which nodes gossip reaches.
func (g *Group) membersHash() [32]byte {
	g.mu.Lock()
	ids := make([]transport.PeerID, 0, len(g.nodes))
	for id, n := range g.nodes {
		if n.State == Alive {
			ids = append(ids, id)
		}
	}
	g.mu.Unlock()
	slices.Sort(ids)
	h := sha256.New()
	for _, id := range ids {
		h.Write([]byte(id))
	}
	return [32]byte(h.Sum(nil))
}

// useRelays gives the host the relays of the mesh. All nodes order them alike, so that two nodes behind NATs share one.
func (g *Group) useRelays() {
	g.mu.Lock()
	var ids []transport.PeerID
	for id, n := range g.nodes {
		if n.Relay && n.State == Alive {
			ids = append(ids, id)
		}
	}
	g.mu.Unlock()
	slices.Sort(ids)
	g.host.SetRelays(ids)
}

// pick is a random other node in the state; false when there is none.
func (g *Group) pick(s State) (transport.PeerID, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids []transport.PeerID
	for id, n := range g.nodes {
		if n.State == s && id != g.host.ID() {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", false
	}
	return ids[rand.IntN(len(ids))], true
}

// Leave says goodbye, waits until the word is out (at most as long as ctx), and stops.
func (g *Group) Leave(ctx context.Context) error {
	wait := time.Second
	if t, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(t))
	}
	if err := g.Set(statusKey, []byte(statusLeft)); err != nil {
		return err
	}
	err := g.list.Leave(wait)
	if cerr := g.Close(); err == nil {
		err = cerr
	}
	return err
}

// Close stops without a goodbye: others see a failure.
func (g *Group) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	g.mu.Unlock()
	g.host.Handle(transport.KindRecords, nil)
	g.cancel()
	err := g.list.Shutdown()
	g.wg.Wait()
	return err
}

// logWriter turns memberlist's lines into debug records.
type logWriter struct{ log *slog.Logger }

var _ io.Writer = logWriter{}

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug(strings.TrimSpace(string(p)))
	return len(p), nil
}
