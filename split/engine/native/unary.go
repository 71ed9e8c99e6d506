package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// unaryFunc is the function of an element-wise op on one float, or nil when the op is none. It is computed in float64
// and rounded once.
func unaryFunc(c *call) func(x float64) float64 {
	switch c.op.Type {
	case "Acos":
		return math.Acos
	case "Acosh":
		return math.Acosh
	case "Asin":
		return math.Asin
	case "Asinh":
		return math.Asinh
	case "Atan":
		return math.Atan
	case "Atanh":
		return math.Atanh
	case "Ceil":
		return math.Ceil
	case "Cos":
		return math.Cos
	case "Cosh":
		return math.Cosh
	case "Erf":
		return math.Erf
	case "Exp":
		return math.Exp
	case "Floor":
		return math.Floor
	case "Log":
		return math.Log
	case "Reciprocal":
		return func(x float64) float64 { return 1 / x }
	case "Round":
		return math.RoundToEven
	case "Sigmoid":
		return sigmoid
	case "Sin":
		return math.Sin
	case "Sinh":
		return math.Sinh
	case "Softplus":
		return func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	case "Softsign":
		return func(x float64) float64 { return x / (1 + math.Abs(x)) }
	case "Sqrt":
		return math.Sqrt
	case "Tan":
		return math.Tan
	case "Tanh":
		return math.Tanh
	case "HardSwish":
		return func(x float64) float64 { return x * min(max(x/6+.5, 0), 1) }
	case "Mish":
		return func(x float64) float64 { return x * math.Tanh(max(x, 0)+math.Log1p(math.Exp(-math.Abs(x)))) }
	case "Gelu":
		if c.attrString("approximate", "none") == "tanh" {
			return geluTanh
		}
		return gelu
	case "FastGelu":
		return geluTanh
	}
	return unaryWithParameters(c)
}

func unaryWithParameters(c *call) func(x float64) float64 {
	switch c.op.Type {
	case "Celu":
		a := c.attrFloat("alpha", 1)
		return func(x float64) float64 { return max(x, 0) + min(0, a*math.Expm1(x/a)) }
	case "Elu":
		a := c.attrFloat("alpha", 1)
		return func(x float64) float64 {
			if x < 0 {
				return a * math.Expm1(x)
			}
			return x
		}
	case "HardSigmoid":
		a, b := c.attrFloat("alpha", .2), c.attrFloat("beta", .5)
		return func(x float64) float64 { return min(max(a*x+b, 0), 1) }
	case "LeakyRelu":
		a := c.attrFloat("alpha", .01)
		return func(x float64) float64 {
			if x < 0 {
				return a * x
			}
			return x
		}
	case "Selu":
		a, g := c.attrFloat("alpha", 1.67326319217681884765625), c.attrFloat("gamma", 1.05070102214813232421875)
		return func(x float64) float64 {
			if x <= 0 {
				return g * a * math.Expm1(x)
			}
			return g * x
		}
	case "Shrink":
		lambd, bias := c.attrFloat("lambd", .5), c.attrFloat("bias", 0)
		return func(x float64) float64 {
			switch {
			case x < -lambd:
				return x + bias
			case x > lambd:
				return x - bias
			}
			return 0
		}
	case "Swish", "QuickGelu":
		def := float32(1)
		if c.op.Type == "QuickGelu" {
			def = 1.702
		}
		a := c.attrFloat("alpha", def)
		return func(x float64) float64 { return x * sigmoid(a*x) }
	case "ThresholdedRelu":
		a := c.attrFloat("alpha", 1)
		return func(x float64) float64 {
			if x > a {
				return x
			}
			return 0
		}
	}
	return nil
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
}

