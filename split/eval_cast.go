package split

import (
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// narrow is list as a tensor of integers of type d.
func narrow(list []int64, d tensor.DType, s tensor.Shape) *tensor.Tensor {
	out, err := tensor.New(d, s)
	if err != nil {
		return nil
	}
	width := d.Bits() / 8
	for i, v := range list {
		for b := range width {
			out.Bytes()[i*width+b] = byte(v >> (8 * b))
		}
	}
	return out
}

// toFloat32 widens half-precision numbers.
func toFloat32(t *tensor.Tensor) *tensor.Tensor {
	out, err := tensor.New(tensor.Float32, t.Shape())
	if err != nil {
		return t
	}
	from := tensor.FromFloat16
	if t.DType() == tensor.BFloat16 {
		from = tensor.FromBFloat16
	}
	for i, h := range tensor.Data[uint16](t) {
		tensor.Data[float32](out)[i] = from(h)
	}
	return out
}

// fromFloat32 rounds to half precision of type d.
func fromFloat32(t *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	out, err := tensor.New(d, t.Shape())
	if err != nil {
		return t
	}
	to := tensor.ToFloat16
	if d == tensor.BFloat16 {
		to = tensor.ToBFloat16
	}
	for i, x := range tensor.Data[float32](t) {
		tensor.Data[uint16](out)[i] = to(x)
	}
	return out
}

// cast converts between numbers and booleans; a float that does not fit an integer type is not folded, as machines
// differ there.
func (e *evaluation) cast(t *tensor.Tensor, to tensor.DType) (*tensor.Tensor, error) {
	from := t.DType()
	if from == to {
		return t, nil
	}
	unknown := fmt.Errorf("%w: a cast from %s to %s is not folded", ErrUnknownOp, from, to)
	if isHalf(from) {
		t = toFloat32(t)
		from = tensor.Float32
	}
	if _, err := e.alloc(tensor.Uint8, tensor.Shape{min(t.Len(), e.limit)}); err != nil || t.Len() > e.limit {
		return nil, ErrLimit
	}
	var reals []float64
	ints, whole := intsOf(t)
	if !whole {
		reals = make([]float64, t.Len())
		switch from {
		case tensor.Float32:
			for i, x := range tensor.Data[float32](t) {
				reals[i] = float64(x)
			}
		case tensor.Float64:
			copy(reals, tensor.Data[float64](t))
		default:
			return nil, unknown
		}
	}
	at := func(i int) float64 {
		if whole {
			return float64(ints[i])
		}
		return reals[i]
	}
	switch {
	case to == tensor.Bool:
		out, err := tensor.New(to, t.Shape())
		for i := range t.Len() {
			tensor.Data[bool](out)[i] = at(i) != 0
		}
		return out, err
	case isInteger(to):
		if !whole {
			ints = make([]int64, len(reals))
			low, high := intRange(to)
			for i, x := range reals {
				if !(math.Trunc(x) >= low && math.Trunc(x) <= high) {
					return nil, unknown
				}
				ints[i] = int64(x)
			}
		}
		return narrow(ints, to, t.Shape()), nil
	case to == tensor.Float64:
		out, err := tensor.New(to, t.Shape())
		for i := range t.Len() {
			tensor.Data[float64](out)[i] = at(i)
		}
		return out, err
	case to == tensor.Float32 || isHalf(to):
		out, err := tensor.New(tensor.Float32, t.Shape())
		if err != nil {
			return nil, err
		}
		for i := range t.Len() {
			if whole {
				tensor.Data[float32](out)[i] = float32(ints[i])
			} else {
				tensor.Data[float32](out)[i] = float32(reals[i])
			}
		}
		if isHalf(to) {
			return fromFloat32(out, to), nil
		}
		return out, nil
	}
	return nil, unknown
}

// intRange is what floats convert to type d exactly.
func intRange(d tensor.DType) (low, high float64) {
	bits := float64(d.Bits())
	switch d {
	case tensor.Uint8, tensor.Uint16, tensor.Uint32:
		return 0, math.Exp2(bits) - 1
	case tensor.Uint64:
		return 0, math.Exp2(62)
	case tensor.Int64:
		return -math.Exp2(62), math.Exp2(62)
	}
	return -math.Exp2(bits - 1), math.Exp2(bits-1) - 1
}
