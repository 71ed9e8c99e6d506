package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func reductionRules() []opRule {
	return []opRule{
		{"ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare", 1, 2, 1, inferReduce},
		{"ArgMax ArgMin", 1, 1, 1, inferArg},
		{"CumSum CumProd", 2, 2, 1, inferSameAsInput},
		{"NegativeLogLikelihoodLoss", 2, 3, 1, func(c *opContext) error { return inferLoss(c, false) }},
		{"SoftmaxCrossEntropyLoss", 2, 3, 2, func(c *opContext) error { return inferLoss(c, true) }},
	}
}

// reduced is x with axes of size 1, or without them.
func reduced(x dims, axes []int, keep bool) dims {
	out := dims{}
	for i, d := range x {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, size(1))
		}
	}
	return out
}

func inferReduce(c *opContext) error {
	x := c.dims(0)
	keep := c.o.Int("keepdims", 1) != 0
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	axes, known := []int(nil), true
	if c.has(1) {
		var err error
		if axes, known, err = c.axesInput(1, len(x)); err != nil {
			return err
		}
	}
	if !known {
		rank := -1
		if keep {
			rank = len(x)
		}
		c.out(0, c.dtype(0), unknownDims(rank))
		return nil
	}
	if len(axes) == 0 {
		if c.o.Int("noop_with_empty_axes", 0) != 0 {
			c.out(0, c.dtype(0), x)
			return nil
		}
		for i := range x {
			axes = append(axes, i)
		}
	}
	c.out(0, c.dtype(0), reduced(x, axes, keep))
	return nil
}

func inferArg(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, tensor.Int64, nil)
		return nil
	}
	axis, err := axisOf(c.o.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	c.out(0, tensor.Int64, reduced(x, []int{axis}, c.o.Int("keepdims", 1) != 0))
	return nil
}

func inferLoss(c *opContext, logits bool) error {
	d := dims{}
	if c.o.Str("reduction", "mean") == "none" {
		d = c.dims(1)
	}
	c.out(0, c.dtype(0), d)
	if logits {
		c.out(1, c.dtype(0), c.dims(0))
	}
	return nil
}
