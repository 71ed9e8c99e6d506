package codec

import (
	"errors"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// errFit is returned by Fit for samples that no table can be made from.
var errFit = errors.New("cannot fit a table")

// Shape says what a table does per channel.
type Shape struct {
	// Factors are the channels' steps in proportion to each other; nil takes them from the channels' root mean squares, see
	// channelPower. A wrong number of them counts as nil.
	Factors []float64
	// Zeros decodes symbol 0 to the mean of what it stands for in its channel, instead of 0. That is nearer in the mean square, and
	// sometimes changes a model's output less and sometimes more: calibration tries.
	Zeros bool
}

// Fit makes the table for one value of a model from samples of it, all of one type and of shapes of one rank: a step of
// rel times the samples' root mean square, and the distributions of their symbols. It fails on samples that are empty,
// all zero or not finite, and on types that the uniform codec does not carry.
func Fit(samples []*tensor.Tensor, rel float64) (*Table, error) {
	return FitShape(samples, rel, Shape{})
}

// FitShape is Fit with a say in the channels.
func FitShape(samples []*tensor.Tensor, rel float64, shape Shape) (*Table, error) {
	if len(samples) == 0 || !(rel > 0) {
		return nil, fmt.Errorf("%w: %d samples, step %g", errFit, len(samples), rel)
	}
	w := works.Get().(*work)
	defer w.release()
	var sum float64
	var n int
	var peak float32
	for _, t := range samples {
		if err := w.sample(t); err != nil {
			return nil, err
		}
		src := w.floats(0, w.elems)
		if simd.MaxAbs(src) >= tooLarge {
			return nil, fmt.Errorf("%w: a sample is not finite or beyond 2^126", errFit)
		}
		peak = max(peak, math.Float32frombits(simd.MaxAbs(src)))
		sum += simd.SumSquares(src)
		n += len(src)
	}
	if n == 0 || sum == 0 {
		return nil, fmt.Errorf("%w: the samples are empty or zero", errFit)
	}
	f := &w.fold
	table := &Table{}
	step := max(float32(rel*math.Sqrt(sum/float64(n))), peak/simd.MaxFold)
	if step < minStep || step > maxStep {
		return nil, fmt.Errorf("%w: a step of %g is not in [%g, %g]", errFit, step, minStep, maxStep)
	}
	f.foldQuant = foldQuant{step: step, round: 102}
	f.exact = append(f.exact[:0], false)
	if err := w.sample(samples[len(samples)/2]); err != nil {
		return nil, err
	}
	f.center(w)
	f.place(w)
	table.quant = f.foldQuant
	if err := table.weigh(w, samples, shape.Factors); err != nil {
		return nil, err
	}
	f.table = table
	defer func() { f.table = nil }()
	if err := f.channels(w.shape); err != nil {
		return nil, err
	}
	var counts rans.ContextCounts
	middle := make([]mean, len(table.factor))
	for _, t := range samples {
		if err := w.sample(t); err != nil {
			return nil, err
		}
		f.symbols = sized(f.symbols, rans.Padded(w.elems))
		f.foldChannels(f.symbols[:w.elems], w.floats(0, w.elems), 0)
		if len(middle) > 0 {
			for i, x := range w.floats(0, w.elems) {
				if f.symbols[i] == 0 {
					middle[i/f.inner%f.channel].add(x)
				}
			}
		}
		clear(f.symbols[w.elems:])
		f.takeEscapes(f.symbols, &allKnown)
		rans.Count(f.symbols, rans.Neighbours{Near: f.near, Far: f.far}, &f.counts)
		for c := range counts {
			for s := range counts[c] {
				counts[c][s] += f.counts[c][s]
			}
		}
	}
	// What the samples have shown somewhere must be codable everywhere; the rest goes by the escape.
	always := [rans.Alphabet]bool{0: true, escape: true}
	for c := range counts {
		for s, k := range counts[c] {
			always[s] = always[s] || k > 0
		}
	}
	rans.NormalizeContexts(&table.freq, &counts, &always)
	table.zero = make([]int8, len(table.factor))
	for c, m := range middle {
		if !shape.Zeros {
			break
		}
		steps := m.of() / (float64(f.step) * float64(table.factor[c]))
		table.zero[c] = int8(math.RoundToEven(256 * max(-0.49, min(steps, 0.49))))
	}
	if err := table.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", errFit, err)
	}
	return table, nil
}

