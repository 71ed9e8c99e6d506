package kernel

import (
	"math"
	"unsafe"
)

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

// InstanceNorm is the task Y = act((X-mean)/sqrt(var+Epsilon)*Scale + Bias) with mean and variance of each image's channel,
// over N NHWC images of Pixels pixels and C channels. Y may be X.
type InstanceNorm struct {
	N, Pixels, C int
	X, Y         []float32
	Scale, Bias  []float32 // C elements each
	Epsilon      float32
	Act          Activation
}

const (
	// normChannels is the channels of one unit.
	normChannels = 32
	// normPixels is how many pixels are summed in float32 before they join a float64 sum.
	normPixels = 128
)

// Units implements pool.Task.
func (n *InstanceNorm) Units() int { return n.N * ceilDiv(n.C, normChannels) }

// Nanos implements pool.Task.
func (n *InstanceNorm) Nanos() int { return elementNanos(active, n.N*n.Pixels*n.C, 24) }

// Run implements pool.Task.
func (n *InstanceNorm) Run(lo, hi int) {
	size := n.Pixels * n.C
	if n.N*size == 0 {
		return
	}
	_, _ = n.X[n.N*size-1], n.Y[n.N*size-1]
	s := getScratch()
	defer s.free()
	blocks := ceilDiv(n.C, normChannels)
	for u := lo; u < hi; u++ {
		c0 := u % blocks * normChannels
		n.channels(&s.columns, &s.factors, u/blocks*size, c0, min(c0+normChannels, n.C))
	}
}

// channels normalises channels c0 to c1-1 of the image that begins at element at.
func (n *InstanceNorm) channels(a *columnArgs, factors *[4 * normChannels]float32, at, c0, c1 int) {
	w := c1 - c0
	part, mean, factor, shift := factors[:w], factors[normChannels:][:w], factors[2*normChannels:][:w], factors[3*normChannels:][:w]
	*a = columnArgs{y: unsafe.Pointer(&part[0]), a: unsafe.Pointer(&mean[0]), cols: uintptr(w) * 4, stride: uintptr(n.C) * 4}
	sum := n.sums(a, at+c0, part, columnSums)
	for c := range w {
		mean[c] = float32(sum[c] / float64(n.Pixels))
	}
	sum = n.sums(a, at+c0, part, columnSquares)
	for c := range w {
		factor[c] = n.Scale[c0+c] * float32(1/math.Sqrt(sum[c]/float64(n.Pixels)+float64(n.Epsilon)))
		shift[c] = n.Bias[c0+c] - mean[c]*factor[c]
	}
	lo, hi, clamped := n.Act.clamp()
	if !clamped {
		lo, hi = negInf, posInf
	}
	a.a, a.b, a.lo, a.hi = unsafe.Pointer(&factor[0]), unsafe.Pointer(&shift[0]), lo, hi
	a.x, a.y, a.rows = unsafe.Pointer(&n.X[at+c0]), unsafe.Pointer(&n.Y[at+c0]), uintptr(n.Pixels)
	columnScale(a)
	for p := 0; p < n.Pixels && !clamped; p++ {
		y := n.Y[at+p*n.C+c0 : at+p*n.C+c1]
		n.Act.Apply(y, y)
	}
}

// sums calls add for parts of the pixels of w channels, the first at element at, and returns the totals of what it leaves in part.
func (n *InstanceNorm) sums(a *columnArgs, at int, part []float32, add func(*columnArgs)) (total [normChannels]float64) {
	for p := 0; p < n.Pixels; p += normPixels {
		a.x, a.rows = unsafe.Pointer(&n.X[at+p*n.C]), uintptr(min(normPixels, n.Pixels-p))
		add(a)
		for c, v := range part {
			total[c] += float64(v)
		}
	}
	return total
}
