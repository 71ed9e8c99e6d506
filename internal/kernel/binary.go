package kernel

// Binary element-wise functions. dst, a and b have the same length; dst may be a or b. Maximum and minimum return NaN
// when either side is NaN, as ONNX wants.

// Add computes dst[i] = a[i] + b[i].
func Add(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if vecBinary(opAdd, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sub computes dst[i] = a[i] - b[i].
func Sub(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if vecBinary(opSub, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul computes dst[i] = a[i] * b[i].
func Mul(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if vecBinary(opMul, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// Div computes dst[i] = a[i] / b[i].
func Div(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if vecBinary(opDiv, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// Max computes dst[i] = max(a[i], b[i]).
func Max(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if vecBinary(opMax, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

// Min computes dst[i] = min(a[i], b[i]).
func Min(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if vecBinary(opMin, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

// AddScalar computes dst[i] = a[i] + s.
func AddScalar(dst, a []float32, s float32) {
	a = a[:len(dst)]
	if vecScalar(opAdd, dst, a, s) {
		return
	}
	for i, v := range a {
		dst[i] = v + s
	}
}

// MulScalar computes dst[i] = a[i] * s.
func MulScalar(dst, a []float32, s float32) {
	a = a[:len(dst)]
	if vecScalar(opMul, dst, a, s) {
		return
	}
	for i, v := range a {
		dst[i] = v * s
	}
}

// DivScalar computes dst[i] = a[i] / s.
func DivScalar(dst, a []float32, s float32) {
	a = a[:len(dst)]
	if vecScalar(opDiv, dst, a, s) {
		return
	}
	for i, v := range a {
		dst[i] = v / s
	}
}

// ScaleShift computes dst[r][c] = x[r][c]*scale[c] + shift[c] over rows of len(scale) elements; shift may be nil. It is a
// batch normalisation over NHWC, or a layer norm's last step. dst may be x.
func ScaleShift(dst, x, scale, shift []float32) {
	n := len(scale)
	if n == 0 {
		return
	}
	for i := 0; i+n <= len(dst); i += n {
		d := dst[i : i+n]
		if shift == nil {
			Mul(d, x[i:i+n], scale)
			continue
		}
		MulAdd(d, x[i:i+n], scale, shift)
	}
}

// MulAdd computes dst[i] = a[i]*b[i] + c[i], fused where the instruction set has it. dst may be any of them.
func MulAdd(dst, a, b, c []float32) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	if vecMulAdd(dst, a, b, c) {
		return
	}
	for i := range dst {
		dst[i] = a[i]*b[i] + c[i]
	}
}

// The operations that vecBinary and vecScalar know.
const (
	opAdd = iota
	opSub
	opMul
	opDiv
	opMax
	opMin
)
