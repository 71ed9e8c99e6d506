//go:build !noasm

package kernel

import "unsafe"

// The vector loops take whole vectors of four lanes; the rest of a slice is done in Go, which rounds the same way.

const lanesNEON = 4

func vecBinary(op int, dst, a, b []float32) bool {
	if active < NEON {
		return false
	}
	n := len(dst) / lanesNEON
	if n > 0 {
		y, p, q := unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b)
		switch op {
		case opAdd:
			addNEON(y, p, q, n)
		case opSub:
			subNEON(y, p, q, n)
		case opMul:
			mulNEON(y, p, q, n)
		case opDiv:
			divNEON(y, p, q, n)
		case opMax:
			maxNEON(y, p, q, n)
		case opMin:
			minNEON(y, p, q, n)
		}
	}
	for i := n * lanesNEON; i < len(dst); i++ {
		switch op {
		case opAdd:
			dst[i] = a[i] + b[i]
		case opSub:
			dst[i] = a[i] - b[i]
		case opMul:
			dst[i] = a[i] * b[i]
		case opDiv:
			dst[i] = a[i] / b[i]
		case opMax:
			dst[i] = max(a[i], b[i])
		case opMin:
			dst[i] = min(a[i], b[i])
		}
	}
	return true
}

func vecMulAdd(dst, a, b, c []float32) bool {
	if active < NEON {
		return false
	}
	n := len(dst) / lanesNEON
	if n > 0 {
		mulAddNEON(unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c), n)
	}
	for i := n * lanesNEON; i < len(dst); i++ {
		dst[i] = a[i]*b[i] + c[i]
	}
	return true
}

func vecClip(dst, src []float32, lo, hi float32) bool {
	if active < NEON {
		return false
	}
	n := len(dst) / lanesNEON
	if n > 0 {
		clipNEON(unsafe.SliceData(dst), unsafe.SliceData(src), n, lo, hi)
	}
	for i := n * lanesNEON; i < len(dst); i++ {
		dst[i] = clampTo(src[i], lo, hi)
	}
	return true
}

func vecScalar(int, []float32, []float32, float32) bool         { return false }
func vecUnary(int, []float32, []float32, float32, float32) bool { return false }
func vecExpSum(_, _ []float32, _ float32) (float32, bool)       { return 0, false }
func vecFromFloat16([]float32, []uint16) int                    { return 0 }
func vecToFloat16([]uint16, []float32) int                      { return 0 }

func vecQuantize(*uint8, []float32, float32, int32, int32, int32) int        { return 0 }
func vecDequantize([]float32, *uint8, float32, int32, bool) int              { return 0 }
func vecInt8Scale(_ []float32, _, _, _ []int32, _, _ []float32, _ int32) int { return 0 }

//go:noescape
func addNEON(y, a, b *float32, n int)

//go:noescape
func subNEON(y, a, b *float32, n int)

//go:noescape
func mulNEON(y, a, b *float32, n int)

//go:noescape
func divNEON(y, a, b *float32, n int)

//go:noescape
func maxNEON(y, a, b *float32, n int)

//go:noescape
func minNEON(y, a, b *float32, n int)

//go:noescape
func mulAddNEON(y, a, b, c *float32, n int)

//go:noescape
func clipNEON(y, a *float32, n int, lo, hi float32)

//go:noescape
func depthwiseNEON(acc, x, w *float32, n int)
