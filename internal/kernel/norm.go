package kernel

import "math"

// LayerNorm is the task Y = (X-mean)/sqrt(var+Epsilon) * Scale + Bias over rows of Cols elements. Y may be X.
type LayerNorm struct {
	Rows, Cols int
	X, Y       []float32
	Scale      []float32 // Cols elements, or nil
	Bias       []float32 // Cols elements, or nil
	Epsilon    float32
	RMS        bool // divide by the root mean square and subtract nothing (Zhang and Sennrich, 2019)
}

// Units implements pool.Task.
func (l *LayerNorm) Units() int { return l.Rows }

// Nanos implements pool.Task.
func (l *LayerNorm) Nanos() int { return elementNanos(active, l.Rows*l.Cols, 8) }

// Run implements pool.Task.
func (l *LayerNorm) Run(lo, hi int) {
	n := l.Cols
	if n == 0 {
		return
	}
	for r := lo; r < hi; r++ {
		x, y := l.X[r*n:(r+1)*n], l.Y[r*n:(r+1)*n]
		var mean float32
		if !l.RMS {
			mean = Sum(x) / float32(n)
		}
		inv := float32(1 / math.Sqrt(float64(SumSquares(x, mean)/float32(n)+l.Epsilon)))
		if mean != 0 {
			AddScalar(y, x, -mean)
			MulScalar(y, y, inv)
		} else {
			MulScalar(y, x, inv)
		}
		switch {
		case l.Scale != nil && l.Bias != nil:
			MulAdd(y, y, l.Scale[:n], l.Bias[:n])
		case l.Scale != nil:
			Mul(y, y, l.Scale[:n])
		case l.Bias != nil:
			Add(y, y, l.Bias[:n])
		}
	}
}

// InstanceNorm computes y[n][p][c] = (x-mean)/sqrt(var+eps)*scale[c] + bias[c] with mean and variance of each image's
// channel, over NHWC images of pixels pixels and c channels. y may be x. Sums are in float64.
func InstanceNorm(y, x []float32, n, pixels, c int, scale, bias []float32, epsilon float32) {
	sum, factor, shift := make([]float64, c), make([]float32, c), make([]float32, c)
	for i := range n {
		img := x[i*pixels*c : (i+1)*pixels*c]
		clear(sum)
		for p := range pixels {
			for ch, v := range img[p*c : (p+1)*c] {
				sum[ch] += float64(v)
			}
		}
		for ch := range sum {
			shift[ch] = float32(sum[ch] / float64(pixels))
		}
		clear(sum)
		for p := range pixels {
			for ch, v := range img[p*c : (p+1)*c] {
				d := float64(v - shift[ch])
				sum[ch] += d * d
			}
		}
		for ch := range sum {
			factor[ch] = scale[ch] * float32(1/math.Sqrt(sum[ch]/float64(pixels)+float64(epsilon)))
			shift[ch] = bias[ch] - shift[ch]*factor[ch]
		}
		ScaleShift(y[i*pixels*c:(i+1)*pixels*c], img, factor, shift)
	}
}
