package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func selectionRules() []opRule {
	return []opRule{
		{"Slice", 3, 5, 1, inferSlice},
		{"Gather", 2, 2, 1, inferGather},
		{"GatherElements", 2, 2, 1, inferGatherElements},
		{"GatherND", 2, 2, 1, inferGatherND},
		{"ScatterElements ScatterND", 3, 3, 1, inferScatter},
		{"TensorScatter", 2, 3, 1, inferSameAsInput},
		{"Compress", 2, 2, 1, inferCompress},
		{"NonZero", 1, 1, 1, inferNonZero},
		{"Unique", 1, 1, 4, inferUnique},
		{"OneHot", 3, 3, 1, inferOneHot},
		{"TopK", 2, 2, 2, inferTopK},
		{"NonMaxSuppression", 2, 5, 1, func(c *opContext) error {
			c.out(0, tensor.Int64, dims{unknownDim, size(3)})
			return nil
		}},
	}
}

func inferSlice(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	starts, ends := c.elems(1), c.elems(2)
	count := -1
	for i := 1; i < len(c.o.Inputs); i++ {
		d := c.dims(i)
		if d == nil || !c.has(i) {
			continue
		}
		if len(d) != 1 {
			return invalid("its input %d is of rank %d, not 1", i, len(d))
		}
		if d[0].known() {
			if count >= 0 && count != d[0].n {
				return invalid("its inputs name %d and %d dimensions", count, d[0].n)
			}
			count = d[0].n
		}
	}
	out := slices.Clone(x)
	var axes []int
	switch {
	case c.has(3):
		list, ok := c.ints(3)
		if !ok {
			c.out(0, c.dtype(0), unknownDims(len(x)))
			return nil
		}
		for _, a := range list {
			n, err := axisOf(a, len(x))
			if err != nil {
				return err
			}
			axes = append(axes, n)
		}
	case count >= 0:
		if count > len(x) {
			return invalid("it slices %d dimensions of %s", count, x.shape())
		}
		for i := range count {
			axes = append(axes, i)
		}
	default:
		c.out(0, c.dtype(0), unknownDims(len(x)))
		return nil
	}
	steps := c.elems(4)
	for i, a := range axes {
		step := elem{v: 1, ok: true}
		if c.has(4) {
			step = at(steps, i)
		}
		if step.ok && step.v == 0 {
			return invalid("its step is 0")
		}
		out[a] = sliced(x[a], at(starts, i), at(ends, i), step)
	}
	c.out(0, c.dtype(0), out)
	return nil
}

// at is element i; unknown when there is none.
func at(list []elem, i int) elem {
	if i < len(list) {
		return list[i]
	}
	return elem{}
}

// sliced is the size of x[start:end:step].
func sliced(x dim, start, end, step elem) dim {
	if !start.ok || !step.ok {
		return unknownDim
	}
	if x.known() && end.ok {
		return size(sliceCount(x.n, start.v, end.v, step.v))
	}
	// A prefix that is named by the dimension's own symbol, or the whole of an unknown dimension, is that dimension.
	if start.v == 0 && step.v == 1 && x.p != "" && (end.ok && end.v >= math.MaxInt32 || !end.ok && end.p == x.p) {
		return x
	}
	return unknownDim
}

// sliceBounds clamps a Slice's range over n elements as ONNX says.
func sliceBounds(n int, start, end, step int64) (from, to int64) {
	size := int64(n)
	if start < 0 {
		start = max(start, math.MinInt64+size) + size
	}
	if end < 0 {
		end = max(end, math.MinInt64+size) + size
	}
	if step > 0 {
		return min(max(start, 0), size), min(max(end, 0), size)
	}
	return min(max(start, 0), size-1), min(max(end, -1), size-1)
}

// sliceCount is how many elements a range takes of n.
func sliceCount(n int, start, end, step int64) int {
	from, to := sliceBounds(n, start, end, step)
	if n == 0 {
		return 0
	}
	switch {
	case step > 0 && to > from:
		return int((to-from-1)/step) + 1
	case step < 0 && from > to:
		if step == math.MinInt64 {
			return 1
		}
		return int((from-to-1)/-step) + 1
	}
	return 0
}

