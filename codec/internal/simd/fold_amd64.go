//go:build amd64 && !noasm

package simd

func fold(dst []byte, src []float32, inv, round float32) int {
	if !hasAVX2 || len(src) < 32 {
		return 0
	}
	n := len(src) &^ 31
	foldAVX2(&dst[0], &src[0], inv, round, n)
	return n
}
