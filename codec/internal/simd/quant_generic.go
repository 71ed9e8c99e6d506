package simd

// round adds and subtracts 1.5*2^23, which rounds |x| < 2^22 to the nearest integer, ties to even.
const roundMagic = 12582912

func quantizeGeneric(dst []byte, src []float32, base, inv, top float32) {
	for i, x := range src {
		v := float32(float32(x-base) * inv)
		v = max(min(v, top), 0)
		dst[i] = byte(float32(v+roundMagic) - roundMagic)
	}
}

func dequantizeGeneric(dst []float32, src []byte, base, step float32) {
	for i, q := range src {
		dst[i] = float32(float32(q)*step) + base
	}
}

func quantizeRowGeneric(dst []byte, src, base, inv []float32, top float32) {
	for i, x := range src {
		v := float32(float32(x-base[i]) * inv[i])
		v = max(min(v, top), 0)
		dst[i] = byte(float32(v+roundMagic) - roundMagic)
	}
}

func dequantizeRowGeneric(dst []float32, src []byte, base, step []float32) {
	for i, q := range src {
		dst[i] = float32(float32(q)*step[i]) + base[i]
	}
}

func minMaxGeneric(src []float32) (lo, hi float32) {
	lo, hi = src[0], src[0]
	for _, x := range src[1:] {
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}

func rangeRowGeneric(lo, hi, src []float32) {
	for i, x := range src {
		// Branches that are seldom taken: most elements lie within the range that is known already.
		if x < lo[i] {
			lo[i] = x
		}
		if x > hi[i] {
			hi[i] = x
		}
	}
}

// rangeGeneric returns the range of src, which is not empty; lo and hi mean nothing when finite is false.
func rangeGeneric(src []float32) (lo, hi float32, finite bool) {
	lo, hi = minMaxGeneric(src)
	return lo, hi, maxAbsGeneric(src) < 0x7f800000
}
