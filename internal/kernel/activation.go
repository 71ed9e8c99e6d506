package kernel

import "math"

// ActKind names an element-wise function that a product applies to its result.
type ActKind uint8

// The activations. A and B are the parameters of Activation.
const (
	ActNone        ActKind = iota // x
	ActRelu                       // max(x, 0)
	ActClip                       // min(max(x, A), B)
	ActLeakyRelu                  // x < 0 ? A*x : x
	ActHardSigmoid                // min(max(A*x+B, 0), 1)
	ActHardSwish                  // x * min(max(x/6+1/2, 0), 1)
	ActSigmoid                    // 1 / (1+exp(-x))
	ActSiLU                       // x / (1+exp(-A*x)), A = 1 when 0
	ActTanh                       // tanh(x)
	ActGELU                       // x/2 * (1+erf(x/sqrt(2)))
	ActGELUTanh                   // x/2 * (1+tanh(sqrt(2/pi)*(x+0.044715*x*x*x)))
	ActElu                        // x < 0 ? A*(exp(x)-1) : x
	ActSoftplus                   // log(1+exp(x))
	ActMish                       // x * tanh(softplus(x))
	ActSelu                       // B * (x < 0 ? A*(exp(x)-1) : x)
)

// Activation is an element-wise function with its parameters. The zero value is the identity.
type Activation struct {
	Kind ActKind
	A, B float32
}

// clamp returns the bounds of an activation that is only a clamp. Products apply those in registers.
func (a Activation) clamp() (lo, hi float32, ok bool) {
	inf := float32(math.Inf(1))
	switch a.Kind {
	case ActNone:
		return -inf, inf, true
	case ActRelu:
		return 0, inf, true
	case ActClip:
		return a.A, a.B, true
	}
	return 0, 0, false
}

// Apply computes dst[i] = a(src[i]). It may work in place.
func (a Activation) Apply(dst, src []float32) {
	switch a.Kind {
	case ActNone:
		copy(dst, src)
	case ActRelu:
		Relu(dst, src)
	case ActClip:
		Clip(dst, src, a.A, a.B)
	case ActLeakyRelu:
		LeakyRelu(dst, src, a.A)
	case ActHardSigmoid:
		HardSigmoid(dst, src, a.A, a.B)
	case ActHardSwish:
		HardSwish(dst, src)
	case ActSigmoid:
		Sigmoid(dst, src)
	case ActSiLU:
		if a.A != 0 && a.A != 1 {
			siluScaled(dst, src, a.A)
			return
		}
		SiLU(dst, src)
	case ActTanh:
		Tanh(dst, src)
	case ActGELU:
		GELU(dst, src)
	case ActGELUTanh:
		GELUTanh(dst, src)
	case ActElu:
		Elu(dst, src, a.A)
	case ActSelu:
		Elu(dst, src, a.A)
		MulScalar(dst, dst, a.B)
	case ActSoftplus:
		Softplus(dst, src)
	case ActMish:
		mish(dst, src)
	}
}
