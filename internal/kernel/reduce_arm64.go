//go:build !noasm

package kernel

import "unsafe"

// The reductions keep the sums of reduce.go's lanes in four vectors. What follows the last whole set of lanes is added in Go, whose
// multiplication and addition are fused on arm64 as the vectors' are, so that the result is that of the Go loop.

func vecSum(x []float32) (float32, bool) {
	if active < NEON {
		return 0, false
	}
	var lane [sumLanes]float32
	n := len(x) / sumLanes
	if n > 0 {
		sumNEON(&lane, unsafe.SliceData(x), n)
	}
	for i, v := range x[n*sumLanes:] {
		lane[i] += v
	}
	return foldLanes(&lane), true
}

func vecSumSquares(x []float32, mean float32) (float32, bool) {
	if active < NEON {
		return 0, false
	}
	var lane [sumLanes]float32
	n := len(x) / sumLanes
	if n > 0 {
		sumSquaresNEON(&lane, unsafe.SliceData(x), n, mean)
	}
	for i, v := range x[n*sumLanes:] {
		d := v - mean
		lane[i] += d * d
	}
	return foldLanes(&lane), true
}

func vecMaxOf(x []float32) (float32, bool) {
	if active < NEON {
		return 0, false
	}
	n := len(x) / sumLanes
	m := negInf
	if n > 0 {
		var lane [sumLanes]float32
		maxOfNEON(&lane, unsafe.SliceData(x), n)
		for _, v := range lane {
			m = max(m, v)
		}
	}
	for _, v := range x[n*sumLanes:] {
		m = max(m, v)
	}
	return m, true
}
