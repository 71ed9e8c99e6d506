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

// shapeInput is the shape that input i holds; its rank follows from the input's length.
func (c *opContext) shapeInput(i int) dims {
	if list := c.elems(i); list != nil {
		out := make(dims, len(list))
		for j, e := range list {
			out[j] = e.dim()
		}
		return out
	}
	if d := c.dims(i); len(d) == 1 && d[0].known() && d[0].n <= maxRank {
		return unknownDims(d[0].n)
	}
	return nil
}

// maxRank is the most dimensions that a computed shape may have.
const maxRank = 64

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

func inferReshape(c *opContext) error {
	x := c.dims(0)
	list := c.elems(1)
	if list == nil || len(list) > maxRank {
		c.out(0, c.dtype(0), c.shapeInput(1))
		return nil
	}
	out := make(dims, len(list))
	infer := -1
	for i, e := range list {
		switch {
		case e.ok && e.v == -1:
			if infer >= 0 {
				return invalid("its shape has more than one -1")
			}
			infer = i
			out[i] = unknownDim
		case e.ok && e.v == 0 && c.o.Int("allowzero", 0) == 0:
			if x != nil && i >= len(x) {
				return invalid("its shape copies dimension %d, but input %s has fewer", i, x.shape())
			}
			out[i] = unknownDim
			if x != nil {
				out[i] = x[i]
			}
		case e.ok && e.v < 0:
			return invalid("its shape has size %d", e.v)
		default:
			out[i] = e.dim()
		}
	}
	if infer >= 0 && x != nil {
		out[infer] = inferredSize(x, out, infer)
		if rest := withoutDim(out, infer).product(); x.known() && rest.known() && rest.n > 0 && x.product().known() && x.product().n%rest.n != 0 {
			return invalid("input %s does not divide into shape %s", x.shape(), out.shape())
		}
	}
	if infer < 0 && x.known() && out.known() && x.product() != out.product() {
		return invalid("input %s has %d elements, its new shape %s has %d", x.shape(), x.product().n, out.shape(), out.product().n)
	}
	if infer < 0 && x.known() {
		out = fillLast(x, out)
	}
	c.out(0, c.dtype(0), out)
	return nil
}

// fillLast computes the one size of out that is not known from the number of elements of x.
func fillLast(x, out dims) dims {
	unknown := -1
	for i, d := range out {
		if !d.known() {
			if unknown >= 0 {
				return out
			}
			unknown = i
		}
	}
	if unknown >= 0 {
		out[unknown] = inferredSize(x, out, unknown)
	}
	return out
}

// inferredSize is the size at position i of out that keeps x's number of elements. Symbolic sizes that both have cancel.
func inferredSize(x, out dims, i int) dim {
	from, to := slices.Clone(x), withoutDim(out, i)
	for j := 0; j < len(to); j++ {
		if to[j].known() || to[j].p == "" {
			continue
		}
		if k := slices.Index(from, to[j]); k >= 0 {
			from, to = slices.Delete(from, k, k+1), slices.Delete(to, j, j+1)
			j--
		}
	}
	n, rest := from.product(), to.product()
	switch {
	case n.known() && rest.known() && rest.n > 0:
		return size(n.n / rest.n)
	case rest.known() && rest.n == 1:
		return n
	case n.known() && n.n == 0 && rest.known():
		return size(0)
	}
	// What is left over may be one symbol and known factors that cancel.
	if j := slices.IndexFunc(from, func(d dim) bool { return !d.known() }); j >= 0 && rest.known() && rest.n > 0 {
		if others := withoutDim(from, j).product(); others == rest {
			return from[j]
		}
	}
	return unknownDim
}

func withoutDim(d dims, i int) dims { return append(append(dims{}, d[:i]...), d[i+1:]...) }

func inferFlatten(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), unknownDims(2))
		return nil
	}
	axis := c.o.Int("axis", 1)
	if axis < 0 {
		axis += int64(len(x))
	}
	if axis < 0 || axis > int64(len(x)) {
		return invalid("axis %d is out of range for rank %d", axis, len(x))
	}
	c.out(0, c.dtype(0), dims{x[:axis].product(), x[axis:].product()})
	return nil
}

func inferTranspose(c *opContext) error {
	x := c.dims(0)
	perm := c.o.Ints("perm")
	if x == nil {
		c.out(0, c.dtype(0), unknownDims(len(perm)-boolToInt(perm == nil)))
		return nil
	}
	perm, err := permutation(perm, len(x))
	if err != nil {
		return err
	}
	out := make(dims, len(x))
	for i, p := range perm {
		out[i] = x[p]
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// permutation checks a Transpose's perm; nil reverses.
func permutation(perm []int64, rank int) ([]int64, error) {
	if perm == nil {
		perm = make([]int64, rank)
		for i := range perm {
			perm[i] = int64(rank - 1 - i)
		}
		return perm, nil
	}
	seen := make([]bool, rank)
	for _, p := range perm {
		if len(perm) != rank || p < 0 || p >= int64(rank) || seen[p] {
			return nil, invalid("perm %v is no permutation of %d dimensions", perm, rank)
		}
		seen[p] = true
	}
	if len(perm) != rank {
		return nil, invalid("perm %v is no permutation of %d dimensions", perm, rank)
	}
	return perm, nil
}

// axesInput is the axes that input i names, normalised for rank and ascending; ok is false when they are not known.
func (c *opContext) axesInput(i, rank int) (axes []int, ok bool, err error) {
	list, known := c.ints(i)
	if !known {
		return nil, false, nil
	}
	for _, a := range list {
		n, err := axisOf(a, rank)
		if err != nil {
			return nil, true, err
		}
		if slices.Contains(axes, n) {
			return nil, true, invalid("axis %d occurs twice", a)
		}
		axes = append(axes, n)
	}
	slices.Sort(axes)
	return axes, true, nil
}

func inferSqueeze(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	out := dims{}
	if !c.has(1) {
		for _, d := range x {
			if !d.known() {
				c.out(0, c.dtype(0), nil)
				return nil
			}
			if d.n != 1 {
				out = append(out, d)
			}
		}
		c.out(0, c.dtype(0), out)
		return nil
	}
	axes, ok, err := c.axesInput(1, len(x))
	if err != nil {
		return err
	}
	if !ok {
		if n := c.dims(1); len(n) == 1 && n[0].known() && n[0].n <= len(x) {
			c.out(0, c.dtype(0), unknownDims(len(x)-n[0].n))
			return nil
		}
		c.out(0, c.dtype(0), nil)
		return nil
	}
	for i, d := range x {
		if !slices.Contains(axes, i) {
			out = append(out, d)
		} else if d.known() && d.n != 1 {
			return invalid("it squeezes dimension %d of %s, which is not 1", i, x.shape())
		}
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferUnsqueeze(c *opContext) error {
	x := c.dims(0)
	n := c.dims(1)
	if x == nil || len(n) > 1 || len(n) == 1 && !n[0].known() {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	rank := len(x) + int(min(n.product().n, maxRank))
	axes, ok, err := c.axesInput(1, rank)
	if err != nil || !ok {
		c.out(0, c.dtype(0), unknownDims(rank))
		return err
	}
	out := make(dims, 0, rank)
	from := x
	for i := range rank {
		if slices.Contains(axes, i) {
			out = append(out, size(1))
		} else {
			out, from = append(out, from[0]), from[1:]
		}
	}
	c.out(0, c.dtype(0), out)
	return nil
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
