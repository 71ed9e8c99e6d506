package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// pair appends a comparison of numbers or an arithmetic op on integers: sizes, positions, masks and one-hot codes.
func (c *compiler) pair(op *split.Op) bool {
	if op.Domain != onnx || len(op.Inputs) != 2 || len(op.Outputs) != 1 || op.Attrs["axis"] != nil {
		return false
	}
	compares := false
	switch op.Type {
	case "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual":
		compares = true
	case "Add", "Sub", "Mul", "Div", "Max", "Min":
	default:
		return false
	}
	switch d := c.p.slots[op.Inputs[0]].dtype; {
	case d == tensor.Int32 && compares:
		return addPair(c, op, comparedRow[int32](op.Type))
	case d == tensor.Int64 && compares:
		return addPair(c, op, comparedRow[int64](op.Type))
	case d == tensor.Float32 && compares:
		return addPair(c, op, comparedRow[float32](op.Type))
	case d == tensor.Int32:
		return addPair(c, op, pairedRow(arithmetic[int32](op.Type)))
	case d == tensor.Int64:
		return addPair(c, op, pairedRow(arithmetic[int64](op.Type)))
	}
	return false
}

// rowOf computes a row of y from elements of a and b, in which neighbours are la and lb elements apart: 1, or 0 where one repeats.
type rowOf[T, R any] func(y []R, a []T, la int, b []T, lb int)

func addPair[T, R tensor.Element](c *compiler, op *split.Op, row rowOf[T, R]) bool {
	a, b, y := op.Inputs[0], op.Inputs[1], op.Outputs[0]
	sa, sb, so := &c.p.slots[a], &c.p.slots[b], c.p.slots[y].shape
	if sa.dtype != sb.dtype || sa.shape == nil || sb.shape == nil || so == nil || size(so) == 0 {
		return false
	}
	c.toPlain(a)
	c.toPlain(b)
	s := &pairStep[T, R]{row: row}
	s.in, s.y = [2]int{int(a), int(b)}, c.outPlain(y)
	s.shape, s.strides = mergeDims(so, [2][]int{broadcastStrides(sa.shape, so), broadcastStrides(sb.shape, so)})
	s.prepare(size(so))
	s.task.f = s.rows
	c.add(s, stepIO{reads: s.in[:], writes: []int{s.y}})
	return true
}

// pairStep computes y = op(a, b) row by row.
type pairStep[T, R tensor.Element] struct {
	rowPairs
	row  rowOf[T, R]
	a, b []T
	to   []R
}

func (s *pairStep[T, R]) run(p *program) error {
	s.a, s.b, s.to = slotData[T](p, s.in[0]), slotData[T](p, s.in[1]), slotData[R](p, s.y)
	p.parallel.Run(&s.task)
	return nil
}

func (s *pairStep[T, R]) rows(lo, hi int) {
	k, n := len(s.shape)-1, s.task.n
	for r := lo; r < hi; r++ {
		s.row(s.to[r*n:(r+1)*n], s.a[s.at[0][r]:], s.strides[0][k], s.b[s.at[1][r]:], s.strides[1][k])
	}
}

// pairedRow is f of the elements of a row.
func pairedRow[T, R tensor.Element](f func(a, b T) R) rowOf[T, R] {
	return func(y []R, a []T, la int, b []T, lb int) {
		for e := range y {
			y[e] = f(a[e*la], b[e*lb])
		}
	}
}

func comparedRow[T number](typ string) rowOf[T, bool] {
	if typ == "Equal" {
		return equalRow[T]
	}
	return pairedRow(comparison[T](typ))
}

// equalRow is comparedRow of Equal without a call per element.
func equalRow[T number](y []bool, a []T, la int, b []T, lb int) {
	switch {
	case la == 1 && lb == 1:
		a, b = a[:len(y)], b[:len(y)]
		for e := range y {
			y[e] = a[e] == b[e]
		}
	case la == 1:
		equalTo(y, a, b[0])
	case lb == 1:
		equalTo(y, b, a[0])
	default:
		for e := range y {
			y[e] = a[e*la] == b[e*lb]
		}
	}
}

func equalTo[T number](y []bool, x []T, v T) {
	for e, u := range x[:len(y)] {
		y[e] = u == v
	}
}

// slotData is the elements of a slot that holds a dense tensor of T.
func slotData[T tensor.Element](p *program, i int) []T {
	return tensor.Data[T](p.slots[i].val.(*tensor.Tensor))
}
