package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func clamp[T number](t, out, lo, hi *tensor.Tensor) {
	d := tensor.Data[T](out)
	copy(d, tensor.Data[T](t))
	if lo != nil {
		m := tensor.Data[T](lo)[0]
		for i, x := range d {
			if x < m {
				d[i] = m
			}
		}
	}
	if hi != nil {
		m := tensor.Data[T](hi)[0]
		for i, x := range d {
			if x > m {
				d[i] = m
			}
		}
	}
}

// evalClip takes its bounds from attributes before opset 11 and from inputs since.
func evalClip(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	lo, hi := c.maybe(1), c.maybe(2)
	if c.opset < 11 {
		if v, ok := c.op.Attrs["min"].(float32); ok {
			lo = tensor.Of(tensor.Float32, nil, v)
		}
		if v, ok := c.op.Attrs["max"].(float32); ok {
			hi = tensor.Of(tensor.Float32, nil, v)
		}
	}
	for _, b := range []*tensor.Tensor{lo, hi} {
		if b != nil && (b.Len() != 1 || b.DType() != a.DType()) {
			return c.errorf("bound %s does not fit %s", b, a)
		}
	}
	out, err := c.output(0, a.DType(), a.Shape())
	if err != nil {
		return err
	}
	switch a.DType() {
	case tensor.Float32:
		clamp[float32](a, out, lo, hi)
	case tensor.Float64:
		clamp[float64](a, out, lo, hi)
	case tensor.Int8:
		clamp[int8](a, out, lo, hi)
	case tensor.Int16:
		clamp[int16](a, out, lo, hi)
	case tensor.Int32:
		clamp[int32](a, out, lo, hi)
	case tensor.Int64:
		clamp[int64](a, out, lo, hi)
	case tensor.Uint8:
		clamp[uint8](a, out, lo, hi)
	case tensor.Uint16:
		clamp[uint16](a, out, lo, hi)
	case tensor.Uint32:
		clamp[uint32](a, out, lo, hi)
	case tensor.Uint64:
		clamp[uint64](a, out, lo, hi)
	case tensor.Float16, tensor.BFloat16:
		v, least, most := floats(a), math.Inf(-1), math.Inf(1)
		if lo != nil {
			least = floats(lo)[0]
		}
		if hi != nil {
			most = floats(hi)[0]
		}
		for i, x := range v {
			v[i] = min(max(x, least), most)
		}
		setFloats(out, v)
	default:
		return c.unsupported("operand of type %s", a.DType())
	}
	return nil
}
