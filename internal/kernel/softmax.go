package kernel

import "math"

// Softmax is the task Y = softmax(X) over rows of Cols elements. Y may be X.
type Softmax struct {
	Rows, Cols int
	X, Y       []float32
	Log        bool // the logarithm of it
}

// Units implements pool.Task.
func (s *Softmax) Units() int { return s.Rows }

// Nanos implements pool.Task.
func (s *Softmax) Nanos() int { return elementNanos(active, s.Rows*s.Cols, 16) }

// elementNanos estimates n elements at cost vector operations each.
func elementNanos(isa ISA, n, cost int) int {
	if isa == Generic {
		return n * cost / 2
	}
	return n * cost / 24
}

// Run implements pool.Task.
func (s *Softmax) Run(lo, hi int) {
	for r := lo; r < hi; r++ {
		x, y := s.X[r*s.Cols:(r+1)*s.Cols], s.Y[r*s.Cols:(r+1)*s.Cols]
		if s.Log {
			logSoftmax(y, x)
			continue
		}
		softmax(y, x)
	}
}

// softmax computes one row: exp(x-max), then a division by the sum.
func softmax(y, x []float32) {
	if len(x) == 0 {
		return
	}
	sum := expSum(y, x, MaxOf(x))
	MulScalar(y, y, 1/sum)
}

// expSum computes y[i] = exp(x[i]-m) and returns the sum of y.
func expSum(y, x []float32, m float32) float32 {
	if s, ok := vecExpSum(y, x, m); ok {
		return s
	}
	for i, v := range x {
		y[i] = exp32(v - m)
	}
	return Sum(y)
}

func logSoftmax(y, x []float32) {
	if len(x) == 0 {
		return
	}
	m := MaxOf(x)
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v - m))
	}
	AddScalar(y, x, -m-float32(math.Log(sum)))
}
