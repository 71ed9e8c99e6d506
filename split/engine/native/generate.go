package native

import (
	"math"
	"sort"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalConstant hands over the value that one of its attributes holds.
func evalConstant(c *call) error {
	for name, a := range c.op.Attrs {
		switch v := a.(type) {
		case *tensor.Tensor:
			c.set(0, v)
		case float32:
			c.set(0, tensor.Of(tensor.Float32, nil, v))
		case []float32:
			c.set(0, tensor.Of(tensor.Float32, tensor.Shape{len(v)}, v...))
		case int64:
			c.set(0, tensor.Of(tensor.Int64, nil, v))
		case []int64:
			c.set(0, tensor.Of(tensor.Int64, tensor.Shape{len(v)}, v...))
		case string:
			t, err := tensor.FromStrings(nil, []string{v})
			if err != nil {
				return c.errorf("%w", err)
			}
			c.set(0, t)
		case []string:
			t, err := tensor.FromStrings(tensor.Shape{len(v)}, v)
			if err != nil {
				return c.errorf("%w", err)
			}
			c.set(0, t)
		default:
			return c.unsupported("attribute %s", name)
		}
		return nil
	}
	return c.errorf("has no value")
}

func evalConstantOfShape(c *call) error {
	s, err := c.ints(0)
	if err != nil {
		return err
	}
	v := attr(c.op, "value", tensor.Of(tensor.Float32, nil, float32(0)))
	if v.Len() != 1 {
		return c.errorf("value must hold one element, not %s", v)
	}
	out, err := c.output(0, v.DType(), s)
	if err != nil {
		return err
	}
	return c.moves(out, func(m mover) { m.fill(out, v, 0) })
}

func evalRange(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	var v [3]float64
	for i := range v {
		if v[i], err = c.floatOr(i, 0); err != nil {
			return err
		}
	}
	if v[2] == 0 {
		return c.errorf("step is 0")
	}
	n := math.Ceil((v[1] - v[0]) / v[2])
	if n != n || n > maxTensorBytes {
		return c.errorf("range from %g to %g by %g is too long", v[0], v[1], v[2])
	}
	out, err := c.output(0, a.DType(), tensor.Shape{max(0, int(n))})
	if err != nil {
		return err
	}
	f := make([]float64, out.Len())
	for i := range f {
		f[i] = v[0] + float64(i)*v[2]
	}
	setFloats(out, f)
	return nil
}

func evalEyeLike(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	if len(t.Shape()) != 2 {
		return c.errorf("needs a matrix, not %v", t.Shape())
	}
	out, err := c.output(0, tensor.DType(c.attrInt("dtype", int(t.DType()))), t.Shape())
	if err != nil {
		return err
	}
	v := make([]float64, out.Len())
	k := c.attrInt("k", 0)
	for i := range t.Shape()[0] {
		if j := i + k; j >= 0 && j < t.Shape()[1] {
			v[i*t.Shape()[1]+j] = 1
		}
	}
	setFloats(out, v)
	return nil
}

func evalOneHot(c *call) error {
	it, err := c.tensor(0)
	if err != nil {
		return err
	}
	depth, err := c.floatOr(1, 0)
	if err != nil {
		return err
	}
	values, err := c.tensor(2)
	if err != nil {
		return err
	}
	n := int(depth)
	if n < 1 || values.Len() != 2 {
		return c.errorf("depth %d and values %v are not valid", n, values)
	}
	axis, err := c.axis(c.attrInt("axis", -1), len(it.Shape())+1)
	if err != nil {
		return err
	}
	s := append(append(it.Shape()[:axis].Clone(), n), it.Shape()[axis:]...)
	out, err := c.output(0, values.DType(), s)
	if err != nil {
		return err
	}
	outer, _, inner := blocks(s, axis)
	idx := floats(it)
	return c.moves(out, func(m mover) {
		m.fill(out, values, 0)
		for o := range outer {
			for i := range inner {
				j := int(idx[o*inner+i])
				if j < 0 {
					j += n
				}
				if j >= 0 && j < n {
					m.move(out, (o*n+j)*inner+i, values, 1, 1)
				}
			}
		}
	})
}

func evalNonZero(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	var at []int
	for i, v := range floats(t) {
		if v != 0 {
			at = append(at, i)
		}
	}
	st := strides(t.Shape())
	out, err := c.output(0, tensor.Int64, tensor.Shape{len(st), len(at)})
	if err != nil {
		return err
	}
	d := tensor.Data[int64](out)
	for k, i := range at {
		for a, s := range st {
			d[a*len(at)+k] = int64(i / s)
			i %= s
		}
	}
	return nil
}

func evalTrilu(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	k, err := c.intOr(1, 0)
	if err != nil {
		return err
	}
	rank := len(t.Shape())
	if rank < 2 {
		return c.errorf("needs a matrix, not %v", t.Shape())
	}
	out, err := c.output(0, t.DType(), t.Shape())
	if err != nil {
		return err
	}
	upper := c.attrInt("upper", 1) == 1
	rows, cols := t.Shape()[rank-2], t.Shape()[rank-1]
	clear(out.Bytes())
	if t.Len() == 0 {
		return nil
	}
	return c.moves(out, func(m mover) {
		for r := range t.Len() / cols {
			i := r % rows
			lo, hi := 0, min(max(i+k+1, 0), cols)
			if upper {
				lo, hi = min(max(i+k, 0), cols), cols
			}
			m.move(out, r*cols+lo, t, r*cols+lo, hi-lo)
		}
	})
}

// evalUnique sorts, or keeps the order of first appearance; along an axis it compares whole slices.
func evalUnique(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	s, axis := tensor.Shape{t.Len()}, 0
	if _, ok := c.op.Attrs["axis"]; ok {
		s = t.Shape()
		if axis, err = c.axis(c.attrInt("axis", 0), len(s)); err != nil {
			return err
		}
	}
	if t.DType() == tensor.String {
		return c.unsupported("strings")
	}
	outer, n, inner := blocks(s, axis)
	v := floats(t)
	at := func(i, k int) float64 { return v[(k/inner*n+i)*inner+k%inner] }
	compare := func(a, b int) int {
		for k := range outer * inner {
			if x, y := at(a, k), at(b, k); x < y {
				return -1
			} else if x > y {
				return 1
			}
		}
		return 0
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return compare(order[i], order[j]) < 0 })
	var first, counts []int
	group := make([]int, n)
	for k, i := range order {
		if k == 0 || compare(order[k-1], i) != 0 {
			first, counts = append(first, i), append(counts, 0)
		}
		group[i] = len(first) - 1
		counts[len(first)-1]++
	}
	rank := make([]int, len(first)) // group -> position in the output
	place := make([]int, len(first))
	for g := range place {
		place[g] = g
	}
	if c.attrInt("sorted", 1) == 0 {
		sort.Slice(place, func(i, j int) bool { return first[place[i]] < first[place[j]] })
	}
	for p, g := range place {
		rank[g] = p
	}
	os := s.Clone()
	os[axis] = len(first)
	out, err := c.output(0, t.DType(), os)
	if err != nil {
		return err
	}
	var offsets []int
	for o := range outer {
		for _, g := range place {
			offsets = append(offsets, (o*n+first[g])*inner)
		}
	}
	if err := c.gatherRows(out, t, offsets, inner); err != nil {
		return err
	}
	index := func(i, n int, f func(k int) int) error {
		o, err := c.output(i, tensor.Int64, tensor.Shape{n})
		if err != nil {
			return err
		}
		for k := range n {
			tensor.Data[int64](o)[k] = int64(f(k))
		}
		return nil
	}
	if err := index(1, len(first), func(k int) int { return first[place[k]] }); err != nil {
		return err
	}
	if err := index(2, n, func(k int) int { return rank[group[k]] }); err != nil {
		return err
	}
	return index(3, len(first), func(k int) int { return counts[place[k]] })
}

