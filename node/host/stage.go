package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// Stage is a compiled part of a model. It is safe for concurrent use: runs take turns.
type Stage struct {
	host *Host
	key  uint64

	memory atomic.Int64 // bytes; 0 before compilation

	mu     sync.Mutex        // held while compiling and running
	exec   engine.Executable // guarded by mu; nil before compilation and after close
	stage  *split.Stage      // guarded by mu until compiled, constant afterwards
	usual  time.Duration     // guarded by mu until compiled, constant afterwards
	closed bool              // guarded by mu
}

// In and Out are the boundary values in the parent graph, in the order of Run's tensors.
func (s *Stage) In() []split.ValueID  { return s.stage.In }
func (s *Stage) Out() []split.ValueID { return s.stage.Out }

// Usual is the time of one run on the real machine, measured when the stage was prepared.
func (s *Stage) Usual() time.Duration { return s.usual }

// Memory is the bytes that the stage holds.
func (s *Stage) Memory() int64 { return s.memory.Load() }

func (s *Stage) compile(ctx context.Context, b engine.Backend, g *split.Graph, groups []split.GroupID, estimate time.Duration, rush bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exec != nil {
		return nil
	}
	if s.closed {
		return ErrEvicted
	}
	if !sorted(groups) {
		return errors.New("group ids do not ascend")
	}
	stage, err := g.Stage(groups)
	if err != nil {
		return err
	}
	exec, err := b.Compile(ctx, stage.Graph, engine.Options{Threads: s.host.cfg.Threads, MemoryLimit: s.host.cfg.Memory})
	if err != nil {
		return err
	}
	usual := estimate
	if in, err := Sample(stage.Graph); err == nil && !rush {
		s.host.cfg.Quiet.Lock()
		usual, err = s.host.clock(ctx, exec, in)
		s.host.cfg.Quiet.Unlock()
		if err != nil {
			return errors.Join(err, exec.Close())
		}
	}
	m := exec.Memory()
	s.stage, s.exec, s.usual = stage, exec, usual
	s.memory.Store(m.Weights + m.Activations)
	return nil
}

// Run computes the stage. in is parallel to In and only read; the results are parallel to Out and belong to the caller.
// took is the time of the computation as the emulated machine has it, without the wait for a turn.
func (s *Stage) Run(ctx context.Context, in []*tensor.Tensor) (out []*tensor.Tensor, took time.Duration, err error) {
	select {
	case <-s.host.turn:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	defer func() { s.host.turn <- struct{}{} }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exec == nil {
		return nil, 0, ErrEvicted
	}
	begin := time.Now()
	defer func() { s.host.busy.Add(begin, time.Now()) }()
	values := make([]tensor.Value, len(in))
	for i, t := range in {
		values[i] = t
	}
	res, err := s.exec.Run(ctx, values)
	if err != nil {
		return nil, 0, err
	}
	out = make([]*tensor.Tensor, len(res))
	for i, v := range res {
		t, ok := v.(*tensor.Tensor)
		if !ok {
			return nil, 0, fmt.Errorf("run stage: output %d is no tensor", i)
		}
		out[i] = t.Clone()
	}
	if err := s.host.pace(ctx, begin, s.usual); err != nil {
		return nil, 0, err
	}
	return out, time.Since(begin), nil
}

func (s *Stage) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.exec != nil {
		s.exec.Close() // frees memory; there is nobody to tell of a failure
		s.exec = nil
	}
}

// pace blocks until the emulated machine would be done with work that began at begin and takes real on this machine.
func (h *Host) pace(ctx context.Context, begin time.Time, real time.Duration) error {
	if h.cfg.Speed == 1 {
		return nil
	}
	return sleepUntil(ctx, begin.Add(time.Duration(float64(real)/h.cfg.Speed)))
}

func sleepUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
