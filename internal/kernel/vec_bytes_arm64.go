//go:build !noasm

package kernel

import "unsafe"

// The conversions return how many elements they did: whole vectors.

func vecWhole(n int) int {
	if active < NEON {
		return 0
	}
	return n &^ 3
}

func vecQuantize(dst *uint8, src []float32, scale float32, zero, least, most int32) int {
	n := vecWhole(len(src))
	if n > 0 {
		quantizeNEON(dst, unsafe.SliceData(src), n, scale, float32(least-zero), float32(most-zero), zero)
	}
	return n
}

func vecDequantize(dst []float32, src *uint8, scale float32, zero int32, signed bool) int {
	n := vecWhole(len(dst))
	switch {
	case n == 0:
	case signed:
		dequantizeInt8NEON(unsafe.SliceData(dst), src, n, scale, zero)
	default:
		dequantizeUint8NEON(unsafe.SliceData(dst), src, n, scale, zero)
	}
	return n
}

func vecFromFloat16(dst []float32, src []uint16) int {
	n := vecWhole(len(dst))
	if n > 0 {
		widenFloat16NEON(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	}
	return n
}

func vecToFloat16(dst []uint16, src []float32) int {
	n := vecWhole(len(dst))
	if n > 0 {
		narrowFloat16NEON(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	}
	return n
}

// vecInt8Scale computes y[i] = (acc[i] + shift[i] - zeros[i]*rowSum) * scale[i] + bias[i].
func vecInt8Scale(y []float32, acc, shift, zeros []int32, scale, bias []float32, rowSum int32) int {
	n := vecWhole(len(y))
	if n > 0 {
		int8ScaleNEON(unsafe.SliceData(y), unsafe.SliceData(acc), unsafe.SliceData(shift), unsafe.SliceData(zeros),
			unsafe.SliceData(scale), unsafe.SliceData(bias), n, rowSum)
	}
	return n
}
