package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// maxRows is how many rows a rowsStep may have: each costs 4 bytes of memory.
const maxRows = 1 << 22

// rowsStep copies rows of n elements from places that are known when the program is made: y[k·n:] = x[from[k]:]. Slices,
// parts, permutations and repetitions are all of this kind.
type rowsStep struct {
	x, y, n  int
	from     []int32
	src, dst []float32
	task     rowTask
}

func (s *rowsStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *rowsStep) rows(lo, hi int) {
	n := s.n
	if n == 1 {
		y := s.dst[lo:hi]
		for k, at := range s.from[lo:hi] {
			y[k] = s.src[at]
		}
		return
	}
	for k := lo; k < hi; k++ {
		copy(s.dst[k*n:(k+1)*n], s.src[s.from[k]:])
	}
}

// planRows is the step, still without its slots, that copies the elements at start + index·stride in row-major order of
// shape. ok is false when there are none or too many rows.
func planRows(shape tensor.Shape, start int, st []int) (*rowsStep, bool) {
	s := &rowsStep{n: 1}
	d := len(shape) // dimensions from d on are one row
	for d > 0 && (shape[d-1] == 1 || st[d-1] == s.n) {
		s.n *= shape[d-1]
		d--
	}
	count := size(shape[:d])
	if count > maxRows || s.n == 0 || count == 0 {
		return nil, false
	}
	s.from = make([]int32, 0, count)
	walk(shape[:d], [][]int{st[:d]}, func(n int, at []int) {
		for k := range n {
			s.from = append(s.from, int32(start+at[0]+k*last(st[:d])))
		}
	})
	total := count * s.n
	s.task = rowTask{rows: count, n: s.n, nanos: count + total*cheapPicos/1000, f: s.rows}
	return s, true
}

// slices appends Slice and Split of known ranges, in the layout that the input has.
func (c *compiler) slices(op *split.Op) bool {
	x := op.Inputs[0]
	if !c.isFloat32(x) {
		return false
	}
	cl, known := c.constants(op)
	if !known {
		return false
	}
	s := c.p.slots[x].shape
	type part struct {
		out   split.ValueID
		shape tensor.Shape
		from  []int // first index along each dimension
		step  []int
	}
	var parts []part
	ones := make([]int, len(s))
	for i := range ones {
		ones[i] = 1
	}
	if op.Type == "Slice" {
		shape, from, step, err := cl.sliceRange(s)
		if err != nil {
			return false
		}
		parts = append(parts, part{op.Outputs[0], shape, from, step})
	} else {
		axis, sizes, err := cl.splitSizes(s)
		if err != nil {
			return false
		}
		at := 0
		for i, n := range sizes {
			shape, from := s.Clone(), make([]int, len(s))
			shape[axis], from[axis] = n, at
			at += n
			if op.Outputs[i] != split.None {
				parts = append(parts, part{op.Outputs[i], shape, from, ones})
			}
		}
	}
	for _, p := range parts {
		if !p.shape.Equal(c.p.slots[p.out].shape) || size(p.shape) == 0 {
			return false
		}
	}
	in, chLast := c.follow(x)
	for _, p := range parts {
		mem, from, step, shape := s, p.from, p.step, p.shape
		if chLast {
			mem, from, step, shape = channelsLast(s), channelsLast(from), channelsLast(step), channelsLast(shape)
		}
		st, start := strides(mem), 0
		for d := range st {
			start += from[d] * st[d]
			st[d] *= step[d]
		}
		rows, ok := planRows(shape, start, st)
		if !ok {
			return false
		}
		rows.x, rows.y = in[0], c.out(p.out, chLast)
		c.add(rows, stepIO{reads: in, writes: []int{rows.y}})
	}
	return true
}

// scatterRows appends a ScatterND that replaces rows at constant indices.
func (c *compiler) scatterRows(op *split.Op) bool {
	x, u := op.Inputs[0], op.Inputs[2]
	it := c.constant(op.Inputs[1])
	if it == nil || it.DType() != tensor.Int64 || !c.isFloat32(x) || !c.isFloat32(u) || op.Str("reduction", "none") != "none" {
		return false
	}
	cl := call{op: op}
	offsets, inner, err := cl.tupleOffsets(c.p.slots[x].shape, it, toInts(tensor.Data[int64](it)), 0)
	if err != nil || c.elements(int(u)) != len(offsets)*inner {
		return false
	}
	c.toPlain(x)
	c.toPlain(u)
	s := &scatterStep{x: int(x), u: int(u), n: inner, to: offsets, y: c.outPlain(op.Outputs[0])}
	c.add(s, stepIO{reads: []int{s.x, s.u}, writes: []int{s.y}})
	return true
}

// scatterStep is x with rows of u in some places.
type scatterStep struct {
	x, u, y, n int
	to         []int
}

func (s *scatterStep) run(p *program) error {
	y, u := p.slots[s.y].f32, p.slots[s.u].f32
	copy(y, p.slots[s.x].f32)
	for k, at := range s.to {
		copy(y[at:at+s.n], u[k*s.n:])
	}
	return nil
}
