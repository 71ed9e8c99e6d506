package split

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func (e *evaluation) where() (*tensor.Tensor, error) {
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	cond, err := e.stretch(e.in[0], s)
	if err != nil {
		return nil, err
	}
	a, err := e.stretch(e.in[1], s)
	if err != nil {
		return nil, err
	}
	b, err := e.stretch(e.in[2], s)
	if err != nil {
		return nil, err
	}
	if cond.DType() != tensor.Bool || a.DType() != b.DType() {
		return nil, ErrUnknownOp
	}
	out, err := e.alloc(a.DType(), s)
	if err != nil {
		return nil, err
	}
	width := a.DType().Bits() / 8
	for i, yes := range cond.Bytes() {
		src := b
		if yes != 0 {
			src = a
		}
		copy(out.Bytes()[i*width:][:width], src.Bytes()[i*width:])
	}
	return out, nil
}

// rangeCount is how many numbers a Range gives.
func rangeCount(start, limit, delta *tensor.Tensor) (int, bool) {
	if start.Len() != 1 || limit.Len() != 1 || delta.Len() != 1 {
		return 0, false
	}
	var n float64
	if s, ok := intsOf(start); ok {
		l, _ := intsOf(limit)
		d, _ := intsOf(delta)
		if len(l) != 1 || len(d) != 1 || d[0] == 0 {
			return 0, false
		}
		n = math.Ceil((float64(l[0]) - float64(s[0])) / float64(d[0]))
	} else {
		var v [3]float64
		for i, t := range []*tensor.Tensor{start, limit, delta} {
			switch t.DType() {
			case tensor.Float32:
				v[i] = float64(tensor.Data[float32](t)[0])
			case tensor.Float64:
				v[i] = tensor.Data[float64](t)[0]
			default:
				return 0, false
			}
		}
		n = math.Ceil((v[1] - v[0]) / v[2])
	}
	if !(n <= MaxElements) {
		return 0, false
	}
	return int(max(n, 0)), true
}

func (e *evaluation) rangeOf() (*tensor.Tensor, error) {
	start, err := e.ints(0)
	if err != nil {
		return nil, err
	}
	delta, err := e.ints(2)
	if err != nil {
		return nil, err
	}
	n, ok := rangeCount(e.in[0], e.in[1], e.in[2])
	if !ok {
		return nil, ErrUnknownOp
	}
	if n > e.limit {
		return nil, ErrLimit
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = start[0] + int64(i)*delta[0]
	}
	return narrow(list, e.in[0].DType(), tensor.Shape{n}), nil
}

// reduce folds reductions of integers, and of floats over at most two elements or to an extreme, where the order of additions
// does not matter.
func (e *evaluation) reduce() (*tensor.Tensor, error) {
	x := e.in[0]
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	list, ok := intsOf(x)
	if !ok || e.o.Type == "ReduceMean" || !isInteger(x.DType()) {
		return nil, ErrUnknownOp
	}
	rank := len(x.Shape())
	reduce := make([]bool, rank)
	if axes := e.arg(1); axes != nil && axes.Len() > 0 {
		given, err := e.ints(1)
		if err != nil {
			return nil, err
		}
		for _, a := range given {
			n, err := axisOf(a, rank)
			if err != nil {
				return nil, err
			}
			reduce[n] = true
		}
	} else if e.o.Int("noop_with_empty_axes", 0) != 0 {
		return x, nil
	} else {
		for i := range reduce {
			reduce[i] = true
		}
	}
	n, err := s.Elements()
	if err != nil || n > e.limit {
		return nil, ErrLimit
	}
	out, seen := make([]int64, n), make([]bool, n)
	strides := denseStrides(x.Shape())
	for i, v := range list {
		at := 0
		for d := range rank {
			if !reduce[d] {
				at = at*x.Shape()[d] + i/strides[d]%x.Shape()[d]
			}
		}
		switch {
		case !seen[at]:
			out[at], seen[at] = v, true
		case e.o.Type == "ReduceSum":
			out[at] += v
		case e.o.Type == "ReduceProd":
			out[at] *= v
		case e.o.Type == "ReduceMax":
			out[at] = max(out[at], v)
		default:
			out[at] = min(out[at], v)
		}
	}
	if len(list) == 0 && e.o.Type != "ReduceSum" {
		return nil, ErrUnknownOp
	}
	return narrow(out, x.DType(), s), nil
}
