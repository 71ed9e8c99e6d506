package codec

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Estimate is what the planner needs to know of a codec for a tensor of a given type and shape.
type Estimate struct {
	// Bytes is the expected frame size; an upper bound when Exact.
	Bytes int64
	Exact bool
	// EncodeNS and DecodeNS are nanoseconds per element on this machine, one core.
	EncodeNS, DecodeNS float64
	// Error is the expected relative error: root mean square of the difference over the root mean square of the tensor.
	Error float64
	// MaxError is the largest absolute difference between a finite element and its decoded value.
	MaxError float64
}

// measureTime is how long Measure repeats each of encoding and decoding, and measureRuns the fewest repetitions.
const (
	measureTime = 2 * time.Millisecond
	measureRuns = 3
)

// Measure encodes and decodes t on the calling goroutine and reports size, time and error. The times are the fastest of
// several runs. Exact is set for codecs whose size depends on type and shape alone.
func Measure(s Spec, t *tensor.Tensor) (Estimate, error) { return (*Coder)(nil).Measure(s, t) }

// Measure is the package's Measure with the Coder's tables.
func (c *Coder) Measure(s Spec, t *tensor.Tensor) (Estimate, error) {
	frame, err := c.Append(nil, t, s)
	if err != nil {
		return Estimate{}, fmt.Errorf("measure %s: %w", s, err)
	}
	out, err := c.Decode(frame, Limits{})
	if err != nil {
		return Estimate{}, fmt.Errorf("measure %s: %w", s, err)
	}
	e := Estimate{Bytes: int64(len(frame)), Exact: s.ID == Raw}
	e.Error, e.MaxError, err = Compare(t, out)
	if err != nil {
		return Estimate{}, fmt.Errorf("measure %s: %w", s, err)
	}
	n := float64(max(t.Len(), 1))
	e.EncodeNS = fastest(func() { frame, err = c.Append(frame[:0], t, s) }) / n
	if err != nil {
		return Estimate{}, fmt.Errorf("measure %s: %w", s, err)
	}
	e.DecodeNS = fastest(func() { err = c.DecodeInto(out, frame, Limits{}) }) / n
	if err != nil {
		return Estimate{}, fmt.Errorf("measure %s: %w", s, err)
	}
	return e, nil
}

// fastest is the nanoseconds of f's quickest run.
func fastest(f func()) float64 {
	best := math.Inf(1)
	begin := time.Now()
	for i := 0; i < measureRuns || time.Since(begin) < measureTime; i++ {
		start := time.Now()
		f()
		best = min(best, float64(time.Since(start).Nanoseconds()))
	}
	return best
}

// Compare is the error of got against want, tensors of the same type and shape: the root mean square of the difference
// over the root mean square of want, and the largest absolute difference. Elements of want that are not finite do not
// count when got has the same value there, and make both results infinite when it has not. Types that are not floats
// give 0 when equal, else +Inf.
func Compare(want, got *tensor.Tensor) (relative, largest float64, err error) {
	if want.DType() != got.DType() || !want.Shape().Equal(got.Shape()) {
		return 0, 0, fmt.Errorf("compare %v with %v: types or shapes differ", want, got)
	}
	wide := newFloats(want.DType())
	if wide == nil {
		if want.Equal(got) {
			return 0, 0, nil
		}
		return math.Inf(1), math.Inf(1), nil
	}
	var diff, norm float64
	a, b := want.Bytes(), got.Bytes()
	if bytes.Equal(a, b) {
		return 0, 0, nil
	}
	width := want.DType().Bits() / 8
	for i := 0; i < len(a); i += width {
		x, y := wide(a[i:]), wide(b[i:])
		if x == y || math.IsNaN(x) && math.IsNaN(y) {
			norm += finiteSquare(x)
			continue
		}
		d := math.Abs(x - y)
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		largest = max(largest, d)
		diff += d * d
		norm += finiteSquare(x)
	}
	if diff == 0 {
		return 0, 0, nil
	}
	return math.Sqrt(diff / norm), largest, nil
}

func finiteSquare(x float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	return x * x
}
