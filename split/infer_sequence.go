package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func sequenceRules() []opRule {
	return []opRule{
		{"SequenceConstruct", 1, -1, 1, inferSequenceConstruct},
		{"SequenceEmpty", 0, 0, 1, inferSequenceEmpty},
		{"SequenceInsert", 2, 3, 1, inferSequenceInsert},
		{"SequenceErase", 1, 2, 1, inferIdentity},
		{"SequenceAt", 2, 2, 1, inferSequenceAt},
		{"SequenceLength", 1, 1, 1, func(c *opContext) error { c.out(0, tensor.Int64, dims{}); return nil }},
		{"SplitToSequence", 1, 2, 1, inferSplitToSequence},
		{"ConcatFromSequence", 1, 1, 1, inferConcatFromSequence},
	}
}

func inferSequenceConstruct(c *opContext) error {
	t := c.in(0)
	for i := 1; i < len(c.o.Inputs); i++ {
		if _, err := c.sameDType(0, len(c.o.Inputs)); err != nil {
			return err
		}
		t = eitherType(t, c.in(i))
	}
	c.outType(0, Type{Kind: SequenceKind, Elem: &t})
	return nil
}

func inferSequenceEmpty(c *opContext) error {
	d := tensor.DType(c.o.Int("dtype", int64(tensor.Float32)))
	if !d.Valid() {
		return invalid("dtype %d is unknown", c.o.Int("dtype", 0))
	}
	c.outType(0, Type{Kind: SequenceKind, Elem: &Type{DType: d}})
	return nil
}

// elemType is the element type of input i, a sequence.
func (c *opContext) elemType(i int) (Type, error) {
	t := c.in(i)
	if t.Kind != SequenceKind {
		return Type{}, invalid("its input %d is a %s, not a sequence", i, t.Kind)
	}
	if t.Elem == nil {
		return Type{}, nil
	}
	return *t.Elem, nil
}

func inferSequenceInsert(c *opContext) error {
	e, err := c.elemType(0)
	if err != nil {
		return err
	}
	t := eitherType(e, c.in(1))
	if e.DType == tensor.Invalid {
		t = Type{DType: c.dtype(1)}
	} else if t.DType == tensor.Invalid {
		return invalid("it inserts %s into a sequence of %s", c.in(1), e)
	}
	c.outType(0, Type{Kind: SequenceKind, Elem: &t})
	return nil
}

func inferSequenceAt(c *opContext) error {
	e, err := c.elemType(0)
	c.outType(0, e)
	return err
}

func inferSplitToSequence(c *opContext) error {
	x := c.dims(0)
	var d dims
	if x != nil {
		axis, err := axisOf(c.o.Int("axis", 0), len(x))
		if err != nil {
			return err
		}
		d = slices.Clone(x)
		d[axis] = unknownDim
		if !c.has(1) {
			d[axis] = size(1)
			if c.o.Int("keepdims", 1) == 0 {
				d = withoutDim(d, axis)
			}
		} else if n, ok := c.ints(1); ok && len(n) > 0 && x[axis].known() {
			scalar := len(c.dims(1)) == 0
			if n[0] > 0 && (scalar && int64(x[axis].n)%n[0] == 0 || !scalar && len(slices.Compact(slices.Clone(n))) == 1) {
				d[axis] = size(int(n[0]))
			}
		}
	}
	t := tensorOf(c.dtype(0), d)
	c.outType(0, Type{Kind: SequenceKind, Elem: &t})
	return nil
}

func inferConcatFromSequence(c *opContext) error {
	e, err := c.elemType(0)
	if err != nil {
		return err
	}
	d := typeDims(e)
	if d != nil {
		stack := int(c.o.Int("new_axis", 0))
		axis, err := axisOf(c.o.Int("axis", 0), len(d)+boolToInt(stack != 0))
		if err != nil {
			return err
		}
		d = slices.Clone(d)
		if stack != 0 {
			d = slices.Insert(d, axis, unknownDim)
		} else {
			d[axis] = unknownDim
		}
	}
	c.out(0, e.DType, d)
	return nil
}
