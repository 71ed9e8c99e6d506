//go:build !noasm

package kernel

import "unsafe"

// The vector entry points report whether they did the work: without NEON the Go loops run.

// vecFunc is the signature of the element-wise loops.
type vecFunc func(y, a, b, c *float32, n int, p, q float32)

func vecBinary(op int, dst, a, b []float32) bool {
	if active < NEON {
		return false
	}
	y, x, z, n := unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), len(dst)
	switch op {
	case opAdd:
		vecAddNEON(y, x, z, nil, n, 0, 0)
	case opSub:
		vecSubNEON(y, x, z, nil, n, 0, 0)
	case opMul:
		vecMulNEON(y, x, z, nil, n, 0, 0)
	case opDiv:
		vecDivNEON(y, x, z, nil, n, 0, 0)
	case opMax:
		vecMaxNEON(y, x, z, nil, n, 0, 0)
	case opMin:
		vecMinNEON(y, x, z, nil, n, 0, 0)
	}
	return true
}

func vecScalar(op int, dst, a []float32, s float32) bool {
	if active < NEON {
		return false
	}
	y, x, n := unsafe.SliceData(dst), unsafe.SliceData(a), len(dst)
	switch op {
	case opAdd:
		vecAddScalarNEON(y, x, nil, nil, n, s, 0)
	case opMul:
		vecMulScalarNEON(y, x, nil, nil, n, s, 0)
	case opDiv:
		vecDivScalarNEON(y, x, nil, nil, n, s, 0)
	}
	return true
}

func vecMulAdd(dst, a, b, c []float32) bool {
	if active < NEON {
		return false
	}
	vecMulAddNEON(unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c), len(dst), 0, 0)
	return true
}

func vecClip(dst, src []float32, lo, hi float32) bool {
	if active < NEON {
		return false
	}
	vecClipNEON(unsafe.SliceData(dst), unsafe.SliceData(src), nil, nil, len(dst), lo, hi)
	return true
}

// unaryNEON are the loops of vecUnary by its operation.
var unaryNEON = [...]vecFunc{
	opLeakyRelu: vecLeakyReluNEON, opHardSigmoid: vecHardSigmoidNEON, opHardSwish: vecHardSwishNEON, opExp: vecExpNEON,
	opSigmoid: vecSigmoidNEON, opSiLU: vecSiLUNEON, opTanh: vecTanhNEON, opErf: vecErfNEON, opGELU: vecGELUNEON,
	opGELUTanh: vecGELUTanhNEON, opSqrt: vecSqrtNEON,
}

func vecUnary(op int, dst, src []float32, p, q float32) bool {
	if active < NEON {
		return false
	}
	unaryNEON[op](unsafe.SliceData(dst), unsafe.SliceData(src), nil, nil, len(dst), p, q)
	return true
}

// vecExpSum computes y[i] = exp(x[i]-m) and the sum of y.
func vecExpSum(y, x []float32, m float32) (float32, bool) {
	if active < NEON {
		return 0, false
	}
	x = x[:len(y)]
	vecExpNEON(unsafe.SliceData(y), unsafe.SliceData(x), nil, nil, len(x), m, 0)
	return vecSum(y)
}
