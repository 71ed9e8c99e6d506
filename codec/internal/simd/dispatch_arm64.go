//go:build arm64 && !noasm

package simd

import "unsafe"

//go:noescape
func f32ToF16NEON(dst *byte, src *float32, n int)

//go:noescape
func f16ToF32NEON(dst *float32, src *byte, n int)

//go:noescape
func f32ToBF16NEON(dst *byte, src *float32, n int)

//go:noescape
func bf16ToF32NEON(dst *float32, src *byte, n int)

//go:noescape
func maxAbsNEON(src *float32, n int, out *[4]uint32)

//go:noescape
func rangeNEON(src *float32, n int, lo, hi *[4]float32, abs *[4]uint32)

//go:noescape
func rangeRowNEON(lo, hi, src *float32, n int)

//go:noescape
func quantizeNEON(dst *byte, src *float32, base, inv, top float32, n int)

//go:noescape
func quantizeRowNEON(dst *byte, src, base, inv *float32, top float32, n int)

//go:noescape
func dequantizeNEON(dst *float32, src *byte, base, step float32, n int)

//go:noescape
func dequantizeRowNEON(dst *float32, src *byte, base, step *float32, n int)

//go:noescape
func foldNEON(dst *byte, src *float32, inv, round float32, n int)

//go:noescape
func split4NEON(p0, p1, p2, p3, src *byte, n int)

//go:noescape
func split4RotateNEON(p0, p1, p2, p3, src *byte, n int)

//go:noescape
func merge4NEON(dst, p0, p1, p2, p3 *byte, n int)

//go:noescape
func merge4RotateNEON(dst, p0, p1, p2, p3 *byte, n int)

func f32ToF16(dst []byte, src []float32) {
	n := len(src) &^ 7
	if n > 0 {
		f32ToF16NEON(&dst[0], &src[0], n)
	}
	f32ToF16Generic(dst[2*n:], src[n:])
}

func f16ToF32(dst []float32, src []byte) {
	n := len(dst) &^ 7
	if n > 0 {
		f16ToF32NEON(&dst[0], &src[0], n)
	}
	f16ToF32Generic(dst[n:], src[2*n:])
}

func f32ToBF16(dst []byte, src []float32) {
	n := len(src) &^ 7
	if n > 0 {
		f32ToBF16NEON(&dst[0], &src[0], n)
	}
	f32ToBF16Generic(dst[2*n:], src[n:])
}

func bf16ToF32(dst []float32, src []byte) {
	n := len(dst) &^ 7
	if n > 0 {
		bf16ToF32NEON(&dst[0], &src[0], n)
	}
	bf16ToF32Generic(dst[n:], src[2*n:])
}

func maxAbs(src []float32) uint32 {
	n := len(src) &^ 7
	var part [4]uint32
	if n > 0 {
		maxAbsNEON(&src[0], n, &part)
	}
	m := maxAbsGeneric(src[n:])
	for _, v := range part {
		m = max(m, v)
	}
	return m
}

func rangeOf(src []float32) (lo, hi float32, finite bool) {
	n := len(src) &^ 7
	if n == 0 {
		return rangeGeneric(src)
	}
	var los, his [4]float32
	var abs [4]uint32
	rangeNEON(&src[0], n, &los, &his, &abs)
	lo, hi, finite = rangeGeneric(src[n-1:]) // at least one element, seen twice
	for i := range los {
		lo, hi = min(lo, los[i]), max(hi, his[i])
		finite = finite && abs[i] < 0x7f800000
	}
	return lo, hi, finite
}

func rangeRow(lo, hi, src []float32) {
	n := len(src) &^ 7
	if n > 0 {
		rangeRowNEON(&lo[0], &hi[0], &src[0], n)
	}
	rangeRowGeneric(lo[n:], hi[n:], src[n:])
}

func quantize(dst []byte, src []float32, base, inv, top float32) {
	n := len(src) &^ 15
	if n > 0 {
		quantizeNEON(&dst[0], &src[0], base, inv, top, n)
	}
	quantizeGeneric(dst[n:], src[n:], base, inv, top)
}

func dequantize(dst []float32, src []byte, base, step float32) {
	n := len(dst) &^ 15
	if n > 0 {
		dequantizeNEON(&dst[0], &src[0], base, step, n)
	}
	dequantizeGeneric(dst[n:], src[n:], base, step)
}

func quantizeRow(dst []byte, src, base, inv []float32, top float32) {
	n := len(src) &^ 15
	if n > 0 {
		quantizeRowNEON(&dst[0], &src[0], &base[0], &inv[0], top, n)
	}
	quantizeRowGeneric(dst[n:], src[n:], base[n:], inv[n:], top)
}

func dequantizeRow(dst []float32, src []byte, base, step []float32) {
	n := len(dst) &^ 15
	if n > 0 {
		dequantizeRowNEON(&dst[0], &src[0], &base[0], &step[0], n)
	}
	dequantizeRowGeneric(dst[n:], src[n:], base[n:], step[n:])
}

func fold(dst []byte, src []float32, inv, round float32) int {
	n := len(src) &^ 15
	if n > 0 {
		foldNEON(&dst[0], &src[0], inv, round, n)
	}
	return n
}

// split4 splits whole vectors and returns how many elements it has done; so do merge4, compact4 and spread4.
func split4(dst, src []byte, n int, rotate bool) int {
	done := n &^ 15
	if done == 0 {
		return 0
	}
	p := unsafe.SliceData(dst)
	if rotate {
		split4RotateNEON(p, at(p, n), at(p, 2*n), at(p, 3*n), unsafe.SliceData(src), done)
	} else {
		split4NEON(p, at(p, n), at(p, 2*n), at(p, 3*n), unsafe.SliceData(src), done)
	}
	return done
}

func merge4(dst, src []byte, n int, rotate bool) int {
	done := n &^ 15
	if done == 0 {
		return 0
	}
	p := unsafe.SliceData(src)
	if rotate {
		merge4RotateNEON(unsafe.SliceData(dst), p, at(p, n), at(p, 2*n), at(p, 3*n), done)
	} else {
		merge4NEON(unsafe.SliceData(dst), p, at(p, n), at(p, 2*n), at(p, 3*n), done)
	}
	return done
}

func at(p *byte, n int) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(p), n)) }

//go:noescape
func compact4NEON(mask, dst, src *byte, n int) int

//go:noescape
func spread4NEON(dst, mask, src *byte, n int) int

func compact4(mask, dst, src []byte, n int) (done, kept int) {
	if done = n &^ 7; done == 0 {
		return 0, 0
	}
	return done, compact4NEON(&mask[0], &dst[0], &src[0], done)
}

func spread4(dst, mask, src []byte, n int) (done, used int) {
	if done = n &^ 7; done == 0 {
		return 0, 0
	}
	return done, spread4NEON(&dst[0], &mask[0], &src[0], done)
}
