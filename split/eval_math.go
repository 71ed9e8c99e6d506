package split

import (
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// integer and real are the element types that arithmetic is folded on; half-precision numbers are computed as float32.
type (
	integer interface {
		~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
	}
	real interface{ ~float32 | ~float64 }
)

func isInteger(d tensor.DType) bool {
	switch d {
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		return true
	}
	return false
}

func isHalf(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }

// binary computes a broadcasting op of two inputs of one type.
func (e *evaluation) binary(op string, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	d := a.DType()
	if b.DType() != d {
		return nil, fmt.Errorf("%w: %s of %s and %s is not folded", ErrUnknownOp, op, d, b.DType())
	}
	shape, err := broadcast(typeDims(Type{Shape: a.Shape()}), typeDims(Type{Shape: b.Shape()}))
	if err != nil {
		return nil, err
	}
	s := shape.shape()
	if a, err = e.stretch(a, s); err != nil {
		return nil, err
	}
	if b, err = e.stretch(b, s); err != nil {
		return nil, err
	}
	if isHalf(d) {
		x, y := toFloat32(a), toFloat32(b)
		out, err := e.binary(op, x, y)
		if err != nil || out.DType() == tensor.Bool {
			return out, err
		}
		return fromFloat32(out, d), nil
	}
	result := d
	switch op {
	case "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor":
		result = tensor.Bool
	}
	out, err := e.alloc(result, s)
	if err != nil {
		return nil, err
	}
	ok := false
	switch d {
	case tensor.Float32:
		ok = floatBinary[float32](e.o, op, out, a, b)
	case tensor.Float64:
		ok = floatBinary[float64](e.o, op, out, a, b)
	case tensor.Int64:
		ok = intBinary[int64](e.o, op, out, a, b)
	case tensor.Int32:
		ok = intBinary[int32](e.o, op, out, a, b)
	case tensor.Int16:
		ok = intBinary[int16](e.o, op, out, a, b)
	case tensor.Int8:
		ok = intBinary[int8](e.o, op, out, a, b)
	case tensor.Uint8:
		ok = intBinary[uint8](e.o, op, out, a, b)
	case tensor.Uint16:
		ok = intBinary[uint16](e.o, op, out, a, b)
	case tensor.Uint32:
		ok = intBinary[uint32](e.o, op, out, a, b)
	case tensor.Uint64:
		ok = intBinary[uint64](e.o, op, out, a, b)
	case tensor.Bool:
		ok = boolBinary(op, out, a, b)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s of %s is not folded", ErrUnknownOp, op, d)
	}
	return out, nil
}

// zip sets every z to f(x, y).
func zip[T, R any](z []R, x, y []T, f func(x, y T) R) bool {
	for i := range z {
		z[i] = f(x[i], y[i])
	}
	return true
}

func compare[T integer | real](op string, out, a, b *tensor.Tensor) bool {
	if out.DType() != tensor.Bool {
		return false
	}
	z, x, y := tensor.Data[bool](out), tensor.Data[T](a), tensor.Data[T](b)
	switch op {
	case "Equal":
		return zip(z, x, y, func(x, y T) bool { return x == y })
	case "Greater":
		return zip(z, x, y, func(x, y T) bool { return x > y })
	case "GreaterOrEqual":
		return zip(z, x, y, func(x, y T) bool { return x >= y })
	case "Less":
		return zip(z, x, y, func(x, y T) bool { return x < y })
	case "LessOrEqual":
		return zip(z, x, y, func(x, y T) bool { return x <= y })
	}
	return false
}

func floatBinary[T real](o *Op, op string, out, a, b *tensor.Tensor) bool {
	if out.DType() == tensor.Bool {
		return compare[T](op, out, a, b)
	}
	z, x, y := tensor.Data[T](out), tensor.Data[T](a), tensor.Data[T](b)
	switch op {
	case "Add":
		return zip(z, x, y, func(x, y T) T { return x + y })
	case "Sub":
		return zip(z, x, y, func(x, y T) T { return x - y })
	case "Mul":
		return zip(z, x, y, func(x, y T) T { return x * y })
	case "Div":
		return zip(z, x, y, func(x, y T) T { return x / y })
	case "Max":
		return zip(z, x, y, func(x, y T) T { return max(x, y) })
	case "Min":
		return zip(z, x, y, func(x, y T) T { return min(x, y) })
	case "Pow":
		for _, p := range y { // squares and roots are exact; other powers are not the same on every machine
			if p != 2 && p != 1 && p != 0.5 && p != -1 {
				return false
			}
		}
		return zip(z, x, y, func(x, p T) T {
			switch p {
			case 2:
				return x * x
			case 0.5:
				return T(math.Sqrt(float64(x)))
			case -1:
				return 1 / x
			}
			return x
		})
	case "Mod":
		if o.Int("fmod", 0) != 0 {
			return zip(z, x, y, func(x, y T) T { return T(math.Mod(float64(x), float64(y))) })
		}
	}
	return false
}

func intBinary[T integer](o *Op, op string, out, a, b *tensor.Tensor) bool {
	if out.DType() == tensor.Bool {
		return compare[T](op, out, a, b)
	}
	z, x, y := tensor.Data[T](out), tensor.Data[T](a), tensor.Data[T](b)
	if op == "Div" || op == "Mod" {
		for _, d := range y {
			if d == 0 {
				return false
			}
		}
	}
	switch op {
	case "Add":
		return zip(z, x, y, func(x, y T) T { return x + y })
	case "Sub":
		return zip(z, x, y, func(x, y T) T { return x - y })
	case "Mul":
		return zip(z, x, y, func(x, y T) T { return x * y })
	case "Div":
		return zip(z, x, y, func(x, y T) T { return x / y })
	case "Max":
		return zip(z, x, y, func(x, y T) T { return max(x, y) })
	case "Min":
		return zip(z, x, y, func(x, y T) T { return min(x, y) })
	case "Mod":
		fmod := o.Int("fmod", 0) != 0
		return zip(z, x, y, func(x, y T) T {
			m := x % y
			if !fmod && m != 0 && (m < 0) != (y < 0) {
				m += y // the sign of the divisor, as in Python
			}
			return m
		})
	case "Pow":
		return zip(z, x, y, func(x, n T) T {
			if n < 0 || n > 64 {
				return T(math.Pow(float64(x), float64(n)))
			}
			p := T(1)
			for range int(n) {
				p *= x
			}
			return p
		})
	}
	return false
}

func boolBinary(op string, out, a, b *tensor.Tensor) bool {
	if out.DType() != tensor.Bool {
		return false
	}
	z, x, y := tensor.Data[bool](out), tensor.Data[bool](a), tensor.Data[bool](b)
	switch op {
	case "And":
		return zip(z, x, y, func(x, y bool) bool { return x && y })
	case "Or":
		return zip(z, x, y, func(x, y bool) bool { return x || y })
	case "Xor":
		return zip(z, x, y, func(x, y bool) bool { return x != y })
	case "Equal":
		return zip(z, x, y, func(x, y bool) bool { return x == y })
	}
	return false
}

func (e *evaluation) variadic() (*tensor.Tensor, error) {
	op := e.o.Type
	if op == "Sum" {
		op = "Add"
	}
	out := e.in[0]
	for _, t := range e.in[1:] {
		if t == nil {
			return nil, ErrUnknownOp
		}
		var err error
		if out, err = e.binary(op, out, t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// floatUnary are the functions that are exact, or correctly rounded, and so the same everywhere.
var floatUnary = map[string]func(float64) float64{
	"Neg": func(x float64) float64 { return -x }, "Abs": math.Abs, "Sqrt": math.Sqrt, "Floor": math.Floor, "Ceil": math.Ceil,
	"Round": math.RoundToEven, "Reciprocal": func(x float64) float64 { return 1 / x }, "Relu": func(x float64) float64 { return max(x, 0) },
	"Sign": func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
}

// unary computes an element-wise op of one input; both results are nil when it is none that is folded.
func (e *evaluation) unary() (*tensor.Tensor, error) {
	if len(e.in) != 1 {
		return nil, nil
	}
	x := e.in[0]
	d := x.DType()
	if e.o.Type == "Not" && d == tensor.Bool {
		out, err := e.alloc(d, x.Shape())
		if err != nil {
			return nil, err
		}
		for i, b := range tensor.Data[bool](x) {
			tensor.Data[bool](out)[i] = !b
		}
		return out, nil
	}
	f, ok := floatUnary[e.o.Type]
	if !ok {
		return nil, nil
	}
	if isHalf(d) {
		x = toFloat32(x)
	}
	out, err := e.alloc(x.DType(), x.Shape())
	if err != nil {
		return nil, err
	}
	switch {
	case x.DType() == tensor.Float32:
		for i, v := range tensor.Data[float32](x) {
			tensor.Data[float32](out)[i] = float32(f(float64(v)))
		}
	case x.DType() == tensor.Float64:
		for i, v := range tensor.Data[float64](x) {
			tensor.Data[float64](out)[i] = f(v)
		}
	case d == tensor.Int64 || d == tensor.Int32:
		list, _ := intsOf(x)
		for i, v := range list {
			switch e.o.Type {
			case "Neg":
				list[i] = -v
			case "Abs":
				list[i] = abs(v)
			case "Relu":
				list[i] = max(v, 0)
			case "Sign":
				list[i] = min(max(v, -1), 1)
			default:
				return nil, nil
			}
		}
		return narrow(list, d, x.Shape()), nil
	default:
		return nil, nil
	}
	if isHalf(d) {
		return fromFloat32(out, d), nil
	}
	return out, nil
}
