package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// pad appends a Pad by constants, of any mode, in whatever layout its input has.
func (c *compiler) pad(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	cl, known := c.constants(op)
	if !known || !c.isFloat32(x) {
		return false
	}
	in := c.p.slots[x].shape
	before, out, err := cl.padding(in)
	if err != nil || len(in) == 0 || size(in) == 0 || size(out) == 0 || !out.Equal(c.p.slots[y].shape) {
		return false
	}
	src, err := cl.padSources(before, in, out)
	if err != nil {
		return false
	}
	s := &padStep{}
	if v := cl.maybe(2); v != nil && v.Len() > 0 {
		if s.value, known = c.scalar(op.Inputs[2]); !known {
			return false
		}
	}
	from, last := c.follow(x)
	if last {
		in, out = channelsLast(in), channelsLast(out)
		src = append(append([][]int{src[0]}, src[2:]...), src[1])
	}
	if !s.plan(in, out, src) {
		return false
	}
	s.x, s.y = from[0], c.out(y, last)
	c.add(s, stepIO{reads: from, writes: []int{s.y}})
	return true
}

// padStep writes rows, each of which shows a row of x with some cells of that row before and after it, or the value alone.
type padStep struct {
	x, y  int
	value float32
	n     int     // elements of a cell: of the last dimensions, when nothing is added to them
	from  []int32 // the element of x at which the row that each row of y shows begins; -1 for the value
	cells []int32 // the cell of x's row that each cell of y's row shows; -1 for the value
	// The cells lo to hi-1 show neighbours.
	lo, hi   int
	src, dst []float32
	task     rowTask
}

// plan fills in the tables for shapes in the order of memory, when there are not too many rows. src is as padSources gives it.
func (s *padStep) plan(in, out tensor.Shape, src [][]int) bool {
	d := len(out) - 1
	s.n = 1
	for ; d > 0 && in[d] == out[d] && src[d][0] == 0 && src[d][out[d]-1] == out[d]-1; d-- {
		s.n *= out[d]
	}
	if size(out[:d]) > maxRows {
		return false
	}
	s.cells = make([]int32, out[d])
	for i, at := range src[d] {
		s.cells[i] = int32(at)
	}
	for i := 0; i < len(s.cells); { // the longest run of neighbours
		j := i + 1
		for j < len(s.cells) && s.cells[i] >= 0 && s.cells[j] == s.cells[j-1]+1 {
			j++
		}
		if s.cells[i] >= 0 && j-i > s.hi-s.lo {
			s.lo, s.hi = i, j
		}
		i = j
	}
	st, idx := strides(in), make([]int, d)
	s.from = make([]int32, size(out[:d]))
	for r := range s.from {
		unravel(r, out[:d], idx)
		for k, i := range idx {
			if src[k][i] < 0 {
				s.from[r] = -1
				break
			}
			s.from[r] += int32(src[k][i] * st[k])
		}
	}
	row := len(s.cells) * s.n
	s.task = rowTask{rows: len(s.from), n: row, nanos: len(s.from) * (4 + row*cheapPicos/1000), f: s.rows}
	return true
}

func (s *padStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *padStep) rows(lo, hi int) {
	for r := lo; r < hi; r++ {
		y := s.dst[r*s.task.n : (r+1)*s.task.n]
		if s.from[r] < 0 {
			fill(y, s.value)
			continue
		}
		x := s.src[s.from[r]:]
		for i := 0; i < len(s.cells); i++ {
			at := int(s.cells[i])
			switch {
			case i == s.lo && s.hi > s.lo:
				copy(y[i*s.n:s.hi*s.n], x[at*s.n:])
				i = s.hi - 1
			case at < 0:
				fill(y[i*s.n:(i+1)*s.n], s.value)
			case s.n == 1:
				y[i] = x[at]
			default:
				copy(y[i*s.n:(i+1)*s.n], x[at*s.n:])
			}
		}
	}
}

func fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}
