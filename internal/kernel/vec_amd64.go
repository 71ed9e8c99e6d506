//go:build !noasm

package kernel

import "unsafe"

// The vector entry points report whether they did the work: on a processor without AVX2 the Go loops run.

// vecFunc is the signature of the element-wise loops.
type vecFunc func(y, a, b, c *float32, n int, p, q float32)

func vecBinary(op int, dst, a, b []float32) bool {
	if active < AVX2 {
		return false
	}
	y, x, z, n := unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), len(dst)
	wide := active >= AVX512
	switch op {
	case opAdd:
		if wide {
			vecAddAVX512(y, x, z, nil, n, 0, 0)
		} else {
			vecAddAVX2(y, x, z, nil, n, 0, 0)
		}
	case opSub:
		if wide {
			vecSubAVX512(y, x, z, nil, n, 0, 0)
		} else {
			vecSubAVX2(y, x, z, nil, n, 0, 0)
		}
	case opMul:
		if wide {
			vecMulAVX512(y, x, z, nil, n, 0, 0)
		} else {
			vecMulAVX2(y, x, z, nil, n, 0, 0)
		}
	case opDiv:
		if wide {
			vecDivAVX512(y, x, z, nil, n, 0, 0)
		} else {
			vecDivAVX2(y, x, z, nil, n, 0, 0)
		}
	case opMax:
		if wide {
			vecMaxAVX512(y, x, z, nil, n, 0, 0)
		} else {
			vecMaxAVX2(y, x, z, nil, n, 0, 0)
		}
	case opMin:
		if wide {
			vecMinAVX512(y, x, z, nil, n, 0, 0)
		} else {
			vecMinAVX2(y, x, z, nil, n, 0, 0)
		}
	}
	return true
}

func vecScalar(op int, dst, a []float32, s float32) bool {
	if active < AVX2 {
		return false
	}
	y, x, n := unsafe.SliceData(dst), unsafe.SliceData(a), len(dst)
	wide := active >= AVX512
	switch op {
	case opAdd:
		if wide {
			vecAddScalarAVX512(y, x, nil, nil, n, s, 0)
		} else {
			vecAddScalarAVX2(y, x, nil, nil, n, s, 0)
		}
	case opMul:
		if wide {
			vecMulScalarAVX512(y, x, nil, nil, n, s, 0)
		} else {
			vecMulScalarAVX2(y, x, nil, nil, n, s, 0)
		}
	case opDiv:
		if wide {
			vecDivScalarAVX512(y, x, nil, nil, n, s, 0)
		} else {
			vecDivScalarAVX2(y, x, nil, nil, n, s, 0)
		}
	}
	return true
}

func vecMulAdd(dst, a, b, c []float32) bool {
	if active < AVX2 {
		return false
	}
	y, p, q, r := unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c)
	if active >= AVX512 {
		vecMulAddAVX512(y, p, q, r, len(dst), 0, 0)
	} else {
		vecMulAddAVX2(y, p, q, r, len(dst), 0, 0)
	}
	return true
}

func vecClip(dst, src []float32, lo, hi float32) bool {
	if active < AVX2 {
		return false
	}
	if active >= AVX512 {
		vecClipAVX512(unsafe.SliceData(dst), unsafe.SliceData(src), nil, nil, len(dst), lo, hi)
	} else {
		vecClipAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), nil, nil, len(dst), lo, hi)
	}
	return true
}

// The loops of vecUnary by its operation.
var (
	unaryAVX2 = [...]vecFunc{
		opLeakyRelu: vecLeakyReluAVX2, opHardSigmoid: vecHardSigmoidAVX2, opHardSwish: vecHardSwishAVX2, opExp: vecExpAVX2,
		opSigmoid: vecSigmoidAVX2, opSiLU: vecSiLUAVX2, opTanh: vecTanhAVX2, opErf: vecErfAVX2, opGELU: vecGELUAVX2,
		opGELUTanh: vecGELUTanhAVX2, opSqrt: vecSqrtAVX2,
	}
	unaryAVX512 = [...]vecFunc{
		opLeakyRelu: vecLeakyReluAVX512, opHardSigmoid: vecHardSigmoidAVX512, opHardSwish: vecHardSwishAVX512,
		opExp: vecExpAVX512, opSigmoid: vecSigmoidAVX512, opSiLU: vecSiLUAVX512, opTanh: vecTanhAVX512, opErf: vecErfAVX512,
		opGELU: vecGELUAVX512, opGELUTanh: vecGELUTanhAVX512, opSqrt: vecSqrtAVX512,
	}
)

func vecUnary(op int, dst, src []float32, p, q float32) bool {
	if active < AVX2 {
		return false
	}
	f := unaryAVX2[op]
	if active >= AVX512 {
		f = unaryAVX512[op]
	}
	f(unsafe.SliceData(dst), unsafe.SliceData(src), nil, nil, len(dst), p, q)
	return true
}

func vecSum(x []float32) (float32, bool) {
	switch {
	case active >= AVX512:
		return reduceSumAVX512(nil, unsafe.SliceData(x), nil, len(x), 0), true
	case active >= AVX2:
		return reduceSumAVX2(nil, unsafe.SliceData(x), nil, len(x), 0), true
	}
	return 0, false
}

func vecSumSquares(x []float32, mean float32) (float32, bool) {
	switch {
	case active >= AVX512:
		return reduceSumSquaresAVX512(nil, unsafe.SliceData(x), nil, len(x), mean), true
	case active >= AVX2:
		return reduceSumSquaresAVX2(nil, unsafe.SliceData(x), nil, len(x), mean), true
	}
	return 0, false
}

func vecMaxOf(x []float32) (float32, bool) {
	switch {
	case active >= AVX512:
		return reduceMaxOfAVX512(nil, unsafe.SliceData(x), nil, len(x), 0), true
	case active >= AVX2:
		return reduceMaxOfAVX2(nil, unsafe.SliceData(x), nil, len(x), 0), true
	}
	return 0, false
}

// vecExpSum computes y[i] = exp(x[i]-m) and the sum of y.
func vecExpSum(y, x []float32, m float32) (float32, bool) {
	x = x[:len(y)]
	switch {
	case active >= AVX512:
		return reduceExpSumAVX512(unsafe.SliceData(y), unsafe.SliceData(x), nil, len(x), m), true
	case active >= AVX2:
		return reduceExpSumAVX2(unsafe.SliceData(y), unsafe.SliceData(x), nil, len(x), m), true
	}
	return 0, false
}
