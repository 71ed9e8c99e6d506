package simd

// F32ToF16 writes FloatToHalf of every element of src to dst, little-endian; dst has at least 2*len(src) bytes.
func F32ToF16(dst []byte, src []float32) {
	_ = dst[:2*len(src)]
	f32ToF16(dst, src)
}

// F16ToF32 is dst[i] = HalfToFloat(src[2i:]); src has at least 2*len(dst) bytes.
func F16ToF32(dst []float32, src []byte) {
	_ = src[:2*len(dst)]
	f16ToF32(dst, src)
}

// F32ToBF16 writes FloatToBFloat of every element of src to dst; dst has at least 2*len(src) bytes.
func F32ToBF16(dst []byte, src []float32) {
	_ = dst[:2*len(src)]
	f32ToBF16(dst, src)
}

// BF16ToF32 is the exact inverse of F32ToBF16; src has at least 2*len(dst) bytes.
func BF16ToF32(dst []float32, src []byte) {
	_ = src[:2*len(dst)]
	bf16ToF32(dst, src)
}

// MaxAbs returns the bits of the largest |x| of src, 0 when src is empty. They are above 0x7f800000 when src has a NaN and
// equal to it when src has an infinity but no NaN.
func MaxAbs(src []float32) uint32 { return maxAbs(src) }

// SumSquares is the sum of the squares of src, which is finite, added up in float64 over four interleaved sums.
func SumSquares(src []float32) float64 {
	var a, b, c, d float64
	for ; len(src) >= 4; src = src[4:] {
		v, w, x, y := float64(src[0]), float64(src[1]), float64(src[2]), float64(src[3])
		a += float64(v * v)
		b += float64(w * w)
		c += float64(x * x)
		d += float64(y * y)
	}
	for _, x := range src {
		a += float64(float64(x) * float64(x))
	}
	return a + b + (c + d)
}

// Range returns the smallest and largest element of src, and whether all are finite; if not, lo and hi mean nothing. The
// range of nothing is [0, 0].
func Range(src []float32) (lo, hi float32, finite bool) {
	if len(src) == 0 {
		return 0, 0, true
	}
	lo, hi, finite = rangeOf(src)
	return lo + 0, hi + 0, finite // never -0, on any path
}

// RangeRow widens the ranges [lo[i], hi[i]] to src[i], which is finite; both slices are as long as src. Whether a bound
// that is zero is -0 is not said.
func RangeRow(lo, hi, src []float32) {
	_, _ = lo[:len(src)], hi[:len(src)]
	rangeRow(lo, hi, src)
}

// Quantize is dst[i] = round(clamp((src[i]-base)*inv, 0, top)), ties to even, in float32 arithmetic. top is at most 255 and
// src has no NaN.
func Quantize(dst []byte, src []float32, base, inv, top float32) {
	_ = dst[:len(src)]
	quantize(dst, src, base, inv, top)
}

// Dequantize is dst[i] = src[i]*step + base, rounded after each operation.
func Dequantize(dst []float32, src []byte, base, step float32) {
	_ = src[:len(dst)]
	dequantize(dst, src[:len(dst)], base, step)
}

// QuantizeRow is Quantize with a base and an inverse step for each element; both slices are as long as src.
func QuantizeRow(dst []byte, src, base, inv []float32, top float32) {
	_, _, _ = dst[:len(src)], base[:len(src)], inv[:len(src)]
	quantizeRow(dst, src, base, inv, top)
}

// DequantizeRow is Dequantize with a base and a step for each element; both slices are as long as dst.
func DequantizeRow(dst []float32, src []byte, base, step []float32) {
	_, _, _ = src[:len(dst)], base[:len(dst)], step[:len(dst)]
	dequantizeRow(dst, src[:len(dst)], base, step)
}
