package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// smallFloat is one of ONNX's 8-bit float formats.
type smallFloat struct {
	manBits, bias int
	max           float64 // largest finite value
	inf           bool    // has infinities
	fnuz          bool    // no negative zero; 0x80 is the only NaN
	nan           byte
	exponentOnly  bool // E8M0: the byte is an exponent
}

var (
	e4m3fn   = smallFloat{manBits: 3, bias: 7, max: 448, nan: 0x7f}
	e4m3fnuz = smallFloat{manBits: 3, bias: 8, max: 240, fnuz: true, nan: 0x80}
	e5m2     = smallFloat{manBits: 2, bias: 15, max: 57344, inf: true, nan: 0x7f}
	e5m2fnuz = smallFloat{manBits: 2, bias: 16, max: 57344, fnuz: true, nan: 0x80}
	e8m0     = smallFloat{exponentOnly: true, nan: 0xff}
)

func smallFloatOf(d tensor.DType) *smallFloat {
	switch d {
	case tensor.Float8E4M3FN:
		return &e4m3fn
	case tensor.Float8E4M3FNUZ:
		return &e4m3fnuz
	case tensor.Float8E5M2:
		return &e5m2
	case tensor.Float8E5M2FNUZ:
		return &e5m2fnuz
	case tensor.Float8E8M0:
		return &e8m0
	}
	return nil
}

func (f *smallFloat) decode(b byte) float64 {
	if f.exponentOnly {
		if b == f.nan {
			return math.NaN()
		}
		return math.Ldexp(1, int(b)-127)
	}
	sign := 1.0
	if b&0x80 != 0 {
		sign = -1
	}
	if f.fnuz && b == f.nan {
		return math.NaN()
	}
	mag := b & 0x7f
	expMax := byte(0x7f) >> f.manBits
	exp, man := int(mag>>f.manBits), int(mag)&(1<<f.manBits-1)
	switch {
	case f.inf && byte(exp) == expMax:
		if man == 0 {
			return math.Inf(int(sign))
		}
		return math.NaN()
	case !f.inf && !f.fnuz && mag == 0x7f:
		return math.NaN()
	case exp == 0:
		return sign * math.Ldexp(float64(man), 1-f.bias-f.manBits)
	}
	return sign * math.Ldexp(float64(man|1<<f.manBits), exp-f.bias-f.manBits)
}

// encode rounds to nearest, ties to even. What is too large becomes the largest finite value when saturate is set, else
// infinity or, in formats without infinity, NaN.
func (f *smallFloat) encode(v float64, saturate bool) byte {
	if v != v {
		return f.nan
	}
	if f.exponentOnly {
		return byte(min(max(math.Round(math.Log2(v))+127, 0), 254))
	}
	var sign byte
	if math.Signbit(v) {
		sign, v = 0x80, -v
	}
	if math.IsInf(v, 0) && !saturate || v > 4*f.max {
		v = math.Inf(1)
	} else {
		_, e := math.Frexp(v)
		ulp := math.Ldexp(1, max(e-1, 1-f.bias)-f.manBits)
		v = math.RoundToEven(v/ulp) * ulp
	}
	if v > f.max {
		switch {
		case saturate:
			v = f.max
		case f.inf:
			return sign | 0x7c
		default:
			return f.nan | sign
		}
	}
	if v == 0 {
		if f.fnuz {
			return 0
		}
		return sign
	}
	frac, e := math.Frexp(v) // v = frac * 2^e, frac in [.5, 1)
	exp := e - 1 + f.bias
	if exp <= 0 {
		return sign | byte(math.Ldexp(v, f.bias-1+f.manBits))
	}
	man := math.Ldexp(frac*2-1, f.manBits)
	return sign | byte(exp<<f.manBits+int(man))
}

// float4Values are the values of Float4E2M1 by code.
var float4Values = [16]float64{0, .5, 1, 1.5, 2, 3, 4, 6, math.Copysign(0, -1), -.5, -1, -1.5, -2, -3, -4, -6}

// encodeFloat4 rounds to the nearest Float4E2M1, ties to the even code, saturating.
func encodeFloat4(v float64) byte {
	var sign byte
	if math.Signbit(v) {
		sign, v = 8, -v
	}
	if v != v {
		return sign
	}
	best := byte(0)
	for c := byte(1); c < 8; c++ {
		d, b := math.Abs(v-float4Values[c]), math.Abs(v-float4Values[best])
		if d < b || d == b && c%2 == 0 {
			best = c
		}
	}
	return sign | best
}
