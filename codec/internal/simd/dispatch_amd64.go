//go:build amd64 && !noasm

package simd

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

var (
	hasAVX2   = cpuid.CPU.Supports(cpuid.AVX2, cpuid.F16C, cpuid.POPCNT)
	hasAVX512 = hasAVX2 && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ)
)

func f32ToF16(dst []byte, src []float32) {
	n := 0
	if hasAVX2 && len(src) >= 16 {
		n = len(src) &^ 15
		f32ToF16AVX2(&dst[0], &src[0], n)
	}
	f32ToF16Generic(dst[2*n:], src[n:])
}

func f16ToF32(dst []float32, src []byte) {
	n := 0
	if hasAVX2 && len(dst) >= 16 {
		n = len(dst) &^ 15
		f16ToF32AVX2(&dst[0], &src[0], n)
	}
	f16ToF32Generic(dst[n:], src[2*n:])
}

func f32ToBF16(dst []byte, src []float32) {
	n := 0
	if hasAVX2 && len(src) >= 16 {
		n = len(src) &^ 15
		f32ToBF16AVX2(&dst[0], &src[0], n)
	}
	f32ToBF16Generic(dst[2*n:], src[n:])
}

func bf16ToF32(dst []float32, src []byte) {
	n := 0
	if hasAVX2 && len(dst) >= 16 {
		n = len(dst) &^ 15
		bf16ToF32AVX2(&dst[0], &src[0], n)
	}
	bf16ToF32Generic(dst[n:], src[2*n:])
}

func maxAbs(src []float32) uint32 {
	if !hasAVX2 || len(src) < 32 {
		return maxAbsGeneric(src)
	}
	var part [8]uint32
	n := len(src) &^ 31
	maxAbsAVX2(&src[0], n, &part)
	m := maxAbsGeneric(src[n:])
	for _, v := range part {
		m = max(m, v)
	}
	return m
}

func rangeOf(src []float32) (lo, hi float32, finite bool) {
	if !hasAVX2 || len(src) < 16 {
		return rangeGeneric(src)
	}
	var los, his [8]float32
	var abs [8]uint32
	n := len(src) &^ 15
	rangeAVX2(&src[0], n, &los, &his, &abs)
	lo, hi, finite = rangeGeneric(src[n-1:]) // at least one element, seen twice
	for i := range los {
		lo, hi = min(lo, los[i]), max(hi, his[i])
		finite = finite && abs[i] < 0x7f800000
	}
	return lo, hi, finite
}

func rangeRow(lo, hi, src []float32) {
	n := 0
	if hasAVX2 && len(src) >= 16 {
		n = len(src) &^ 15
		rangeRowAVX2(&lo[0], &hi[0], &src[0], n)
	}
	rangeRowGeneric(lo[n:], hi[n:], src[n:])
}

func quantize(dst []byte, src []float32, base, inv, top float32) {
	n := 0
	if hasAVX2 && len(src) >= 32 {
		n = len(src) &^ 31
		quantizeAVX2(&dst[0], &src[0], base, inv, top, n)
	}
	quantizeGeneric(dst[n:], src[n:], base, inv, top)
}

func dequantize(dst []float32, src []byte, base, step float32) {
	n := 0
	if hasAVX2 && len(dst) >= 32 {
		n = len(dst) &^ 31
		dequantizeAVX2(&dst[0], &src[0], base, step, n)
	}
	dequantizeGeneric(dst[n:], src[n:], base, step)
}

func quantizeRow(dst []byte, src, base, inv []float32, top float32) {
	n := 0
	if hasAVX2 && len(src) >= 32 {
		n = len(src) &^ 31
		quantizeRowAVX2(&dst[0], &src[0], &base[0], &inv[0], top, n)
	}
	quantizeRowGeneric(dst[n:], src[n:], base[n:], inv[n:], top)
}

func dequantizeRow(dst []float32, src []byte, base, step []float32) {
	n := 0
	if hasAVX2 && len(dst) >= 32 {
		n = len(dst) &^ 31
		dequantizeRowAVX2(&dst[0], &src[0], &base[0], &step[0], n)
	}
	dequantizeRowGeneric(dst[n:], src[n:], base[n:], step[n:])
}

// split4 splits whole vectors and returns how many elements it has done; so do merge4, compact4 and spread4.
func split4(dst, src []byte, n int, rotate bool) int {
	done := n &^ 31
	if !hasAVX2 || done == 0 {
		return 0
	}
	kernel := split4AVX2
	if rotate {
		kernel = split4RotateAVX2
	}
	p := unsafe.SliceData(dst)
	kernel(p, at(p, n), at(p, 2*n), at(p, 3*n), unsafe.SliceData(src), done)
	return done
}

func merge4(dst, src []byte, n int, rotate bool) int {
	done := n &^ 31
	if !hasAVX2 || done == 0 {
		return 0
	}
	kernel := merge4AVX2
	if rotate {
		kernel = merge4RotateAVX2
	}
	p := unsafe.SliceData(src)
	kernel(unsafe.SliceData(dst), p, at(p, n), at(p, 2*n), at(p, 3*n), done)
	return done
}

func at(p *byte, n int) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(p), n)) }

func compact4(mask, dst, src []byte, n int) (done, kept int) {
	switch {
	case hasAVX512 && n >= 16:
		done = n &^ 15
		return done, compact4AVX512(&mask[0], &dst[0], &src[0], done)
	case hasAVX2 && n >= 8:
		done = n &^ 7
		return done, compact4AVX2(&mask[0], &dst[0], &src[0], done)
	}
	return 0, 0
}

func spread4(dst, mask, src []byte, n int) (done, used int) {
	switch {
	case hasAVX512 && n >= 16:
		done = n &^ 15
		return done, spread4AVX512(&dst[0], &mask[0], &src[0], done)
	case hasAVX2 && n >= 8:
		done = n &^ 7
		return done, spread4AVX2(&dst[0], &mask[0], &src[0], done)
	}
	return 0, 0
}
