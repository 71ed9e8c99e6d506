package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalPad pads, or with negative pads crops, in one of four modes.
func evalPad(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	before, s, err := c.padding(t.Shape())
	if err != nil {
		return err
	}
	value := c.maybe(2)
	if value == nil || value.Len() == 0 {
		if value, err = c.scratch(t.DType(), tensor.Shape{1}); err != nil {
			return err
		}
	}
	if value.DType() != t.DType() {
		return c.errorf("value %s does not fit %s", value, t)
	}
	src, err := c.padSources(before, t.Shape(), s)
	if err != nil {
		return err
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	st, idx := strides(t.Shape()), make([]int, len(s))
	return c.moves(out, func(m mover) {
		for o := 0; o < out.Len(); {
			unravel(o, s, idx)
			at, n := 0, 1
			for d, i := range idx {
				if src[d][i] < 0 {
					at = -1
					break
				}
				at += src[d][i] * st[d]
			}
			if at < 0 {
				m.move(out, o, value, 0, 1)
			} else {
				if last := len(idx) - 1; last >= 0 {
					n = ascending(src[last][idx[last]:])
				}
				m.move(out, o, t, at, n)
			}
			o += n
		}
	})
}

// ascending is how many of the first elements are each one more than the one before.
func ascending(x []int) int {
	n := 1
	for n < len(x) && x[n] == x[n-1]+1 {
		n++
	}
	return n
}

// padding is what a Pad puts before each dimension of a tensor of shape s (a negative number crops), and the shape that it makes.
func (c *call) padding(s tensor.Shape) (before []int, out tensor.Shape, err error) {
	rank := len(s)
	pads, err := c.ints(1)
	if err != nil {
		return nil, nil, err
	}
	axes, err := c.intsOr(3, nil)
	if err != nil {
		return nil, nil, err
	}
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if axes, err = c.axes(axes, rank); err != nil {
		return nil, nil, err
	}
	if len(pads) != 2*len(axes) {
		return nil, nil, c.errorf("%d pads for %d axes", len(pads), len(axes))
	}
	before, out = make([]int, rank), s.Clone()
	for i, a := range axes {
		before[a] = pads[i]
		out[a] += pads[i] + pads[i+len(axes)]
		if out[a] < 0 {
			return nil, nil, c.errorf("pads %v crop %v to nothing", pads, s)
		}
	}
	return before, out, nil
}

// padSources are, for each dimension, the index into shape in that each index of shape out shows, or -1 for the constant.
func (c *call) padSources(before []int, in, out tensor.Shape) ([][]int, error) {
	mode := c.attrString("mode", "constant")
	src := make([][]int, len(out))
	for d, n := range out {
		src[d] = make([]int, n)
		for i := range src[d] {
			var err error
			if src[d][i], err = c.padSource(mode, i-before[d], in[d]); err != nil {
				return nil, err
			}
		}
	}
	return src, nil
}

// padSource is the index below n that index i, which may lie outside, shows in a mode; -1 for the constant.
func (c *call) padSource(mode string, i, n int) (int, error) {
	if i >= 0 && i < n {
		return i, nil
	}
	if mode != "constant" && n == 0 {
		return 0, c.errorf("mode %s needs elements to repeat", mode)
	}
	switch mode {
	case "constant":
		return -1, nil
	case "edge":
		return min(max(i, 0), n-1), nil
	case "wrap":
		return (i%n + n) % n, nil
	case "reflect":
		return reflectIndex(i, n), nil
	}
	return 0, c.errorf("mode %q is unknown", mode)
}

// reflectIndex mirrors i into [0, n) at the first and last element.
func reflectIndex(i, n int) int {
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	i = (i%period + period) % period
	return min(i, period-i)
}

// evalCenterCropPad crops or pads with zeros around the centre.
func evalCenterCropPad(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	want, err := c.ints(1)
	if err != nil {
		return err
	}
	rank := len(t.Shape())
	axes := c.attrInts("axes")
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if axes, err = c.axes(axes, rank); err != nil {
		return err
	}
	if len(want) != len(axes) {
		return c.errorf("shape %v does not fit axes %v", want, axes)
	}
	s, from, to := t.Shape().Clone(), make([]int, rank), make([]int, rank)
	part := t.Shape().Clone()
	for i, a := range axes {
		n := t.Shape()[a]
		if want[i] < 0 {
			return c.errorf("shape %v is negative", want)
		}
		s[a], part[a] = want[i], min(n, want[i])
		from[a], to[a] = max(0, (n-want[i])/2), max(0, (want[i]-n)/2)
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	clear(out.Bytes())
	clear(out.Strings())
	src, dst := strides(t.Shape()), strides(s)
	i, o := 0, 0
	for a := range rank {
		i, o = i+from[a]*src[a], o+to[a]*dst[a]
	}
	return c.moves(out, func(m mover) {
		walk(part, [][]int{src, dst}, func(n int, at []int) { m.move(out, o+at[1], t, i+at[0], n) })
	})
}
