package native

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cleave-mesh/cleave/internal/kernel/pool"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// maxPrograms is how many input shapes a dynamic graph keeps compiled.
const maxPrograms = 4

// executable is a compiled graph: one program for a graph of known shapes, and one per combination of input shapes that
// Run has met for the others.
type executable struct {
	g        *split.Graph
	opts     engine.Options
	cfg      Config
	packs    *packer
	parallel *pool.Pool

	main     *program
	programs map[string]*program // by input shapes, when main's are not all known
	recent   []string            // keys of programs, oldest first
}

// Run implements engine.Executable.
func (e *executable) Run(ctx context.Context, in []tensor.Value) ([]tensor.Value, error) {
	return e.run(ctx, in, nil)
}

// RunTimed implements engine.GroupTimer.
func (e *executable) RunTimed(ctx context.Context, in []tensor.Value, seconds []float64) ([]tensor.Value, error) {
	last := time.Now()
	return e.run(ctx, in, func(group int) {
		now := time.Now()
		if group < len(seconds) {
			seconds[group] += now.Sub(last).Seconds()
		}
		last = now
	})
}

func (e *executable) run(ctx context.Context, in []tensor.Value, timed func(int)) ([]tensor.Value, error) {
	p, err := e.specialized(ctx, in)
	if err != nil {
		return nil, err
	}
	return p.run(ctx, in, nil, timed)
}

// specialized is the program for the shapes of in.
func (e *executable) specialized(ctx context.Context, in []tensor.Value) (*program, error) {
	if !e.main.open || e.cfg.Reference || len(in) != len(e.g.Inputs) {
		return e.main, nil
	}
	var key strings.Builder
	shapes := map[string]tensor.Shape{}
	for i, v := range in {
		t, ok := v.(*tensor.Tensor)
		if !ok {
			return e.main, nil
		}
		fmt.Fprint(&key, t, ";")
		shapes[e.g.Values[e.g.Inputs[i]].Name] = t.Shape()
	}
	k := key.String()
	if p := e.programs[k]; p != nil {
		return p, nil
	}
	g, err := split.Specialize(e.g, shapes)
	if err != nil {
		return nil, err
	}
	p, err := e.compile(ctx, g)
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", e.g.Name, err)
	}
	if err := e.withinLimit(p); err != nil {
		return nil, err
	}
	if len(e.recent) == maxPrograms {
		delete(e.programs, e.recent[0])
		e.recent = e.recent[1:]
	}
	e.programs[k], e.recent = p, append(e.recent, k)
	return p, nil
}

// withinLimit refuses a program that needs more than the options allow.
func (e *executable) withinLimit(p *program) error {
	m := engine.Memory{Weights: e.packs.bytes, Activations: p.arenas(), Scratch: e.scratch() + p.overhead()}
	if e.opts.MemoryLimit > 0 && m.Total() > e.opts.MemoryLimit {
		return fmt.Errorf("%w: %q needs %d bytes (%d of weights, %d of activations, %d of scratch) and may use %d: raise the limit or cut the model",
			engine.ErrMemory, e.g.Name, m.Total(), m.Weights, m.Activations, m.Scratch, e.opts.MemoryLimit)
	}
	return nil
}

// Memory implements engine.Executable.
func (e *executable) Memory() engine.Memory {
	m := engine.Memory{Weights: e.packs.bytes, Activations: e.main.arenas(), Scratch: e.scratch() + e.main.overhead(), Mapped: e.packs.mapped}
	for _, p := range e.programs { // each keeps its own
		m.Activations += p.arenas()
		m.Scratch += p.overhead()
	}
	return m
}

// Close implements engine.Executable.
func (e *executable) Close() error {
	*e = executable{g: e.g}
	return nil
}
