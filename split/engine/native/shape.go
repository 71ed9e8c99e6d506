package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

func evalIdentity(c *call) error {
	if !c.has(0) {
		return c.errorf("input 0 is missing")
	}
	c.set(0, c.in[0])
	return nil
}

// evalReshape handles 0 (keep the size, unless allowzero) and -1 (whatever is left).
func evalReshape(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	want := c.attrInts("shape")
	if c.has(1) {
		if want, err = c.ints(1); err != nil {
			return err
		}
	}
	s := make(tensor.Shape, len(want))
	rest, known := -1, 1
	for i, d := range want {
		switch {
		case d == 0 && c.attrInt("allowzero", 0) == 0:
			if i >= len(t.Shape()) {
				return c.errorf("shape %v keeps dimension %d, which %v lacks", want, i, t.Shape())
			}
			d = t.Shape()[i]
		case d == -1 && rest < 0:
			rest = i
			continue
		case d < 0:
			return c.errorf("shape %v is not valid", want)
		}
		s[i] = d
		known *= d
	}
	if rest >= 0 {
		if known == 0 || t.Len()%known != 0 {
			return c.errorf("%v cannot be reshaped to %v", t.Shape(), want)
		}
		s[rest] = t.Len() / known
	}
	return c.reshaped(0, t, s)
}

func evalFlatten(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	a := c.attrInt("axis", 1)
	if a < 0 {
		a += len(t.Shape())
	}
	if a < 0 || a > len(t.Shape()) {
		return c.errorf("axis %d is outside of rank %d", a, len(t.Shape()))
	}
	s := tensor.Shape{1, 1}
	for i, d := range t.Shape() {
		if i < a {
			s[0] *= d
		} else {
			s[1] *= d
		}
	}
	return c.reshaped(0, t, s)
}

// axesInput are the axes of an op that took them as an attribute before opset 13 and takes them as an input since.
func (c *call) axesInput(i int) ([]int, error) { return c.intsOr(i, c.attrInts("axes")) }

func evalSqueeze(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	axes, err := c.axesInput(1)
	if err != nil {
		return err
	}
	drop := make([]bool, len(t.Shape()))
	if axes == nil {
		for i, d := range t.Shape() {
			drop[i] = d == 1
		}
	} else {
		if axes, err = c.axes(axes, len(drop)); err != nil {
			return err
		}
		for _, a := range axes {
			drop[a] = true
		}
	}
	s := tensor.Shape{}
	for i, d := range t.Shape() {
		switch {
		case !drop[i]:
			s = append(s, d)
		case d != 1:
			return c.errorf("axis %d of %v is not 1", i, t.Shape())
		}
	}
	return c.reshaped(0, t, s)
}

func evalUnsqueeze(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	axes, err := c.axesInput(1)
	if err != nil {
		return err
	}
	rank := len(t.Shape()) + len(axes)
	if axes, err = c.axes(axes, rank); err != nil {
		return err
	}
	s := make(tensor.Shape, rank)
	for _, a := range axes {
		s[a] = 1
	}
	k := 0
	for i := range s {
		if s[i] == 0 {
			s[i] = t.Shape()[k]
			k++
			if s[i] == 0 {
				s[i] = -2
			}
		}
	}
	for i := range s {
		if s[i] == -2 {
			s[i] = 0
		}
	}
	return c.reshaped(0, t, s)
}

func evalShape(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	n := len(t.Shape())
	from, to := c.attrInt("start", 0), c.attrInt("end", n)
	clip := func(v int) int {
		if v < 0 {
			v += n
		}
		return min(max(v, 0), n)
	}
	from, to = clip(from), clip(to)
	to = max(to, from)
	out, err := c.output(0, tensor.Int64, tensor.Shape{to - from})
	if err != nil {
		return err
	}
	for i, d := range t.Shape()[from:to] {
		tensor.Data[int64](out)[i] = int64(d)
	}
	return nil
}

func evalSize(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	out, err := c.output(0, tensor.Int64, tensor.Shape{})
	if err != nil {
		return err
	}
	tensor.Data[int64](out)[0] = int64(t.Len())
	return nil
}

