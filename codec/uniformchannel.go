package codec

import (
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
)

// scaled reports whether channels have steps of their own.
func (f *foldState) scaled() bool { return f.table != nil && len(f.table.factor) > 0 }

// channels finds where the table's channels stand in a tensor of this shape.
func (f *foldState) channels(shape []int) error {
	if !f.scaled() {
		return nil
	}
	if err := f.table.fits(shape); err != nil {
		return err
	}
	f.channel, f.inner = len(f.table.factor), 1
	for _, d := range shape[f.table.axis+1:] {
		f.inner *= d
	}
	return nil
}

// runs calls do for every stretch of one channel among n elements from element lo on, with places relative to lo.
func (f *foldState) runs(n, lo int, do func(from, to, channel int)) {
	for i := 0; i < n; {
		at := lo + i
		end := min(i+f.inner-at%f.inner, n)
		do(i, end, at/f.inner%f.channel)
		i = end
	}
}

// foldChannels folds src, which begins at element lo, with each channel's own step.
func (f *foldState) foldChannels(dst []byte, src []float32, lo int) {
	switch {
	case !f.scaled():
		f.fold(dst, src)
	case f.inner == 1:
		f.scaledX = sized(f.scaledX, len(src))
		inverse, c := f.table.inverse, lo%f.channel
		for i, x := range src {
			f.scaledX[i] = x * inverse[c]
			if c++; c == f.channel {
				c = 0
			}
		}
		f.fold(dst, f.scaledX)
	default:
		f.runs(len(src), lo, func(from, to, c int) {
			simd.Fold(dst[from:to], src[from:to], min(f.inverse()*f.table.inverse[c], math.MaxFloat32), float32(f.round)/256)
		})
	}
}

// scale multiplies decoded values by their channels' factors, and puts the channels' own values where symbols are 0.
func (f *foldState) scale(dst []float32, lo int) {
	if !f.scaled() {
		return
	}
	f.zeros = sized(f.zeros, f.channel)
	for c, z := range f.table.zero {
		f.zeros[c] = float32(z) / 256 * f.step * f.table.factor[c]
	}
	if f.inner == 1 {
		factor, zeros, c := f.table.factor, f.zeros, lo%f.channel
		for i, x := range dst {
			y := x * factor[c]
			if x == 0 {
				y = zeros[c]
			}
			dst[i] = y
			if c++; c == f.channel {
				c = 0
			}
		}
		return
	}
	f.runs(len(dst), lo, func(from, to, c int) {
		factor, zero := f.table.factor[c], f.zeros[c]
		for i, x := range dst[from:to] {
			y := x * factor
			if x == 0 {
				y = zero
			}
			dst[from+i] = y
		}
	})
}

// reach is the largest magnitude of the finite chunks, each element's divided by its channel's factor. Chunks in which that is
// tooLarge are marked as exact and do not count.
func (f *foldState) reach(w *work) float32 {
	var most float32
	for i := range w.chunks {
		if f.exact[i] {
			continue
		}
		lo, hi := w.span(i)
		m := f.chunkReach(w.floats(lo, hi), lo)
		f.exact[i] = math.Float32bits(m) >= tooLarge
		if !f.exact[i] {
			most = max(most, m)
		}
	}
	return most
}

// chunkReach is reach of src, which begins at element lo.
func (f *foldState) chunkReach(src []float32, lo int) float32 {
	var most float32
	inverse := f.table.inverse
	if f.inner > 1 {
		f.runs(len(src), lo, func(from, to, c int) {
			most = max(most, math.Float32frombits(simd.MaxAbs(src[from:to]))*inverse[c])
		})
		return most
	}
	c := lo % f.channel
	for _, x := range src {
		most = max(most, x*inverse[c], -x*inverse[c])
		if c++; c == f.channel {
			c = 0
		}
	}
	return most
}