// mean is the mean of what was added.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(x float32) { m.sum, m.n = m.sum+float64(x), m.n+1 }

func (m *mean) of() float64 {
	if m.n == 0 {
		return 0
	}
	return m.sum / float64(m.n)
}

// The steps of channels follow channelPower of their root mean square: between 0, the same absolute error everywhere, and
// 1, the same relative error. Measured on the shared vision models, 0.7 gives the smallest output error for the bits.
const channelPower = 0.7

// weigh gives each channel a step of its own. Channels lie along axis 1 or the last one, whichever separates loud from silent
// better. Tensors of fewer than three dimensions have none, nor have those whose channels are not the same in every sample.
func (t *Table) weigh(w *work, samples []*tensor.Tensor, factors []float64) error {
	rank := len(samples[0].Shape())
	if rank < 3 {
		return nil
	}
	var found loudness
	for _, axis := range []int{rank - 1, 1} {
		l, err := w.loudness(samples, axis)
		if err != nil {
			return err
		}
		if l.power != nil && (found.power == nil || l.contrast() > found.contrast()) {
			found, t.axis = l, axis
		}
	}
	if found.power == nil {
		t.axis = 0
		return nil
	}
	power, peak, total, n := found.power, found.peak, found.total, len(found.power)
	t.factor = make([]float32, n)
	for c := range t.factor {
		v := math.Pow(power[c]*float64(n)/total+silent, channelPower/2)
		if len(factors) == n && factors[c] > 0 {
			v = factors[c]
		}
		// No sample may come near the largest magnitude.
		const reach = 0.75 * simd.MaxFold
		v = max(v, float64(peak[c])/(reach*float64(t.quant.step)))
		t.factor[c] = widen(uint16((math.Float32bits(float32(min(max(v, 2*minFactor), 0.5/minFactor))) + 0x8000) >> 16))
	}
	t.inverse = nil
	for _, v := range t.factor {
		t.inverse = append(t.inverse, 1/v)
	}
	return nil
}

// silent is what a channel without any power is taken to have, of the mean power.
const silent = 1e-4

// loudness is the sum of squares and the largest magnitude of each channel along an axis; without channels it is zero.
type loudness struct {
	power []float64
	peak  []float32
	total float64
}

// contrast is the logarithm of the arithmetic mean of the power over its geometric mean: what steps per channel can gain.
func (l loudness) contrast() float64 {
	sum := 0.0
	for _, p := range l.power {
		sum -= math.Log(p*float64(len(l.power))/l.total + silent)
	}
	return sum / float64(len(l.power))
}

func (w *work) loudness(samples []*tensor.Tensor, axis int) (l loudness, err error) {
	shape := samples[0].Shape()
	n, inner := shape[axis], 1
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	if n < 2 || n > MaxChannels {
		return l, nil
	}
	l.power, l.peak = make([]float64, n), make([]float32, n)
	for _, s := range samples {
		if err := w.sample(s); err != nil {
			return l, err
		}
		if s.Shape()[axis] != n {
			return loudness{}, nil
		}
		for i, x := range w.floats(0, w.elems) {
			c := i / inner % n
			l.power[c] += float64(x) * float64(x)
			l.peak[c] = max(l.peak[c], x, -x)
			l.total += float64(x) * float64(x)
		}
	}
	return l, nil
}

// sample points w at t as one chunk.
func (w *work) sample(t *tensor.Tensor) error {
	if err := acceptsFloats("uniform", t.DType()); err != nil {
		return err
	}
	w.dtype, w.shape = t.DType(), append(w.shape[:0], t.Shape()...)
	w.chunkElems = max(t.Len(), 1)
	w.open(t)
	return w.derive()
}
