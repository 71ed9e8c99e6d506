package kernel

import "math"

// Softmax is the task Y = softmax(X) over rows of Cols elements. Y may be X.
type Softmax struct {
	Rows, Cols int
	X, Y       []float32
	Log        bool // the logarithm of it
}

// Units implements pool.Task.
func (s *Softmax) Units() int { return ceilDiv(s.Rows, s.rowsAtOnce()) }

// Nanos implements pool.Task.
func (s *Softmax) Nanos() int { return elementNanos(active, s.Rows*s.Cols, 16) + s.Rows*4 }

// elementNanos estimates n elements at cost vector operations each.
func elementNanos(isa ISA, n, cost int) int {
	if isa == Generic {
		return n * cost / 2
	}
	return n * cost / 24
}

// shortRow is the most elements of a row that is computed together with its neighbours: alone it would not fill vectors.
const shortRow = 16

// rowsAtOnce is how many rows one unit has.
func (s *Softmax) rowsAtOnce() int {
	const elements = 512
	if s.Cols > shortRow {
		return 1
	}
	return max(1, elements/max(1, s.Cols))
}

// Run implements pool.Task.
func (s *Softmax) Run(lo, hi int) {
	n := s.rowsAtOnce()
	for u := lo; u < hi; u++ {
		from, to := u*n*s.Cols, min((u+1)*n, s.Rows)*s.Cols
		x, y := s.X[from:to], s.Y[from:to]
		switch {
		case s.Log:
			for i := 0; i < len(x); i += s.Cols {
				logSoftmax(y[i:i+s.Cols], x[i:i+s.Cols])
			}
		case n > 1:
			shortSoftmax(y, x, s.Cols)
		default:
			softmax(y, x)
		}
	}
}

// shortSoftmax computes rows of cols elements, their exponentials together.
func shortSoftmax(y, x []float32, cols int) {
	for i := 0; i < len(x); i += cols {
		row, dst := x[i:i+cols], y[i:i+cols]
		m := row[0]
		for _, v := range row[1:] {
			m = max(m, v)
		}
		for j, v := range row {
			dst[j] = v - m
		}
	}
	Exp(y, y)
	for i := 0; i < len(y); i += cols {
		dst := y[i : i+cols]
		sum := float32(0)
		for _, v := range dst {
			sum += v
		}
		scale := 1 / sum
		for j := range dst {
			dst[j] *= scale
		}
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
