package kernel

// Reductions of one slice. The order of a sum depends on the slice's length alone: lanes sum every 16th element and are
// then added pairwise.

const sumLanes = 16

// Sum adds the elements of x.
func Sum(x []float32) float32 {
	if s, ok := vecSum(x); ok {
		return s
	}
	var lane [sumLanes]float32
	for i, v := range x {
		lane[i%sumLanes] += v
	}
	return foldLanes(&lane)
}

// SumSquares adds (x[i]-mean)^2.
func SumSquares(x []float32, mean float32) float32 {
	if s, ok := vecSumSquares(x, mean); ok {
		return s
	}
	var lane [sumLanes]float32
	for i, v := range x {
		d := v - mean
		lane[i%sumLanes] += d * d
	}
	return foldLanes(&lane)
}

// foldLanes adds lanes pairwise, halves on halves.
func foldLanes(lane *[sumLanes]float32) float32 {
	for n := sumLanes / 2; n > 0; n /= 2 {
		for i := range n {
			lane[i] += lane[i+n]
		}
	}
	return lane[0]
}

// MaxOf is the largest element of x, NaN when one is NaN, and -Inf when x is empty.
func MaxOf(x []float32) float32 {
	if m, ok := vecMaxOf(x); ok {
		return m
	}
	m := negInf
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// MinOf is the smallest element of x, NaN when one is NaN, and +Inf when x is empty.
func MinOf(x []float32) float32 {
	m := posInf
	for _, v := range x {
		m = min(m, v)
	}
	return m
}
