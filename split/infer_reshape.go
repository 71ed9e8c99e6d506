package split

import "slices"

// shapeInput is the shape that input i holds; its rank follows from the input's length.
func (c *opContext) shapeInput(i int) dims {
	if list := c.elems(i); list != nil {
		out := make(dims, len(list))
		for j, e := range list {
			out[j] = e.dim()
		}
		return out
	}
	if d := c.dims(i); len(d) == 1 && d[0].known() && d[0].n <= MaxRank {
		return unknownDims(d[0].n)
	}
	return nil
}

func inferReshape(c *opContext) error {
	x := c.dims(0)
	list := c.elems(1)
	if list == nil || len(list) > MaxRank {
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
	rank := len(x) + int(min(n.product().n, MaxRank))
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
