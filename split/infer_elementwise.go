package split

import "github.com/cleave-mesh/cleave/internal/tensor"

func elementwiseRules() []opRule {
	return []opRule{
		{`Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax
		LRN LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Not Reciprocal Relu Round Selu Shrink
		Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu`, 1, 1, 1, inferSameAsInput},
		{"Identity", 1, 1, 1, inferIdentity},
		{"Clip", 1, 3, 1, inferSameAsInput},
		{"Add Sub Mul Div Mod Pow BitShift BitwiseAnd BitwiseOr BitwiseXor", 2, 2, 1, inferBinary},
		{"PRelu", 2, 2, 1, inferPRelu},
		{"And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual", 2, 2, 1, inferCompare},
		{"IsInf IsNaN", 1, 1, 1, func(c *opContext) error { c.out(0, tensor.Bool, c.dims(0)); return nil }},
		{"Max Min Sum Mean", 1, -1, 1, inferVariadic},
		{"Where", 3, 3, 1, inferWhere},
		{"Cast", 1, 1, 1, inferCast},
		{"CastLike", 2, 2, 1, func(c *opContext) error { c.out(0, c.dtype(1), c.dims(0)); return nil }},
		{"BitCast", 1, 1, 1, inferBitCast},
		{"Dropout", 1, 3, 2, func(c *opContext) error {
			c.out(0, c.dtype(0), c.dims(0))
			c.out(1, tensor.Bool, c.dims(0))
			return nil
		}},
	}
}

// inferSameAsInput is the rule of ops whose output has the type of their first input.
func inferSameAsInput(c *opContext) error {
	c.out(0, c.dtype(0), c.dims(0))
	return nil
}

// inferIdentity keeps sequences and optionals too.
func inferIdentity(c *opContext) error {
	c.outType(0, c.in(0))
	return nil
}

// sameDType is the one element type of inputs from to to; those that are absent or not inferred do not count.
func (c *opContext) sameDType(from, to int) (tensor.DType, error) {
	d := tensor.Invalid
	for i := from; i < min(to, len(c.o.Inputs)); i++ {
		switch x := c.dtype(i); {
		case x == tensor.Invalid || x == d:
		case d == tensor.Invalid:
			d = x
		default:
			return d, invalid("its inputs are of different types, %s and %s", d, x)
		}
	}
	return d, nil
}

func (c *opContext) broadcastInputs() (dims, error) {
	shapes := make([]dims, len(c.o.Inputs))
	for i := range shapes {
		shapes[i] = c.dims(i)
	}
	return broadcast(shapes...)
}

func inferBinary(c *opContext) error {
	n := 2
	if c.o.Type == "Pow" || c.o.Type == "BitShift" {
		n = 1 // the exponent may be of another type
	}
	dt, err := c.sameDType(0, n)
	if err != nil {
		return err
	}
	d, err := c.broadcastInputs()
	c.out(0, dt, d)
	return err
}

// inferPRelu lets the slope stretch to the input, never the reverse.
func inferPRelu(c *opContext) error {
	dt, err := c.sameDType(0, 2)
	if err != nil {
		return err
	}
	x := c.dims(0)
	if d, err := c.broadcastInputs(); err != nil {
		return err
	} else if d != nil && len(d) != len(x) {
		return invalid("the slope %s does not stretch to the input %s", c.dims(1).shape(), x.shape())
	}
	c.out(0, dt, x)
	return nil
}

func inferCompare(c *opContext) error {
	if _, err := c.sameDType(0, 2); err != nil {
		return err
	}
	d, err := c.broadcastInputs()
	c.out(0, tensor.Bool, d)
	return err
}

func inferVariadic(c *opContext) error {
	dt, err := c.sameDType(0, len(c.o.Inputs))
	if err != nil {
		return err
	}
	d, err := c.broadcastInputs()
	c.out(0, dt, d)
	return err
}

func inferWhere(c *opContext) error {
	if dt := c.dtype(0); dt != tensor.Bool && dt != tensor.Invalid {
		return invalid("its condition is %s, not bool", dt)
	}
	dt, err := c.sameDType(1, 3)
	if err != nil {
		return err
	}
	d, err := c.broadcastInputs()
	c.out(0, dt, d)
	return err
}

func inferCast(c *opContext) error {
	to := tensor.DType(c.o.Int("to", 0))
	if !to.Valid() {
		return invalid("it casts to element type %d, which is unknown", c.o.Int("to", 0))
	}
	c.out(0, to, c.dims(0))
	return nil
}

func inferBitCast(c *opContext) error {
	to := tensor.DType(c.o.Int("to", 0))
	if !to.Valid() || c.dtype(0) != tensor.Invalid && to.Bits() != c.dtype(0).Bits() {
		return invalid("it cannot reinterpret %s as %s", c.dtype(0), to)
	}
	c.out(0, to, c.dims(0))
	return nil
}
