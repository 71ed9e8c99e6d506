package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// gather appends a Gather of elements of whole bytes.
func (c *compiler) gather(op *split.Op) bool {
	if !op.Is("Gather") {
		return false
	}
	x, idx, y := op.Inputs[0], op.Inputs[1], op.Outputs[0]
	s, width := c.p.slots[x].shape, c.p.slots[x].dtype.Bits()/8
	if s == nil || c.p.slots[idx].shape == nil || c.p.slots[y].shape == nil || width == 0 {
		return false
	}
	cl := call{op: op}
	axis, err := cl.axis(cl.attrInt("axis", 0), len(s))
	if err != nil {
		return false
	}
	outer, n, inner := blocks(s, axis)
	if c.constant(idx) != nil && c.isFloat32(x) {
		return c.gatherConstant(op, outer, n, inner)
	}
	step := &gatherStep{op: op, outer: outer, n: n, inner: inner * width}
	switch c.p.slots[idx].dtype {
	case tensor.Int64:
		step.index = indexOf[int64]
	case tensor.Int32:
		step.index = indexOf[int32]
	default:
		return false
	}
	c.toPlain(x)
	c.toPlain(idx)
	step.x, step.idx, step.y = int(x), int(idx), c.outPlain(y)
	c.add(step, stepIO{reads: []int{step.x, step.idx}, writes: []int{step.y}})
	return true
}

// gatherConstant appends a Gather of float32 by constant indices.
func (c *compiler) gatherConstant(op *split.Op, outer, n, inner int) bool {
	cl, _ := c.constants(op)
	idx, err := cl.ints(1)
	if err != nil || outer*len(idx) > maxRows || outer*len(idx)*inner == 0 {
		return false
	}
	step := &rowsStep{n: inner}
	for o := range outer {
		for _, i := range idx {
			if i < 0 {
				i += n
			}
			if i < 0 || i >= n {
				return false
			}
			step.from = append(step.from, int32((o*n+i)*inner))
		}
	}
	rows := len(step.from)
	step.task = rowTask{rows: rows, n: inner, nanos: rows + rows*inner*cheapPicos/1000, f: step.rows}
	c.toPlain(op.Inputs[0])
	step.x, step.y = int(op.Inputs[0]), c.outPlain(op.Outputs[0])
	c.add(step, stepIO{reads: []int{step.x}, writes: []int{step.y}})
	return true
}

// gatherStep copies the blocks of outer×n×inner bytes that computed indices name.
type gatherStep struct {
	op              *split.Op
	x, idx, y       int
	outer, n, inner int
	index           func(indices *tensor.Tensor, i int) int
}

func indexOf[T int32 | int64](indices *tensor.Tensor, i int) int {
	return int(tensor.Data[T](indices)[i])
}

func (s *gatherStep) run(p *program) error {
	indices := p.slots[s.idx].val.(*tensor.Tensor)
	x, y := p.bytes(s.x), p.bytes(s.y)
	count := indices.Len()
	for k := range count {
		i := s.index(indices, k)
		if i < 0 {
			i += s.n
		}
		if i < 0 || i >= s.n {
			return (&call{op: s.op}).errorf("index %d is outside of an axis of %d", s.index(indices, k), s.n)
		}
		for o := range s.outer {
			copy(y[(o*count+k)*s.inner:(o*count+k+1)*s.inner], x[(o*s.n+i)*s.inner:])
		}
	}
	return nil
}
