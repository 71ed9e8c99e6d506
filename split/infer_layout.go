package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func layoutRules() []opRule {
	return []opRule{
		{"Reshape", 2, 2, 1, inferReshape},
		{"Flatten", 1, 1, 1, inferFlatten},
		{"Transpose", 1, 1, 1, inferTranspose},
		{"Squeeze", 1, 2, 1, inferSqueeze},
		{"Unsqueeze", 2, 2, 1, inferUnsqueeze},
		{"Concat", 1, -1, 1, inferConcat},
		{"Split", 1, 2, -1, inferSplit},
		{"Expand", 2, 2, 1, inferExpand},
		{"Tile", 2, 2, 1, inferTile},
		{"Pad", 2, 4, 1, inferPad},
		{"CenterCropPad", 2, 2, 1, inferCenterCropPad},
		{"DepthToSpace", 1, 1, 1, inferDepthToSpace},
		{"SpaceToDepth", 1, 1, 1, inferSpaceToDepth},
		{"Shape", 1, 1, 1, inferShape},
		{"Size", 1, 1, 1, func(c *opContext) error { c.out(0, tensor.Int64, dims{}); return nil }},
		{"Trilu", 1, 2, 1, inferSameAsInput},
		{"ReverseSequence", 2, 2, 1, inferSameAsInput},
	}
}

// MaxRank is the most dimensions that a tensor may have.
const MaxRank = 64

