package kernel

import (
	"math"
	"unsafe"
)

// Affine quantisation: q = saturate(round(x/scale) + zero), ties to even, and x = (q-zero) * scale. A NaN becomes zero.

// QuantizeUint8 quantises with one scale and zero point.
func QuantizeUint8(dst []uint8, src []float32, scale float32, zero uint8) {
	quantize(dst, src, scale, int32(zero), 0, 255)
}

// QuantizeInt8 quantises with one scale and zero point.
func QuantizeInt8(dst []int8, src []float32, scale float32, zero int8) {
	quantize(asUint8(dst), src, scale, int32(zero), -128, 127)
}

// quantize stores the low byte of saturate(round(x/scale) + zero) between lo and hi.
func quantize(dst []uint8, src []float32, scale float32, zero, lo, hi int32) {
	src = src[:len(dst)]
	i := vecQuantize(unsafe.SliceData(dst), src, scale, zero, lo, hi)
	for ; i < len(dst); i++ {
		dst[i] = uint8(roundSaturate(src[i]/scale, zero, lo, hi))
	}
}

func asUint8(b []int8) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
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
	i := vecDequantize(dst, unsafe.SliceData(src), scale, int32(zero), false)
	for ; i < len(dst); i++ {
		dst[i] = float32(int32(src[i])-int32(zero)) * scale
	}
}

// DequantizeInt8 computes (src[i]-zero) * scale.
func DequantizeInt8(dst []float32, src []int8, scale float32, zero int8) {
	src = src[:len(dst)]
	i := vecDequantize(dst, unsafe.SliceData(asUint8(src)), scale, int32(zero), true)
	for ; i < len(dst); i++ {
		dst[i] = float32(int32(src[i])-int32(zero)) * scale
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