func evalUnary(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	f := unaryFunc(c)
	if f == nil {
		return c.unsupported("no such function")
	}
	if a.DType() == tensor.String || a.DType().Bits() == 64 && !isFloat(a.DType()) && !isInteger(a.DType()) {
		return c.unsupported("operand of type %s", a.DType())
	}
	if b := c.maybe(1); b != nil { // FastGelu of com.microsoft adds a bias first
		if a, err = c.biased(a, b); err != nil {
			return err
		}
	}
	out, err := c.output(0, a.DType(), a.Shape())
	if err != nil {
		return err
	}
	if a.DType() == tensor.Float32 {
		d := tensor.Data[float32](out)
		for i, x := range tensor.Data[float32](a) {
			d[i] = float32(f(float64(x)))
		}
		return nil
	}
	v := floats(a)
	for i, x := range v {
		v[i] = f(x)
	}
	setFloats(out, v)
	return nil
}

// biased is a + b, with b broadcast over a.
func (c *call) biased(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	so, ok := broadcastShapes(a.Shape(), b.Shape())
	if !ok || !so.Equal(a.Shape()) {
		return nil, c.errorf("bias %v does not fit %v", b.Shape(), a.Shape())
	}
	sum, err := c.scratch(a.DType(), so)
	if err != nil {
		return nil, err
	}
	v := make([]float64, sum.Len())
	zip(v, so, floats(a), so, floats(b), b.Shape(), func(x, y float64) float64 { return x + y })
	setFloats(sum, v)
	return sum, nil
}

func evalBiasGelu(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	b, err := c.tensor(1)
	if err != nil {
		return err
	}
	if a, err = c.biased(a, b); err != nil {
		return err
	}
	out, err := c.output(0, a.DType(), a.Shape())
	if err != nil {
		return err
	}
	v := floats(a)
	for i, x := range v {
		v[i] = gelu(x)
	}
	setFloats(out, v)
	return nil
}

// signed is the function of an element-wise op that integers have too.
func signed[T number](typ string) func(x T) T {
	switch typ {
	case "Abs":
		return func(x T) T {
			if x < 0 {
				return -x
			}
			return x + 0 // -0 becomes 0
		}
	case "Neg":
		return func(x T) T { return -x }
	case "Relu":
		return func(x T) T { return max(x, 0) }
	default: // Sign
		return func(x T) T {
			switch {
			case x > 0:
				return 1
			case x < 0:
				var one T = 1
				return -one
			}
			return x
		}
	}
}

func mapTensor[T tensor.Element](out, in *tensor.Tensor, f func(T) T) {
	d := tensor.Data[T](out)
	for i, x := range tensor.Data[T](in) {
		d[i] = f(x)
	}
}

func evalSigned(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	out, err := c.output(0, a.DType(), a.Shape())
	if err != nil {
		return err
	}
	typ := c.op.Type
	switch a.DType() {
	case tensor.Float32:
		mapTensor(out, a, signed[float32](typ))
	case tensor.Float64:
		mapTensor(out, a, signed[float64](typ))
	case tensor.Int8:
		mapTensor(out, a, signed[int8](typ))
	case tensor.Int16:
		mapTensor(out, a, signed[int16](typ))
	case tensor.Int32:
		mapTensor(out, a, signed[int32](typ))
	case tensor.Int64:
		mapTensor(out, a, signed[int64](typ))
	case tensor.Uint8:
		mapTensor(out, a, signed[uint8](typ))
	case tensor.Uint16:
		mapTensor(out, a, signed[uint16](typ))
	case tensor.Uint32:
		mapTensor(out, a, signed[uint32](typ))
	case tensor.Uint64:
		mapTensor(out, a, signed[uint64](typ))
	case tensor.Complex64:
		if typ != "Neg" {
			return c.unsupported("operand of type %s", a.DType())
		}
		mapTensor(out, a, func(x complex64) complex64 { return -x })
	case tensor.Float16, tensor.BFloat16:
		v, f := floats(a), signed[float64](typ)
		for i, x := range v {
			v[i] = f(x)
		}
		setFloats(out, v)
	default:
		return c.unsupported("operand of type %s", a.DType())
	}
	return nil
}
