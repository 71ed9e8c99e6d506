package simd

// MaxFold is the largest magnitude that Fold gives.
const MaxFold = 127

// Fold quantises to signed numbers with rounding offset round and folds them to bytes: with m = floor(|src[i]|*inv + round),
// at most MaxFold, dst[i] is 2m for positive and 2m-1 for negative elements, and 0 where m is 0. src is finite.
func Fold(dst []byte, src []float32, inv, round float32) {
	_ = dst[:len(src)]
	n := fold(dst, src, inv, round)
	foldGeneric(dst[n:], src[n:], inv, round)
}

// Unfold is dst[i] = values[src[i]].
func Unfold(dst []float32, src []byte, values *[256]float32) {
	src = src[:len(dst)]
	for i, s := range src {
		dst[i] = values[s]
	}
}

func foldGeneric(dst []byte, src []float32, inv, round float32) {
	for i, x := range src {
		a := x
		sign := int32(0)
		if x < 0 {
			a, sign = -x, 1
		}
		m := int32(min(float32(a*inv)+round, MaxFold))
		dst[i] = byte(max(2*m-sign, 0))
	}
}
