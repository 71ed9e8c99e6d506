package control

import (
	"math"
	"time"
)

// Estimate is what is believed of a quantity (seconds, bytes per second) from samples of it. The zero Estimate knows nothing.
type Estimate struct {
	Mean     float64
	Variance float64
	Samples  int
	At       time.Duration // of the last sample, on the machine's clock
}

// weight is how much one new sample counts once there are enough: an exponential mean over about the last eight.
const weight = 0.125

// Observe is the estimate after one more sample. Samples that are not finite and positive are ignored.
func (e Estimate) Observe(now time.Duration, x float64) Estimate {
	if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return e
	}
	w := max(weight, 1/float64(e.Samples+1))
	d := x - e.Mean
	// The variance follows West's incremental form with the same weights.
	e.Variance = (1 - w) * (e.Variance + w*d*d)
	e.Mean += w * d
	e.Samples++
	e.At = now
	return e
}

// Deviation is the standard deviation of the belief at a time: that of the samples, larger with age, and as large as the mean when
// there were none or one.
func (e Estimate) Deviation(now, memory time.Duration) float64 {
	s := math.Sqrt(e.Variance)
	if e.Samples < 2 {
		s = max(s, e.Mean)
	}
	if age := now - e.At; age > 0 && memory > 0 {
		s += e.Mean * math.Min(1, float64(age)/float64(memory)) / 2
	}
	return s
}
