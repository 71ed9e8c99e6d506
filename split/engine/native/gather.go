package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

func evalGather(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	axis, err := c.axis(c.attrInt("axis", 0), len(t.Shape()))
	if err != nil {
		return err
	}
	it, err := c.tensor(1)
	if err != nil {
		return err
	}
	idx, err := c.ints(1)
	if err != nil {
		return err
	}
	outer, n, inner := blocks(t.Shape(), axis)
	s := append(append(t.Shape()[:axis].Clone(), it.Shape()...), t.Shape()[axis+1:]...)
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	for _, i := range idx {
		if i < -n || i >= n {
			return c.errorf("index %d is outside of axis %d of %v", i, axis, t.Shape())
		}
	}
	return c.moves(out, func(m mover) {
		o := 0
		for k := range outer {
			for _, i := range idx {
				if i < 0 {
					i += n
				}
				m.move(out, o, t, (k*n+i)*inner, inner)
				o += inner
			}
		}
	})
}

// elementOffsets are, for the index tensor of GatherElements and ScatterElements, the offsets into data of shape s.
func (c *call) elementOffsets(s tensor.Shape, i int) (offsets []int, shape tensor.Shape, err error) {
	axis, err := c.axis(c.attrInt("axis", 0), len(s))
	if err != nil {
		return nil, nil, err
	}
	it, err := c.tensor(i)
	if err != nil {
		return nil, nil, err
	}
	idx, err := c.ints(i)
	if err != nil {
		return nil, nil, err
	}
	if len(it.Shape()) != len(s) {
		return nil, nil, c.errorf("indices %v and data %v differ in rank", it.Shape(), s)
	}
	for d, n := range it.Shape() {
		if d != axis && n > s[d] {
			return nil, nil, c.errorf("indices %v are larger than data %v", it.Shape(), s)
		}
	}
	st := strides(s)
	step := st[axis]
	st[axis] = 0
	offsets = make([]int, 0, len(idx))
	l := last(st)
	bad := false
	walk(it.Shape(), [][]int{st}, func(n int, at []int) {
		for k := range n {
			j := idx[len(offsets)]
			if j < 0 {
				j += s[axis]
			}
			bad = bad || j < 0 || j >= s[axis]
			offsets = append(offsets, at[0]+k*l+j*step)
		}
	})
	if bad {
		return nil, nil, c.errorf("an index is outside of axis %d of %v", axis, s)
	}
	return offsets, it.Shape(), nil
}

