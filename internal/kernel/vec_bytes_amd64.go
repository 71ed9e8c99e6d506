//go:build !noasm

package kernel

import "unsafe"

// The conversions return how many elements they did: whole vectors.

func vecWhole(n int) int {
	switch {
	case active >= AVX512:
		return n &^ 15
	case active >= AVX2:
		return n &^ 7
	}
	return 0
}

func vecQuantize(dst *uint8, src []float32, scale float32, zero, least, most int32) int {
	n := vecWhole(len(src))
	if n == 0 {
		return 0
	}
	lo, hi, x := float32(least-zero), float32(most-zero), unsafe.SliceData(src)
	switch wide := active >= AVX512; {
	case wide && least < 0:
		quantizeInt8AVX512(dst, x, n, scale, lo, hi, zero)
	case wide:
		quantizeUint8AVX512(dst, x, n, scale, lo, hi, zero)
	case least < 0:
		quantizeInt8AVX2(dst, x, n, scale, lo, hi, zero)
	default:
		quantizeUint8AVX2(dst, x, n, scale, lo, hi, zero)
	}
	return n
}

func vecDequantize(dst []float32, src *uint8, scale float32, zero int32, signed bool) int {
	n := vecWhole(len(dst))
	if n == 0 {
		return 0
	}
	y := unsafe.SliceData(dst)
	switch wide := active >= AVX512; {
	case wide && signed:
		dequantizeInt8AVX512(y, src, n, scale, zero)
	case wide:
		dequantizeUint8AVX512(y, src, n, scale, zero)
	case signed:
		dequantizeInt8AVX2(y, src, n, scale, zero)
	default:
		dequantizeUint8AVX2(y, src, n, scale, zero)
	}
	return n
}

func vecFromFloat16(dst []float32, src []uint16) int {
	n := vecWhole(len(dst))
	switch {
	case n == 0:
	case active >= AVX512:
		widenFloat16AVX512(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	default:
		widenFloat16AVX2(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	}
	return n
}

func vecToFloat16(dst []uint16, src []float32) int {
	n := vecWhole(len(dst))
	switch {
	case n == 0:
	case active >= AVX512:
		narrowFloat16AVX512(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	default:
		narrowFloat16AVX2(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	}
	return n
}

// vecInt8Scale computes y[i] = (acc[i] + shift[i] - zeros[i]*rowSum) * scale[i] + bias[i].
func vecInt8Scale(y []float32, acc, shift, zeros []int32, scale, bias []float32, rowSum int32) int {
	n := vecWhole(len(y))
	switch {
	case n == 0:
	case active >= AVX512:
		int8ScaleAVX512(unsafe.SliceData(y), unsafe.SliceData(acc), unsafe.SliceData(shift), unsafe.SliceData(zeros),
			unsafe.SliceData(scale), unsafe.SliceData(bias), n, rowSum)
	default:
		int8ScaleAVX2(unsafe.SliceData(y), unsafe.SliceData(acc), unsafe.SliceData(shift), unsafe.SliceData(zeros),
			unsafe.SliceData(scale), unsafe.SliceData(bias), n, rowSum)
	}
	return n
}
