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

// Fit makes the table for one value of a model from samples of it, all of one type and of shapes of one rank: a step of
// rel times the samples' root mean square, and the distributions of their symbols. It fails on samples that are empty,
// all zero or not finite, and on types that the uniform codec does not carry.
func Fit(samples []*tensor.Tensor, rel float64) (*Table, error) {
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
	if err := table.weigh(w, samples); err != nil {
		return nil, err
	}
	f.table = table
	defer func() { f.table = nil }()
	if err := f.channels(w.shape); err != nil {
		return nil, err
	}
	var counts rans.ContextCounts
	for _, t := range samples {
		if err := w.sample(t); err != nil {
			return nil, err
		}
		f.symbols = sized(f.symbols, rans.Padded(w.elems))
		f.foldChannels(f.symbols[:w.elems], w.floats(0, w.elems), 0)
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
	if err := table.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", errFit, err)
	}
	return table, nil
}

// The steps of channels follow channelPower of their root mean square: between 0, the same absolute error everywhere, and
// 1, the same relative error. Measured on the shared vision models, 0.7 gives the smallest output error for the bits.
const channelPower = 0.7

// weigh gives each channel a step of its own. Channels lie along axis 1 where a symbol's near neighbour is the element
// before it, else along the last axis. Tensors of fewer than three dimensions have none.
func (t *Table) weigh(w *work, samples []*tensor.Tensor) error {
	shape := samples[0].Shape()
	if len(shape) < 3 {
		return nil
	}
	t.axis = len(shape) - 1
	if t.quant.near == 1 {
		t.axis = 1
	}
	n := shape[t.axis]
	if n < 2 || n > MaxChannels {
		return nil
	}
	inner := 1
	for _, d := range shape[t.axis+1:] {
		inner *= d
	}
	power, peak := make([]float64, n), make([]float32, n)
	var total float64
	for _, s := range samples {
		if err := w.sample(s); err != nil {
			return err
		}
		if s.Shape()[t.axis] != n {
			return nil // the channels are not the same in every sample
		}
		for i, x := range w.floats(0, w.elems) {
			c := i / inner % n
			power[c] += float64(x) * float64(x)
			peak[c] = max(peak[c], x, -x)
			total += float64(x) * float64(x)
		}
	}
	const silent = 1e-4 // of the mean power: what a channel without any is taken to have
	t.factor = make([]float32, n)
	for c := range t.factor {
		v := math.Pow(power[c]*float64(n)/total+silent, channelPower/2)
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
