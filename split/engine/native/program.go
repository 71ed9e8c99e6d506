package native

import (
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/kernel/pool"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// step is one thing that a program does: usually a group, sometimes a change of layout before one.
type step interface {
	run(p *program) error
}

// slot is where a value lives while a program runs. Slots 0 to len(graph.Values)-1 are the graph's values in ONNX layout;
// further ones hold values of four dimensions channels-last, and intermediate results of groups.
type slot struct {
	val tensor.Value // nil until computed
	f32 []float32    // the elements of val, when they are float32 and it is a dense tensor

	dtype tensor.DType
	shape tensor.Shape // sizes in the order of memory; nil when not known at compile time
	// root is the slot whose memory this one shares, or itself; at is the offset in bytes into it.
	root, at int
	// planned is set when the slot has a place in the arena.
	planned     bool
	home        *tensor.Tensor // the planned place itself
	bytes, off  int
	first, last int // steps between which the memory is in use
}

// program is a compiled graph. Steps read and write slots; planned slots lie in one arena, the others are allocated while
// it runs.
type program struct {
	// constant after compilation
	g         *split.Graph
	steps     []step
	io        []stepIO // parallel to steps; nil once compiled
	ends      []int    // ends[i] is the number of steps up to and including group i
	open      bool     // the shape of an input is not known
	arenaSize int
	parallel  *pool.Pool
	bodies    []*program // of the ops' subgraphs; each has an arena of its own

	// owned by the Run under way
	ctx   context.Context
	arena []byte // nil before the first run
	slots []slot
	out   []tensor.Value
}

// run computes the graph. captured is parallel to the graph's Captured.
func (p *program) run(ctx context.Context, in, captured []tensor.Value, timed func(group int)) ([]tensor.Value, error) {
	if len(in) != len(p.g.Inputs) {
		return nil, fmt.Errorf("graph %q has %d inputs, got %d", p.g.Name, len(p.g.Inputs), len(in))
	}
	if p.arena == nil {
		if err := p.allocate(); err != nil {
			return nil, err
		}
	}
	for i, id := range p.g.Inputs {
		if err := p.bind(id, in[i]); err != nil {
			return nil, err
		}
	}
	for i, id := range p.g.Captured {
		p.set(int(id), captured[i])
	}
	p.ctx = ctx
	k := 0
	for g, end := range p.ends {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for ; k < end; k++ {
			if err := p.steps[k].run(p); err != nil {
				return nil, err
			}
		}
		if timed != nil {
			timed(g)
		}
	}
	for i, id := range p.g.Outputs {
		v := p.slots[id].val
		if v == nil {
			return nil, fmt.Errorf("output %q was not computed", p.g.Values[id].Name)
		}
		p.out[i] = v
	}
	return p.out, nil
}

// bind gives an input its value after checking that it has the type that the program was compiled for.
func (p *program) bind(id split.ValueID, v tensor.Value) error {
	name, s := p.g.Values[id].Name, &p.slots[id]
	if v == nil {
		return fmt.Errorf("input %q is missing", name)
	}
	if t, ok := v.(*tensor.Tensor); ok {
		if want := s.dtype; want != tensor.Invalid && want != t.DType() {
			return fmt.Errorf("input %q must be %s, not %s", name, want, t.DType())
		}
		if s.shape != nil && !s.shape.Equal(t.Shape()) {
			return fmt.Errorf("input %q must have shape %v, not %v", name, s.shape, t.Shape())
		}
	}
	p.set(int(id), v)
	return nil
}

// set stores a value that was not planned.
func (p *program) set(i int, v tensor.Value) {
	s := &p.slots[i]
	s.val, s.f32 = v, nil
	if t, ok := v.(*tensor.Tensor); ok && t.DType() == tensor.Float32 {
		s.f32 = tensor.Data[float32](t)
	}
}

// bytes is the memory of a slot that holds a tensor.
func (p *program) bytes(i int) []byte { return p.slots[i].val.(*tensor.Tensor).Bytes() }

// int32s are the elements of a slot that holds an int32 tensor.
func (p *program) int32s(i int) []int32 { return tensor.Data[int32](p.slots[i].val.(*tensor.Tensor)) }

// evalStep computes one op by its reference implementation.
type evalStep struct {
	e       *entry
	c       call
	in, out []int // slots, -1 where absent
}

func (s *evalStep) run(p *program) (err error) {
	defer func() {
		if r := recover(); r != nil { // an index out of range: the model's shapes do not fit each other
			err = s.c.errorf("inputs %s do not fit: %v", kinds(s.c.in), r)
		}
	}()
	s.c.ctx = p.ctx
	for i, id := range s.in {
		s.c.in[i] = nil
		if id >= 0 {
			s.c.in[i] = p.slots[id].val
		}
	}
	clear(s.c.out)
	if err := s.e.eval(&s.c); err != nil {
		return err
	}
	for i, id := range s.out {
		if id < 0 {
			continue
		}
		if s.c.out[i] == nil {
			return s.c.errorf("output %d was not computed", i)
		}
		p.set(id, s.c.out[i])
	}
	return nil
}

func kinds(vs []tensor.Value) []string {
	var r []string
	for _, v := range vs {
		if t, ok := v.(*tensor.Tensor); ok {
			r = append(r, t.String())
		} else {
			r = append(r, fmt.Sprintf("%T", v))
		}
	}
	return r
}

// planned is the planned tensor of output i of a step that writes slots ids, or nil.
func (p *program) planned(ids []int) func(i int) *tensor.Tensor {
	return func(i int) *tensor.Tensor {
		if i >= len(ids) || ids[i] < 0 || !p.slots[ids[i]].planned {
			return nil
		}
		return p.slots[ids[i]].home
	}
}
