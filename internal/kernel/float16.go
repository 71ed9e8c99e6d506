package kernel

import "math"

// Conversions between float32 and the 16-bit float types. Narrowing rounds to nearest, ties to even; NaN stays NaN.

// Float16ToFloat32 widens IEEE half precision.
func Float16ToFloat32(dst []float32, src []uint16) {
	src = src[:len(dst)]
	i := vecFromFloat16(dst, src)
	for ; i < len(dst); i++ {
		dst[i] = FromFloat16(src[i])
	}
}

// Float32ToFloat16 narrows to IEEE half precision; what is too large becomes infinite.
func Float32ToFloat16(dst []uint16, src []float32) {
	src = src[:len(dst)]
	i := vecToFloat16(dst, src)
	for ; i < len(dst); i++ {
		dst[i] = ToFloat16(src[i])
	}
}

// BFloat16ToFloat32 widens bfloat16.
func BFloat16ToFloat32(dst []float32, src []uint16) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}

// Float32ToBFloat16 narrows to bfloat16.
func Float32ToBFloat16(dst []uint16, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = ToBFloat16(v)
	}
}

// FromFloat16 widens one half-precision value.
func FromFloat16(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0:
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		if frac != 0 {
			frac |= 512 // quiet, as the conversion instructions do
		}
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ToFloat16 narrows one value to half precision.
func ToFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: quiet, upper bits of the payload kept
		return sign | 0x7e00 | uint16(b>>13&0x1ff)
	case b >= 0x47800000: // 65536 and above
		return sign | 0x7c00
	case b >= 0x38800000: // normal
		b += 0xfff + b>>13&1
		return sign | uint16((b-0x38000000)>>13)
	case b < 0x33000000: // below half of the smallest subnormal
		return sign
	}
	shift := 126 - b>>23
	frac := b&0x7fffff | 0x800000
	half := uint32(1) << (shift - 1)
	return sign | uint16((frac+half-1+frac>>shift&1)>>shift)
}

// ToBFloat16 narrows one value to bfloat16.
func ToBFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