func evalGatherElements(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	offsets, s, err := c.elementOffsets(t.Shape(), 1)
	if err != nil {
		return err
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	return c.gatherRows(out, t, offsets, 1)
}

// tupleOffsets are the offsets that the index tuples of GatherND and ScatterND name in data of shape s, and the number of
// elements behind each.
func (c *call) tupleOffsets(s tensor.Shape, it *tensor.Tensor, idx []int, batch int) (offsets []int, inner int, err error) {
	is := it.Shape()
	if len(is) == 0 || batch < 0 || batch > len(is)-1 || batch > len(s) {
		return nil, 0, c.errorf("indices %v do not fit data %v", is, s)
	}
	k := is[len(is)-1]
	if k > len(s)-batch {
		return nil, 0, c.errorf("indices %v name more dimensions than data %v has", is, s)
	}
	for d := range batch {
		if is[d] != s[d] {
			return nil, 0, c.errorf("batch of indices %v and data %v differ", is, s)
		}
	}
	st := strides(s)
	inner = 1
	for _, d := range s[batch+k:] {
		inner *= d
	}
	perBatch, batches := 1, 1
	for _, d := range is[batch : len(is)-1] {
		perBatch *= d
	}
	for _, d := range is[:batch] {
		batches *= d
	}
	size := 1
	for _, d := range s[batch:] {
		size *= d
	}
	for b := range batches {
		for p := range perBatch {
			off := b * size
			for d := range k {
				j, n := idx[(b*perBatch+p)*k+d], s[batch+d]
				if j < 0 {
					j += n
				}
				if j < 0 || j >= n {
					return nil, 0, c.errorf("index %d is outside of dimension %d of %v", j, batch+d, s)
				}
				off += j * st[batch+d]
			}
			offsets = append(offsets, off)
		}
	}
	return offsets, inner, nil
}

func evalGatherND(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	it, err := c.tensor(1)
	if err != nil {
		return err
	}
	idx, err := c.ints(1)
	if err != nil {
		return err
	}
	batch := c.attrInt("batch_dims", 0)
	offsets, inner, err := c.tupleOffsets(t.Shape(), it, idx, batch)
	if err != nil {
		return err
	}
	is := it.Shape()
	s := append(is[:len(is)-1].Clone(), t.Shape()[batch+is[len(is)-1]:]...)
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	return c.gatherRows(out, t, offsets, inner)
}

// scatter writes n elements of updates at each offset of a copy of data, combined by the op's reduction.
func (c *call) scatter(data, updates *tensor.Tensor, offsets []int, n int) error {
	if updates.DType() != data.DType() || updates.Len() != len(offsets)*n {
		return c.errorf("updates %s do not fit data %s", updates, data)
	}
	out, err := c.output(0, data.DType(), data.Shape())
	if err != nil {
		return err
	}
	copy(out.Bytes(), data.Bytes())
	copy(out.Strings(), data.Strings())
	red := c.attrString("reduction", "none")
	if red == "none" {
		return c.moves(out, func(m mover) {
			for k, at := range offsets {
				m.move(out, at, updates, k*n, n)
			}
		})
	}
	f := map[string]func(a, b float64) float64{
		"add": func(a, b float64) float64 { return a + b },
		"mul": func(a, b float64) float64 { return a * b },
		"max": func(a, b float64) float64 { return max(a, b) },
		"min": func(a, b float64) float64 { return min(a, b) },
	}[red]
	if f == nil {
		return c.errorf("reduction %q is unknown", red)
	}
	if out.DType() == tensor.String {
		return c.unsupported("reduction of strings")
	}
	v, u := floats(out), floats(updates)
	for k, at := range offsets {
		for j := range n {
			v[at+j] = f(v[at+j], u[k*n+j])
		}
	}
	setFloats(out, v)
	return nil
}

func evalScatterElements(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	u, err := c.tensor(2)
	if err != nil {
		return err
	}
	offsets, s, err := c.elementOffsets(t.Shape(), 1)
	if err != nil {
		return err
	}
	if !u.Shape().Equal(s) {
		return c.errorf("updates %v and indices %v differ in shape", u.Shape(), s)
	}
	return c.scatter(t, u, offsets, 1)
}

func evalScatterND(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	it, err := c.tensor(1)
	if err != nil {
		return err
	}
	idx, err := c.ints(1)
	if err != nil {
		return err
	}
	u, err := c.tensor(2)
	if err != nil {
		return err
	}
	offsets, inner, err := c.tupleOffsets(t.Shape(), it, idx, 0)
	if err != nil {
		return err
	}
	return c.scatter(t, u, offsets, inner)
}

// evalTensorScatter writes update into a cache at a position per batch entry, wrapping around in circular mode.
func evalTensorScatter(c *call) error {
	past, err := c.tensor(0)
	if err != nil {
		return err
	}
	upd, err := c.tensor(1)
	if err != nil {
		return err
	}
	axis, err := c.axis(c.attrInt("axis", -2), len(past.Shape()))
	if err != nil {
		return err
	}
	if axis == 0 || len(upd.Shape()) != len(past.Shape()) {
		return c.errorf("update %v does not fit %v along axis %d", upd.Shape(), past.Shape(), axis)
	}
	batch := past.Shape()[0]
	at, err := c.intsOr(2, make([]int, batch))
	if err != nil {
		return err
	}
	outer, n, inner := blocks(past.Shape(), axis)
	_, k, _ := blocks(upd.Shape(), axis)
	if len(at) != batch || upd.Len() != outer*k*inner {
		return c.errorf("update %v does not fit %v", upd.Shape(), past.Shape())
	}
	var offsets []int
	for o := range outer {
		for j := range k {
			pos := at[o*batch/outer] + j
			if c.attrString("mode", "linear") == "circular" {
				pos %= n
			}
			if pos < 0 || pos >= n {
				return c.errorf("position %d is outside of %d", pos, n)
			}
			offsets = append(offsets, (o*n+pos)*inner)
		}
	}
	return c.scatter(past, upd, offsets, inner)
}

func evalCompress(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	cond, err := c.tensor(1)
	if err != nil {
		return err
	}
	s := tensor.Shape{t.Len()}
	axis := 0
	_, hasAxis := c.op.Attrs["axis"]
	if hasAxis {
		s = t.Shape().Clone()
		if axis, err = c.axis(c.attrInt("axis", 0), len(s)); err != nil {
			return err
		}
	}
	outer, n, inner := blocks(s, axis)
	var keep []int
	for i, b := range cond.Bytes() {
		if b != 0 && i < n {
			keep = append(keep, i)
		}
	}
	s[axis] = len(keep)
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	var offsets []int
	for o := range outer {
		for _, k := range keep {
			offsets = append(offsets, (o*n+k)*inner)
		}
	}
	return c.gatherRows(out, t, offsets, inner)
}

func evalReverseSequence(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	lens, err := c.ints(1)
	if err != nil {
		return err
	}
	ba, ta := c.attrInt("batch_axis", 1), c.attrInt("time_axis", 0)
	if len(t.Shape()) < 2 || ba+ta != 1 || ba*ta != 0 || len(lens) != t.Shape()[ba] {
		return c.errorf("batch axis %d, time axis %d and %d lengths do not fit %v", ba, ta, len(lens), t.Shape())
	}
	out, err := c.output(0, t.DType(), t.Shape())
	if err != nil {
		return err
	}
	st := strides(t.Shape())
	inner := st[1]
	return c.moves(out, func(m mover) {
		for b := range t.Shape()[ba] {
			for k := range t.Shape()[ta] {
				from := k
				if k < lens[b] {
					from = lens[b] - 1 - k
				}
				m.move(out, b*st[ba]+k*st[ta], t, b*st[ba]+from*st[ta], inner)
			}
		}
	})
}
