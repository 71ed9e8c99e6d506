package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// sequence is input i, which must be a sequence.
func (c *call) sequence(i int) (*tensor.Sequence, error) {
	if !c.has(i) {
		return nil, c.errorf("input %d is missing", i)
	}
	s, ok := c.in[i].(*tensor.Sequence)
	if !ok {
		return nil, c.errorf("input %d is not a sequence", i)
	}
	return s, nil
}

// position is input i as an index into n items; def stands when it is absent.
func (c *call) position(i, n, def int) (int, error) {
	p, err := c.intOr(i, def)
	if err != nil {
		return 0, err
	}
	if p < 0 {
		p += n
	}
	if p < 0 || p >= n {
		return 0, c.errorf("position %d is outside of %d", p, n)
	}
	return p, nil
}

func evalSequenceEmpty(c *call) error {
	c.set(0, &tensor.Sequence{})
	return nil
}

func evalSequenceConstruct(c *call) error {
	ts, err := c.tensors()
	if err != nil {
		return err
	}
	s := &tensor.Sequence{}
	for _, t := range ts {
		s.Items = append(s.Items, copyValue(t))
	}
	c.set(0, s)
	return nil
}

func evalSequenceAt(c *call) error {
	s, err := c.sequence(0)
	if err != nil {
		return err
	}
	p, err := c.position(1, len(s.Items), 0)
	if err != nil {
		return err
	}
	c.set(0, s.Items[p])
	return nil
}

func evalSequenceErase(c *call) error {
	s, err := c.sequence(0)
	if err != nil {
		return err
	}
	p, err := c.position(1, len(s.Items), -1)
	if err != nil {
		return err
	}
	c.set(0, &tensor.Sequence{Items: slices.Delete(slices.Clone(s.Items), p, p+1)})
	return nil
}

func evalSequenceInsert(c *call) error {
	s, err := c.sequence(0)
	if err != nil {
		return err
	}
	t, err := c.tensor(1)
	if err != nil {
		return err
	}
	n := len(s.Items)
	p, err := c.intOr(2, n)
	if err != nil {
		return err
	}
	if p < 0 {
		p += n
	}
	if p < 0 || p > n {
		return c.errorf("position %d is outside of %d", p, n)
	}
	c.set(0, &tensor.Sequence{Items: slices.Insert(slices.Clone(s.Items), p, copyValue(t))})
	return nil
}

func evalSequenceLength(c *call) error {
	s, err := c.sequence(0)
	if err != nil {
		return err
	}
	c.set(0, tensor.Of(tensor.Int64, nil, int64(len(s.Items))))
	return nil
}

// evalSplitToSequence splits along an axis into parts of one size, of given sizes, or single slices.
func evalSplitToSequence(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	axis, err := c.axis(c.attrInt("axis", 0), len(t.Shape()))
	if err != nil {
		return err
	}
	n := t.Shape()[axis]
	var sizes []int
	drop := false
	switch st := c.maybe(1); {
	case st == nil:
		sizes, drop = slices.Repeat([]int{1}, n), c.attrInt("keepdims", 1) == 0
	case len(st.Shape()) == 0:
		each, err := c.intOr(1, 1)
		if err != nil {
			return err
		}
		if each < 1 {
			return c.errorf("size %d is not valid", each)
		}
		for at := 0; at < n; at += each {
			sizes = append(sizes, min(each, n-at))
		}
	default:
		if sizes, err = c.ints(1); err != nil {
			return err
		}
	}
	seq, at := &tensor.Sequence{}, 0
	st := strides(t.Shape())
	for _, k := range sizes {
		if k < 0 || at+k > n {
			return c.errorf("sizes %v do not fit %d", sizes, n)
		}
		s := t.Shape().Clone()
		s[axis] = k
		part, err := c.scratch(t.DType(), s)
		if err != nil {
			return err
		}
		if err := c.strided(part, t, s, at*st[axis], st); err != nil {
			return err
		}
		if drop {
			if part, err = part.Reshape(slices.Delete(s, axis, axis+1)); err != nil {
				return c.errorf("%w", err)
			}
		}
		seq.Items = append(seq.Items, part)
		at += k
	}
	if at != n {
		return c.errorf("sizes %v do not add up to %d", sizes, n)
	}
	c.set(0, seq)
	return nil
}

func evalConcatFromSequence(c *call) error {
	s, err := c.sequence(0)
	if err != nil {
		return err
	}
	var ts []*tensor.Tensor
	for _, item := range s.Items {
		t, ok := item.(*tensor.Tensor)
		if !ok {
			return c.errorf("an item is not a tensor")
		}
		ts = append(ts, t)
	}
	if len(ts) == 0 {
		return c.errorf("the sequence is empty")
	}
	if c.attrInt("new_axis", 0) == 1 {
		return c.stack(0, ts, c.attrInt("axis", 0), false)
	}
	return c.concat(ts, c.attrInt("axis", 0))
}

func evalOptional(c *call) error {
	o := &tensor.Optional{}
	if c.has(0) {
		o.Item = c.in[0]
	}
	c.set(0, o)
	return nil
}

func evalOptionalGetElement(c *call) error {
	if !c.has(0) {
		return c.errorf("the optional is empty")
	}
	v := c.in[0]
	if o, ok := v.(*tensor.Optional); ok {
		if o.Item == nil {
			return c.errorf("the optional is empty")
		}
		v = o.Item
	}
	c.set(0, v)
	return nil
}

func evalOptionalHasElement(c *call) error {
	has := c.has(0)
	if has {
		if o, ok := c.in[0].(*tensor.Optional); ok {
			has = o.Item != nil
		}
	}
	c.set(0, tensor.Of(tensor.Bool, nil, has))
	return nil
}
