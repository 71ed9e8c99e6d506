package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

func evalConcat(c *call) error {
	ts, err := c.tensors()
	if err != nil {
		return err
	}
	def := 1 // opset 3 and before
	return c.concat(ts, c.attrInt("axis", def))
}

func (c *call) concat(ts []*tensor.Tensor, axis int) error {
	first := ts[0]
	axis, err := c.axis(axis, len(first.Shape()))
	if err != nil {
		return err
	}
	s := first.Shape().Clone()
	for _, t := range ts[1:] {
		if t.DType() != first.DType() || len(t.Shape()) != len(s) {
			return c.errorf("%s and %s cannot be joined", first, t)
		}
		for i, d := range t.Shape() {
			if i == axis {
				s[i] += d
			} else if d != s[i] {
				return c.errorf("%s and %s cannot be joined along axis %d", first, t, axis)
			}
		}
	}
	out, err := c.output(0, first.DType(), s)
	if err != nil {
		return err
	}
	outer, _, inner := blocks(s, axis)
	return c.moves(out, func(m mover) {
		o := 0
		for k := range outer {
			for _, t := range ts {
				n := t.Shape()[axis] * inner
				if n > 0 {
					m.move(out, o, t, k*n, n)
				}
				o += n
			}
		}
	})
}

// splitSizes are the axis of a Split and the sizes of its parts: those given, or equal ones with a smaller last one.
func (c *call) splitSizes(s tensor.Shape) (axis int, sizes []int, err error) {
	if axis, err = c.axis(c.attrInt("axis", 0), len(s)); err != nil {
		return 0, nil, err
	}
	n := s[axis]
	if sizes, err = c.intsOr(1, c.attrInts("split")); err != nil {
		return 0, nil, err
	}
	if sizes == nil {
		parts := c.attrInt("num_outputs", len(c.op.Outputs))
		if parts < 1 || parts > len(c.op.Outputs) {
			return 0, nil, c.errorf("num_outputs is %d for %d outputs", parts, len(c.op.Outputs))
		}
		each := (n + parts - 1) / parts
		for i := range parts {
			sizes = append(sizes, min(each, max(n-i*each, 0)))
		}
	}
	if len(sizes) != len(c.op.Outputs) {
		return 0, nil, c.errorf("%d sizes for %d outputs", len(sizes), len(c.op.Outputs))
	}
	sum := 0
	for _, d := range sizes {
		if d < 0 {
			return 0, nil, c.errorf("size %d is negative", d)
		}
		sum += d
	}
	if sum != n {
		return 0, nil, c.errorf("sizes %v do not add up to %d", sizes, n)
	}
	return axis, sizes, nil
}

func evalSplit(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	axis, sizes, err := c.splitSizes(t.Shape())
	if err != nil {
		return err
	}
	at := 0
	for i, d := range sizes {
		s := t.Shape().Clone()
		s[axis] = d
		out, err := c.output(i, t.DType(), s)
		if err != nil {
			return err
		}
		if err := c.strided(out, t, s, at*strides(t.Shape())[axis], strides(t.Shape())); err != nil {
			return err
		}
		at += d
	}
	return nil
}

// sliceRange is what a Slice takes of a tensor of shape s: the result's shape, and per dimension the first index and step.
func (c *call) sliceRange(s tensor.Shape) (shape tensor.Shape, from, step []int, err error) {
	starts, err := c.ints(1)
	if err != nil {
		return nil, nil, nil, err
	}
	ends, err := c.ints(2)
	if err != nil {
		return nil, nil, nil, err
	}
	axes, err := c.intsOr(3, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	steps, err := c.intsOr(4, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, nil, nil, c.errorf("starts, ends, axes and steps differ in length")
	}
	if axes, err = c.axes(axes, len(s)); err != nil {
		return nil, nil, nil, err
	}
	shape, from, step = s.Clone(), make([]int, len(s)), make([]int, len(s))
	for i := range step {
		step[i] = 1
	}
	for i, a := range axes {
		n, by := s[a], 1
		if steps != nil {
			by = steps[i]
		}
		if by == 0 {
			return nil, nil, nil, c.errorf("step is 0")
		}
		lo, hi := starts[i], ends[i]
		if lo < 0 {
			lo += n
		}
		if hi < 0 {
			hi += n
		}
		if by > 0 {
			lo, hi = min(max(lo, 0), n), min(max(hi, 0), n)
			shape[a] = max(0, (hi-lo+by-1)/by)
		} else {
			by = max(by, -n-1)
			lo, hi = min(max(lo, 0), n-1), min(max(hi, -1), n-1)
			shape[a] = max(0, (lo-hi-by-1)/-by)
		}
		from[a], step[a] = lo, by
	}
	return shape, from, step, nil
}

func evalSlice(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	s, from, step, err := c.sliceRange(t.Shape())
	if err != nil {
		return err
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil || out.Len() == 0 {
		return err
	}
	st, start := strides(t.Shape()), 0
	for d := range st {
		start += from[d] * st[d]
		st[d] *= step[d]
	}
	return c.strided(out, t, s, start, st)
}
