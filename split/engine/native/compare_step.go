package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// equal appends an Equal of integers, row by row: how exporters write one-hot codes.
func (c *compiler) equal(op *split.Op) bool {
	if len(op.Inputs) != 2 {
		return false
	}
	a, b, y := op.Inputs[0], op.Inputs[1], op.Outputs[0]
	sa, sb, so := &c.p.slots[a], &c.p.slots[b], c.p.slots[y].shape
	if sa.dtype != sb.dtype || sa.dtype != tensor.Int32 && sa.dtype != tensor.Int64 || sa.shape == nil || sb.shape == nil || so == nil {
		return false
	}
	total, err := so.Elements()
	if err != nil || total == 0 || !c.want(int(y)) {
		return false
	}
	s := &equalStep{}
	s.in, s.y = [2]int{int(a), int(b)}, int(y)
	s.shape, s.strides = mergeDims(so, [2][]int{broadcastStrides(sa.shape, so), broadcastStrides(sb.shape, so)})
	s.prepare(total)
	if sa.dtype == tensor.Int32 {
		s.task.f = func(lo, hi int) { equalRows[int32](s, lo, hi) }
	} else {
		s.task.f = func(lo, hi int) { equalRows[int64](s, lo, hi) }
	}
	c.add(s, stepIO{reads: s.in[:], writes: []int{s.y}})
	return true
}

// equalStep computes y = (a == b) row by row.
type equalStep struct {
	rowPairs
	p *program
}

func (s *equalStep) run(p *program) error {
	s.p = p
	p.parallel.Run(&s.task)
	s.p = nil
	return nil
}

func equalRows[T int32 | int64](s *equalStep, lo, hi int) {
	a, b := slotData[T](s.p, s.in[0]), slotData[T](s.p, s.in[1])
	dst := slotData[bool](s.p, s.y)
	k, n := len(s.shape)-1, s.task.n
	la, lb := s.strides[0][k], s.strides[1][k]
	for r := lo; r < hi; r++ {
		y := dst[r*n : (r+1)*n]
		i, j := int(s.at[0][r]), int(s.at[1][r])
		switch {
		case la == 1 && lb == 1:
			x, w := a[i:i+n], b[j:j+n]
			for e := range y {
				y[e] = x[e] == w[e]
			}
		case la == 1 && lb == 0:
			equalTo(y, a[i:i+n], b[j])
		case la == 0 && lb == 1:
			equalTo(y, b[j:j+n], a[i])
		default:
			for e := range y {
				y[e] = a[i+e*la] == b[j+e*lb]
			}
		}
	}
}

func equalTo[T int32 | int64](y []bool, x []T, v T) {
	for e, u := range x[:len(y)] {
		y[e] = u == v
	}
}

// slotData is the elements of a slot that holds a dense tensor of T.
func slotData[T tensor.Element](p *program, i int) []T {
	return tensor.Data[T](p.slots[i].val.(*tensor.Tensor))
}
