package simd

import (
	"encoding/binary"
	"math"
)

// FloatToHalf is x rounded to the nearest IEEE 754 binary16, ties to even. A NaN stays one, quiet, with the upper bits of
// its payload; what is beyond the largest half becomes an infinity.
func FloatToHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x477ff000: // rounds to 65536 or more
		return sign | 0x7c00
	case b >= 0x38800000: // normal
		return sign | uint16((b+0xfff+(b>>13)&1-0x38000000)>>13)
	default:
		// Adding 0.5 puts the unit of the last place where a subnormal half has it.
		f := math.Float32frombits(b) + 0.5
		return sign | uint16(math.Float32bits(f)-0x3f000000)
	}
}

// HalfToFloat is h exactly; a NaN becomes quiet.
func HalfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	e, m := uint32(h>>10)&31, uint32(h)&0x3ff
	switch {
	case e == 31 && m != 0:
		return math.Float32frombits(sign | 0x7fc00000 | m<<13)
	case e == 31:
		return math.Float32frombits(sign | 0x7f800000)
	case e == 0:
		return math.Float32frombits(sign | math.Float32bits(float32(m)*(1.0/(1<<24))))
	default:
		return math.Float32frombits(sign | (e+112)<<23 | m<<13)
	}
}

// FloatToBFloat is x rounded to the nearest bfloat16, ties to even; a NaN stays one, quiet.
func FloatToBFloat(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func f32ToF16Generic(dst []byte, src []float32) {
	for i, x := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], FloatToHalf(x))
	}
}

func f16ToF32Generic(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = HalfToFloat(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func f32ToBF16Generic(dst []byte, src []float32) {
	for i, x := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], FloatToBFloat(x))
	}
}

func bf16ToF32Generic(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

// maxAbsGeneric returns the largest bit pattern of |x|: above 0x7f800000 when src has a NaN, equal to it when src has an
// infinity and no NaN. Non-negative floats order as their bits do.
func maxAbsGeneric(src []float32) uint32 {
	var m uint32
	for _, x := range src {
		m = max(m, math.Float32bits(x)&0x7fffffff)
	}
	return m
}
