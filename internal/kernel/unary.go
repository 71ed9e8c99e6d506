package kernel

import "math"

// Unary element-wise functions. dst and src have the same length and may be the same slice. An element's result depends on
// its value alone, not on its place. Against the exact value of the function the error bounds are those that unary_test
// checks over the whole range: see maxULP there.

// Relu computes max(x, 0) and keeps NaN.
func Relu(dst, src []float32) { Clip(dst, src, 0, posInf) }

// Clip computes min(max(x, lo), hi) and keeps NaN.
func Clip(dst, src []float32, lo, hi float32) {
	src = src[:len(dst)]
	if vecClip(dst, src, lo, hi) {
		return
	}
	for i, v := range src {
		dst[i] = clampTo(v, lo, hi)
	}
}

// LeakyRelu computes x < 0 ? alpha*x : x.
func LeakyRelu(dst, src []float32, alpha float32) {
	src = src[:len(dst)]
	if vecUnary(opLeakyRelu, dst, src, alpha, 0) {
		return
	}
	for i, v := range src {
		if v < 0 {
			v *= alpha
		}
		dst[i] = v
	}
}

// HardSigmoid computes min(max(alpha*x+beta, 0), 1).
func HardSigmoid(dst, src []float32, alpha, beta float32) {
	src = src[:len(dst)]
	if vecUnary(opHardSigmoid, dst, src, alpha, beta) {
		return
	}
	for i, v := range src {
		dst[i] = clampTo(alpha*v+beta, 0, 1)
	}
}

// HardSwish computes x * min(max(x/6+1/2, 0), 1).
func HardSwish(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opHardSwish, dst, src, 1.0/6, 0.5) {
		return
	}
	for i, v := range src {
		dst[i] = v * clampTo(v*(1.0/6)+0.5, 0, 1)
	}
}

// Exp computes e to the x; above 88.7 it is +Inf, below -87.4 it may be flushed to 0.
func Exp(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opExp, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		dst[i] = exp32(v)
	}
}

func exp32(v float32) float32 { return float32(math.Exp(float64(v))) }

// Log computes the natural logarithm.
func Log(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] = float32(math.Log(float64(v)))
	}
}

// Sigmoid computes 1 / (1+exp(-x)).
func Sigmoid(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opSigmoid, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		dst[i] = sigmoid32(v)
	}
}

func sigmoid32(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// SiLU computes x / (1+exp(-x)), also called Swish.
func SiLU(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opSiLU, dst, src, 0, 0) {
		return
	}
	siluScaled(dst, src, 1)
}

// siluScaled computes x / (1+exp(-alpha*x)).
func siluScaled(dst, src []float32, alpha float32) {
	for i, v := range src {
		dst[i] = v * sigmoid32(alpha*v)
	}
}

// Tanh computes the hyperbolic tangent.
func Tanh(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opTanh, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}

// Erf computes the error function.
func Erf(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opErf, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		dst[i] = float32(math.Erf(float64(v)))
	}
}

// GELU computes x/2 * (1+erf(x/sqrt(2))).
func GELU(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opGELU, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		dst[i] = float32(0.5 * float64(v) * (1 + math.Erf(float64(v)/math.Sqrt2)))
	}
}

// GELUTanh computes x/2 * (1+tanh(sqrt(2/pi)*(x+0.044715*x*x*x))).
func GELUTanh(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opGELUTanh, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		x := float64(v)
		dst[i] = float32(0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))))
	}
}

// Elu computes x < 0 ? alpha*(exp(x)-1) : x.
func Elu(dst, src []float32, alpha float32) {
	for i, v := range src[:len(dst)] {
		if v < 0 {
			v = alpha * float32(math.Expm1(float64(v)))
		}
		dst[i] = v
	}
}

// Softplus computes log(1+exp(x)).
func Softplus(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] = float32(softplus64(float64(v)))
	}
}

func softplus64(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// mish computes x * tanh(softplus(x)).
func mish(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] = float32(float64(v) * math.Tanh(softplus64(float64(v))))
	}
}

// Sqrt computes the square root.
func Sqrt(dst, src []float32) {
	src = src[:len(dst)]
	if vecUnary(opSqrt, dst, src, 0, 0) {
		return
	}
	for i, v := range src {
		dst[i] = float32(math.Sqrt(float64(v)))
	}
}

// The functions that vecUnary knows.
const (
	opLeakyRelu = iota
	opHardSigmoid
	opHardSwish
	opExp
	opSigmoid
	opSiLU
	opTanh
	opErf
	opGELU
	opGELUTanh
	opSqrt
)