// dim is the element as a size.
func (e elem) dim() dim {
	switch {
	case e.ok && e.v >= 0 && e.v <= MaxElements:
		return size(int(e.v))
	case e.ok:
		return unknownDim
	}
	return dim{n: tensor.Unknown, p: e.p}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func inferConcat(c *opContext) error {
	dt, err := c.sameDType(0, len(c.o.Inputs))
	if err != nil {
		return err
	}
	var out dims
	for i := range c.o.Inputs {
		x := c.dims(i)
		if x == nil || out != nil && len(x) != len(out) {
			if x != nil {
				return invalid("its inputs are of ranks %d and %d", len(out), len(x))
			}
			continue
		}
		if out == nil {
			out = unknownDims(len(x))
		}
	}
	if out == nil {
		c.out(0, dt, nil)
		return nil
	}
	axis, err := axisOf(c.o.Int("axis", 1), len(out))
	if err != nil {
		return err
	}
	out[axis] = size(0)
	for i := range c.o.Inputs {
		x := c.dims(i)
		if x == nil {
			out[axis] = unknownDim
			continue
		}
		for j := range x {
			if j == axis {
				switch {
				case out[j].known() && x[j].known():
					out[j].n += x[j].n
				case out[j] == size(0):
					out[j] = x[j]
				case x[j] != size(0):
					out[j] = unknownDim
				}
				continue
			}
			d, ok := same(out[j], x[j])
			if !ok {
				return invalid("its inputs differ in dimension %d, which it does not concatenate: %d and %d", j, out[j].n, x[j].n)
			}
			out[j] = d
		}
	}
	c.out(0, dt, out)
	return nil
}

func inferSplit(c *opContext) error {
	x := c.dims(0)
	n := len(c.o.Outputs)
	if x == nil {
		for i := range n {
			c.out(i, c.dtype(0), nil)
		}
		return nil
	}
	axis, err := axisOf(c.o.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	parts := make(dims, n)
	list := c.elems(1)
	switch {
	case list != nil && len(list) != n:
		return invalid("it has %d outputs, but sizes for %d", n, len(list))
	case list != nil:
		for i, e := range list {
			if e.ok && e.v < 0 {
				return invalid("it splits off size %d", e.v)
			}
			parts[i] = e.dim()
		}
		sum := 0
		for _, p := range parts {
			sum += p.n
		}
		if parts.known() && x[axis].known() && sum != x[axis].n {
			return invalid("its sizes add up to %d, but the dimension has %d", sum, x[axis].n)
		}
	case c.has(1) || !x[axis].known():
		parts = unknownDims(n)
	default:
		each := (x[axis].n + n - 1) / max(n, 1)
		left := x[axis].n
		for i := range parts {
			parts[i] = size(min(each, left))
			left -= parts[i].n
		}
	}
	for i := range n {
		out := slices.Clone(x)
		out[axis] = parts[i]
		c.out(i, c.dtype(0), out)
	}
	return nil
}

func inferExpand(c *opContext) error {
	x, to := c.dims(0), c.shapeInput(1)
	if list := c.elems(1); list != nil {
		for _, e := range list {
			if e.ok && e.v < 0 {
				return invalid("it expands to size %d", e.v)
			}
		}
	}
	d, err := broadcast(x, to)
	c.out(0, c.dtype(0), d)
	return err
}

func inferTile(c *opContext) error {
	x, list := c.dims(0), c.elems(1)
	if x == nil || list == nil {
		c.out(0, c.dtype(0), unknownDims(len(x)-boolToInt(x == nil)))
		return nil
	}
	if len(list) != len(x) {
		return invalid("it has %d repeats for an input of rank %d", len(list), len(x))
	}
	out := make(dims, len(x))
	for i, e := range list {
		if e.ok && e.v < 0 {
			return invalid("it repeats %d times", e.v)
		}
		out[i] = unknownDim
		switch {
		case e.ok && e.v == 1:
			out[i] = x[i]
		case e.ok && x[i].known():
			out[i] = dims{size(x[i].n), e.dim()}.product()
		}
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferPad(c *opContext) error {
	x := c.dims(0)
	list := c.elems(1)
	if x == nil || list == nil {
		c.out(0, c.dtype(0), unknownDims(len(x)-boolToInt(x == nil)))
		return nil
	}
	axes := make([]int, len(x))
	for i := range axes {
		axes[i] = i
	}
	if c.has(3) {
		given, ok := c.ints(3)
		if !ok {
			c.out(0, c.dtype(0), unknownDims(len(x)))
			return nil
		}
		axes = axes[:0]
		for _, a := range given {
			n, err := axisOf(a, len(x))
			if err != nil {
				return err
			}
			axes = append(axes, n)
		}
	}
	if len(list) != 2*len(axes) {
		return invalid("it has %d pads for %d dimensions", len(list), len(axes))
	}
	out := slices.Clone(x)
	for i, a := range axes {
		begin, end := list[i], list[i+len(axes)]
		if !begin.ok || !end.ok {
			out[a] = unknownDim
			continue
		}
		if max(abs(begin.v), abs(end.v)) > math.MaxInt32 || out[a].known() && int64(out[a].n)+begin.v+end.v < 0 {
			return invalid("pads %d and %d do not fit dimension %d of %s", begin.v, end.v, a, x.shape())
		}
		out[a] = out[a].add(int(begin.v + end.v))
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferCenterCropPad(c *opContext) error {
	x, to := c.dims(0), c.shapeInput(1)
	axes := c.o.Ints("axes")
	if x == nil || to == nil || axes != nil && len(axes) != len(to) || axes == nil && len(to) != len(x) {
		c.out(0, c.dtype(0), unknownDims(len(x)-boolToInt(x == nil)))
		return nil
	}
	out := slices.Clone(x)
	for i, d := range to {
		a := int64(i)
		if axes != nil {
			a = axes[i]
		}
		n, err := axisOf(a, len(x))
		if err != nil {
			return err
		}
		out[n] = d
	}
	c.out(0, c.dtype(0), out)
	return nil
}

// blockOf is the blocksize attribute, checked.
func (c *opContext) blockOf() (int, error) {
	b := c.o.Int("blocksize", 0)
	if b < 1 || b > math.MaxInt16 {
		return 0, invalid("blocksize %d is out of range", b)
	}
	return int(b), nil
}

func inferDepthToSpace(c *opContext) error {
	x := c.dims(0)
	b, err := c.blockOf()
	if err != nil {
		return err
	}
	if x == nil {
		c.out(0, c.dtype(0), unknownDims(4))
		return nil
	}
	if len(x) != 4 || x[1].known() && x[1].n%(b*b) != 0 {
		return invalid("input %s is not N x C x H x W with C divisible by %d", x.shape(), b*b)
	}
	out := dims{x[0], unknownDim, dims{x[2], size(b)}.product(), dims{x[3], size(b)}.product()}
	if x[1].known() {
		out[1] = size(x[1].n / (b * b))
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferSpaceToDepth(c *opContext) error {
	x := c.dims(0)
	b, err := c.blockOf()
	if err != nil {
		return err
	}
	if x == nil {
		c.out(0, c.dtype(0), unknownDims(4))
		return nil
	}
	if len(x) != 4 || x[2].known() && x[2].n%b != 0 || x[3].known() && x[3].n%b != 0 {
		return invalid("input %s is not N x C x H x W with H and W divisible by %d", x.shape(), b)
	}
	out := dims{x[0], dims{x[1], size(b * b)}.product(), unknownDim, unknownDim}
	for i := 2; i < 4; i++ {
		if x[i].known() {
			out[i] = size(x[i].n / b)
		}
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferShape(c *opContext) error {
	out := dims{unknownDim}
	if x := c.dims(0); x != nil {
		out[0] = size(shapeCount(c.o, len(x)))
	}
	c.out(0, tensor.Int64, out)
	return nil
}