func evalTopK(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	k, err := c.intOr(1, c.attrInt("k", 1))
	if err != nil {
		return err
	}
	axis, err := c.axis(c.attrInt("axis", -1), len(t.Shape()))
	if err != nil {
		return err
	}
	outer, n, inner := blocks(t.Shape(), axis)
	if k < 0 || k > n {
		return c.errorf("k is %d for %d elements", k, n)
	}
	s := t.Shape().Clone()
	s[axis] = k
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	idx, err := c.output(1, tensor.Int64, s)
	if err != nil {
		return err
	}
	largest := c.attrInt("largest", 1) == 1
	v := floats(t)
	d := tensor.Data[int64](idx)
	order := make([]int, n)
	return c.moves(out, func(m mover) {
		for o := range outer {
			for i := range inner {
				for j := range order {
					order[j] = (o*n+j)*inner + i
				}
				sort.SliceStable(order, func(a, b int) bool {
					x, y := v[order[a]], v[order[b]]
					if largest {
						return x > y
					}
					return x < y
				})
				for j, from := range order[:k] {
					at := (o*k+j)*inner + i
					m.move(out, at, t, from, 1)
					d[at] = int64(from / inner % n)
				}
			}
		}
	})
}

func evalCumSum(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	a, err := c.intOr(1, 0)
	if err != nil {
		return err
	}
	axis, err := c.axis(a, len(t.Shape()))
	if err != nil {
		return err
	}
	out, err := c.output(0, t.DType(), t.Shape())
	if err != nil {
		return err
	}
	outer, n, inner := blocks(t.Shape(), axis)
	v := floats(t)
	exclusive, reverse := c.attrInt("exclusive", 0) == 1, c.attrInt("reverse", 0) == 1
	for o := range outer {
		for i := range inner {
			sum := 0.0
			for j := range n {
				if reverse {
					j = n - 1 - j
				}
				at := (o*n+j)*inner + i
				x := v[at]
				if exclusive {
					v[at] = sum
				} else {
					v[at] = sum + x
				}
				sum += x
			}
		}
	}
	setFloats(out, v)
	return nil
}
