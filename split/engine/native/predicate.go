package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func evalNot(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	if a.DType() != tensor.Bool {
		return c.errorf("operand must be bool, not %s", a.DType())
	}
	out, err := c.output(0, tensor.Bool, a.Shape())
	if err != nil {
		return err
	}
	for i, b := range a.Bytes() {
		out.Bytes()[i] = b ^ 1
	}
	return nil
}

// evalIsX is IsNaN and IsInf.
func evalIsX(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	if a.DType() == tensor.Complex64 || a.DType() == tensor.Complex128 || a.DType() == tensor.String {
		return c.unsupported("operand of type %s", a.DType())
	}
	out, err := c.output(0, tensor.Bool, a.Shape())
	if err != nil {
		return err
	}
	pos, neg := c.attrInt("detect_positive", 1) != 0, c.attrInt("detect_negative", 1) != 0
	d := tensor.Data[bool](out)
	for i, x := range floats(a) {
		if c.op.Type == "IsNaN" {
			d[i] = x != x
		} else {
			d[i] = pos && math.IsInf(x, 1) || neg && math.IsInf(x, -1)
		}
	}
	return nil
}
