package simd

import "math"

// Float8 is an 8-bit float format of the OCP 8-bit floating point specification (revision 1.0), without its infinities
// and NaNs: callers carry those another way.
type Float8 uint8

// The formats: four exponent bits with bias 7, or five with bias 15.
const (
	E4M3 Float8 = 0
	E5M2 Float8 = 1
)

// Valid reports whether f is one of the formats.
func (f Float8) Valid() bool { return f <= E5M2 }

// Largest is the largest finite value: 448 or 57344.
func (f Float8) Largest() float64 {
	if f == E4M3 {
		return 448
	}
	return 57344
}

// mantissa is the number of mantissa bits, bias the exponent's bias.
func (f Float8) mantissa() (bits, bias int) {
	if f == E4M3 {
		return 3, 7
	}
	return 2, 15
}

// F32ToF8 is dst[i] = the float8 nearest to src[i]*scale, ties to even, saturated at the largest finite value. scale is a
// power of two and src is finite.
func F32ToF8(dst []byte, src []float32, f Float8, scale float32) {
	m, bias := f.mantissa()
	shift := 23 - m
	top := math.Float32bits(float32(f.Largest()))
	normal := uint32(128-bias) << 23 // bits of the smallest normal number
	// Adding unit*1.5*2^23 to a smaller number rounds it to a multiple of unit, the subnormals' step.
	magic := float32(math.Ldexp(1, 1-bias-m+23))
	rebase := uint32(127-bias) << 23
	for i, x := range src {
		b := math.Float32bits(float32(x * scale))
		sign := byte(b>>24) & 0x80
		b = min(b&0x7fffffff, top)
		if b < normal {
			v := float32(math.Float32frombits(b)+magic) - magic
			dst[i] = sign | byte(float32(v*float32(math.Ldexp(1, bias-1+m))))
			continue
		}
		b += 1<<(shift-1) - 1 + b>>shift&1
		dst[i] = sign | byte((min(b, top)-rebase)>>shift)
	}
}

// F8ToF32 is the value of each src[i] times scale, a power of two. Codes that the formats use for NaN and infinities
// decode as the numbers that continue the sequence.
func F8ToF32(dst []float32, src []byte, f Float8, scale float32) {
	table := &float8Values[f]
	for i := range dst {
		dst[i] = float32(table[src[i]] * scale)
	}
}

// float8Values holds the value of every code of both formats.
var float8Values = [2][256]float32{E4M3: float8Table(E4M3), E5M2: float8Table(E5M2)}

func float8Table(f Float8) (table [256]float32) {
	m, bias := f.mantissa()
	for code := range 128 {
		e, frac := code>>m, code&(1<<m-1)
		v := math.Ldexp(float64(frac), 1-bias-m)
		if e > 0 {
			v = math.Ldexp(float64(frac+1<<m), e-bias-m)
		}
		table[code], table[code+128] = float32(v), float32(-v)
	}
	return table
}
