package split

import "github.com/cleave-mesh/cleave/internal/tensor"

func quantizedRules() []opRule {
	return []opRule{
		{"QuantizeLinear", 2, 3, 1, inferQuantizeLinear},
		{"DequantizeLinear", 2, 3, 1, inferDequantizeLinear},
		{"DynamicQuantizeLinear", 1, 1, 3, func(c *opContext) error {
			c.out(0, tensor.Uint8, c.dims(0))
			c.out(1, tensor.Float32, dims{})
			c.out(2, tensor.Uint8, dims{})
			return nil
		}},
	}
}

func inferQuantizeLinear(c *opContext) error {
	dt := tensor.Uint8
	if c.has(2) {
		dt = c.dtype(2)
	} else if to := c.o.Int("output_dtype", 0); to != 0 {
		if dt = tensor.DType(to); !dt.Valid() {
			return invalid("output_dtype %d is unknown", to)
		}
	}
	c.out(0, dt, c.dims(0))
	return nil
}

func inferDequantizeLinear(c *opContext) error {
	if a, b := c.dtype(0), c.dtype(2); c.has(2) && a != b && a != tensor.Invalid && b != tensor.Invalid {
		return invalid("its input is %s, its zero point %s", a, b)
	}
	dt := c.dtype(1)
	if to := tensor.DType(c.o.Int("output_dtype", 0)); to.Valid() {
		dt = to
	}
	c.out(0, dt, c.dims(0))
	return nil
}