func evalTranspose(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	rank := len(t.Shape())
	perm := c.attrInts("perm")
	if perm == nil {
		for i := range rank {
			perm = append(perm, rank-1-i)
		}
	}
	if perm, err = c.axes(perm, rank); err != nil {
		return err
	}
	if len(perm) != rank {
		return c.errorf("perm %v does not fit rank %d", perm, rank)
	}
	s, st, own := make(tensor.Shape, rank), make([]int, rank), strides(t.Shape())
	for i, p := range perm {
		s[i], st[i] = t.Shape()[p], own[p]
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	return c.strided(out, t, s, 0, st)
}

// blocks splits a shape at an axis: the product of the sizes before it, its own size, and the product after it.
func blocks(s tensor.Shape, axis int) (outer, n, inner int) {
	outer, inner = 1, 1
	for _, d := range s[:axis] {
		outer *= d
	}
	for _, d := range s[axis+1:] {
		inner *= d
	}
	return outer, s[axis], inner
}

// evalExpand broadcasts in both directions, as NumPy does.
func evalExpand(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	want, err := c.ints(1)
	if err != nil {
		return err
	}
	s, ok := broadcastShapes(t.Shape(), tensor.Shape(want))
	if !ok {
		return c.errorf("%v cannot be expanded to %v", t.Shape(), want)
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	return c.strided(out, t, s, 0, broadcastStrides(t.Shape(), s))
}

func evalTile(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	reps, err := c.ints(1)
	if err != nil {
		return err
	}
	rank := len(t.Shape())
	if len(reps) != rank {
		return c.errorf("%d repeats for rank %d", len(reps), rank)
	}
	s := make(tensor.Shape, rank)
	wide, st := make(tensor.Shape, 0, 2*rank), make([]int, 0, 2*rank)
	own := strides(t.Shape())
	for i, d := range t.Shape() {
		if reps[i] < 0 {
			return c.errorf("repeat %d is negative", reps[i])
		}
		s[i] = d * reps[i]
		wide, st = append(wide, reps[i], d), append(st, 0, own[i])
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	return c.strided(out, t, wide, 0, st)
}

// evalDepthToSpace and evalSpaceToDepth are transposes of a six-dimensional view.
func evalDepthToSpace(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	b := c.attrInt("blocksize", 0)
	s := t.Shape()
	if len(s) != 4 || b < 1 || s[1]%(b*b) != 0 {
		return c.errorf("block size %d does not fit %v", b, s)
	}
	n, ch, h, w := s[0], s[1]/(b*b), s[2], s[3]
	view, perm := tensor.Shape{n, b, b, ch, h, w}, []int{0, 3, 4, 1, 5, 2}
	if c.attrString("mode", "DCR") == "CRD" {
		view, perm = tensor.Shape{n, ch, b, b, h, w}, []int{0, 1, 4, 2, 5, 3}
	}
	return c.permuted(t, view, perm, tensor.Shape{n, ch, h * b, w * b})
}

func evalSpaceToDepth(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	b := c.attrInt("blocksize", 0)
	s := t.Shape()
	if len(s) != 4 || b < 1 || s[2]%b != 0 || s[3]%b != 0 {
		return c.errorf("block size %d does not fit %v", b, s)
	}
	n, ch, h, w := s[0], s[1], s[2]/b, s[3]/b
	return c.permuted(t, tensor.Shape{n, ch, h, b, w, b}, []int{0, 3, 5, 1, 2, 4}, tensor.Shape{n, ch * b * b, h, w})
}

// permuted writes output 0: t seen with shape view, its dimensions permuted, then seen with shape out.
func (c *call) permuted(t *tensor.Tensor, view tensor.Shape, perm []int, out tensor.Shape) error {
	own := strides(view)
	s, st := make(tensor.Shape, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		s[i], st[i] = view[p], own[p]
	}
	o, err := c.output(0, t.DType(), out)
	if err != nil {
		return err
	}
	return c.strided(o, t, s, 0, st)
}
