package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func bitwise[T integer](typ, direction string) func(a, b T) T {
	switch {
	case typ == "BitwiseAnd":
		return func(a, b T) T { return a & b }
	case typ == "BitwiseOr":
		return func(a, b T) T { return a | b }
	case typ == "BitwiseXor":
		return func(a, b T) T { return a ^ b }
	case direction == "LEFT":
		return func(a, b T) T { return a << uint64(b) }
	default:
		return func(a, b T) T { return a >> uint64(b) }
	}
}

func evalBitwise(c *call) error {
	a, b, so, err := c.operands()
	if err != nil {
		return err
	}
	out, err := c.output(0, a.DType(), so)
	if err != nil {
		return err
	}
	typ, dir := c.op.Type, c.attrString("direction", "")
	if typ == "BitShift" && dir != "LEFT" && dir != "RIGHT" {
		return c.errorf("direction %q is neither LEFT nor RIGHT", dir)
	}
	switch a.DType() {
	case tensor.Int8:
		zipTensors(out, a, b, bitwise[int8](typ, dir))
	case tensor.Int16:
		zipTensors(out, a, b, bitwise[int16](typ, dir))
	case tensor.Int32:
		zipTensors(out, a, b, bitwise[int32](typ, dir))
	case tensor.Int64:
		zipTensors(out, a, b, bitwise[int64](typ, dir))
	case tensor.Uint8:
		zipTensors(out, a, b, bitwise[uint8](typ, dir))
	case tensor.Uint16:
		zipTensors(out, a, b, bitwise[uint16](typ, dir))
	case tensor.Uint32:
		zipTensors(out, a, b, bitwise[uint32](typ, dir))
	case tensor.Uint64:
		zipTensors(out, a, b, bitwise[uint64](typ, dir))
	default:
		return c.unsupported("operands of type %s", a.DType())
	}
	return nil
}

func evalBitwiseNot(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	if !isInteger(a.DType()) {
		return c.errorf("operand must hold integers, not %s", a.DType())
	}
	out, err := c.output(0, a.DType(), a.Shape())
	if err != nil {
		return err
	}
	for i, b := range a.Bytes() {
		out.Bytes()[i] = ^b
	}
	return nil
}

func modulo[T integer](fmod bool) func(a, b T) T {
	return func(a, b T) T {
		if b == 0 {
			return 0
		}
		r := a % b
		if !fmod && r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r
	}
}

// evalMod takes the divisor's sign for integers (fmod=0) and the dividend's, as C's fmod does, with fmod=1.
func evalMod(c *call) error {
	a, b, so, err := c.operands()
	if err != nil {
		return err
	}
	out, err := c.output(0, a.DType(), so)
	if err != nil {
		return err
	}
	fmod := c.attrInt("fmod", 0) == 1
	switch a.DType() {
	case tensor.Int8:
		zipTensors(out, a, b, modulo[int8](fmod))
	case tensor.Int16:
		zipTensors(out, a, b, modulo[int16](fmod))
	case tensor.Int32:
		zipTensors(out, a, b, modulo[int32](fmod))
	case tensor.Int64:
		zipTensors(out, a, b, modulo[int64](fmod))
	case tensor.Uint8:
		zipTensors(out, a, b, modulo[uint8](fmod))
	case tensor.Uint16:
		zipTensors(out, a, b, modulo[uint16](fmod))
	case tensor.Uint32:
		zipTensors(out, a, b, modulo[uint32](fmod))
	case tensor.Uint64:
		zipTensors(out, a, b, modulo[uint64](fmod))
	default:
		r := make([]float64, out.Len())
		zip(r, so, floats(a), a.Shape(), floats(b), b.Shape(), func(x, y float64) float64 {
			m := math.Mod(x, y)
			if !fmod && m != 0 && (m < 0) != (y < 0) {
				m += y
			}
			return m
		})
		setFloats(out, r)
	}
	return nil
}