func inferGather(c *opContext) error {
	x, index := c.dims(0), c.dims(1)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	axis, err := axisOf(c.o.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	if index == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if list, ok := c.ints(1); ok && x[axis].known() {
		for _, i := range list {
			if i < -int64(x[axis].n) || i >= int64(x[axis].n) {
				return invalid("index %d is out of range for dimension %d of %s", i, axis, x.shape())
			}
		}
	}
	out := append(append(append(dims{}, x[:axis]...), index...), x[axis+1:]...)
	c.out(0, c.dtype(0), out)
	return nil
}

func inferGatherElements(c *opContext) error {
	if x, index := c.dims(0), c.dims(1); x != nil && index != nil && len(x) != len(index) {
		return invalid("input %s and indices %s are of different ranks", x.shape(), index.shape())
	}
	c.out(0, c.dtype(0), c.dims(1))
	return nil
}

func inferGatherND(c *opContext) error {
	x, index := c.dims(0), c.dims(1)
	batch := c.o.Int("batch_dims", 0)
	if x == nil || index == nil || len(index) == 0 || !index[len(index)-1].known() {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	depth := index[len(index)-1].n
	if batch < 0 || int(batch)+depth > len(x) || int(batch) >= len(index) {
		return invalid("indices %s reach deeper than input %s with batch_dims %d", index.shape(), x.shape(), batch)
	}
	out := append(append(dims{}, index[:len(index)-1]...), x[int(batch)+depth:]...)
	c.out(0, c.dtype(0), out)
	return nil
}

func inferScatter(c *opContext) error {
	if a, b := c.dtype(0), c.dtype(2); a != b && a != tensor.Invalid && b != tensor.Invalid {
		return invalid("its data is %s, its updates are %s", a, b)
	}
	return inferSameAsInput(c)
}

func inferCompress(c *opContext) error {
	x := c.dims(0)
	if _, has := c.o.Attrs["axis"]; !has || x == nil {
		rank := 1
		if has {
			rank = -1
		}
		c.out(0, c.dtype(0), unknownDims(rank))
		return nil
	}
	axis, err := axisOf(c.o.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	out := slices.Clone(x)
	out[axis] = unknownDim
	c.out(0, c.dtype(0), out)
	return nil
}

func inferNonZero(c *opContext) error {
	out := unknownDims(2)
	if x := c.dims(0); x != nil {
		out[0] = size(len(x))
	}
	c.out(0, tensor.Int64, out)
	return nil
}

func inferUnique(c *opContext) error {
	x := c.dims(0)
	y := unknownDims(1)
	if _, has := c.o.Attrs["axis"]; has {
		y = nil
		if x != nil {
			axis, err := axisOf(c.o.Int("axis", 0), len(x))
			if err != nil {
				return err
			}
			y = slices.Clone(x)
			y[axis] = unknownDim
		}
	}
	c.out(0, c.dtype(0), y)
	for i := 1; i < 4; i++ {
		c.out(i, tensor.Int64, unknownDims(1))
	}
	return nil
}

func inferOneHot(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(2), nil)
		return nil
	}
	axis, err := axisOf(c.o.Int("axis", -1), len(x)+1)
	if err != nil {
		return err
	}
	depth := unknownDim
	if list := c.elems(1); len(list) == 1 {
		if list[0].ok && list[0].v < 0 {
			return invalid("its depth is %d", list[0].v)
		}
		depth = list[0].dim()
	}
	c.out(0, c.dtype(2), slices.Insert(slices.Clone(x), axis, depth))
	return nil
}

func inferTopK(c *opContext) error {
	x := c.dims(0)
	out := x
	if x != nil {
		axis, err := axisOf(c.o.Int("axis", -1), len(x))
		if err != nil {
			return err
		}
		k := unknownDim
		if list := c.elems(1); len(list) == 1 {
			k = list[0].dim()
			if list[0].ok && (list[0].v < 0 || x[axis].known() && list[0].v > int64(x[axis].n)) {
				return invalid("it takes %d of dimension %d of %s", list[0].v, axis, x.shape())
			}
		}
		out = slices.Clone(x)
		out[axis] = k
	}
	c.out(0, c.dtype(0), out)
	c.out(1, tensor.Int64, out)
	return nil
}
