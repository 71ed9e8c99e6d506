package kernel

import (
	"math"
)

// Affine quantisation: q = saturate(round(x/scale) + zero), ties to even, and x = (q-zero) * scale. A NaN becomes zero.

// QuantizeUint8 quantises with one scale and zero point.
func QuantizeUint8(dst []uint8, src []float32, scale float32, zero uint8) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = uint8(quantize(v, scale, int32(zero), 0, 255))
	}
}

// QuantizeInt8 quantises with one scale and zero point.
func QuantizeInt8(dst []int8, src []float32, scale float32, zero int8) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = int8(quantize(v, scale, int32(zero), -128, 127))
	}
}

func quantize(v, scale float32, zero, lo, hi int32) int32 {
	return roundSaturate(v/scale, zero, lo, hi)
}

// roundSaturate is saturate(round(v) + zero).
func roundSaturate(v float32, zero, lo, hi int32) int32 {
	if v != v {
		return min(max(zero, lo), hi)
	}
	// Bounds before the conversion, which is undefined for large values.
	r := math.RoundToEven(float64(min(max(v, -1<<20), 1<<20)))
	return min(max(int32(r)+zero, lo), hi)
}

// DequantizeUint8 computes (src[i]-zero) * scale.
func DequantizeUint8(dst []float32, src []uint8, scale float32, zero uint8) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = float32(int32(v)-int32(zero)) * scale
	}
}

// DequantizeInt8 computes (src[i]-zero) * scale.
func DequantizeInt8(dst []float32, src []int8, scale float32, zero int8) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = float32(int32(v)-int32(zero)) * scale
	}
}

// MinMax returns the smallest and largest element of x, NaNs ignored; 0, 0 when there is none.
func MinMax(x []float32) (lo, hi float32) {
	lo, hi = posInf, negInf
	for _, v := range x {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}
