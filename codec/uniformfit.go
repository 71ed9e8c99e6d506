package codec

import (
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
	"github.com/cleave-mesh/cleave/codec/internal/simd"
)

// fitWindow is the most elements that fitting a quantiser looks at, from the middle of the tensor; of a smaller tensor a
// quarter, but at least fitLeast.
const (
	fitWindow = 1 << 14
	fitLeast  = 1 << 12
)

// window is up to fitWindow elements of the first finite chunk at or after the middle; nil when there is none.
func (f *foldState) window(w *work) []float32 {
	for k := range w.chunks {
		i := (w.chunks/2 + k) % w.chunks
		if f.exact[i] {
			continue
		}
		lo, hi := w.span(i)
		size := min(fitWindow, max(fitLeast, w.elems/4))
		if extra := hi - lo - size; extra > 0 {
			lo += extra / 2 &^ (chunkAlign - 1)
			hi = lo + size
		}
		return w.floats(lo, hi)
	}
	return nil
}

// neighbours lists the pairs of distances that suit a shape: channels first, channels last, and rows of vectors.
func neighbours(shape []int) []rans.Neighbours {
	inner, plane := 1, 1
	if n := len(shape); n > 0 {
		inner = min(max(shape[n-1], 1), maxNeighbour)
		plane = inner
		if n > 1 {
			plane = inner * min(max(shape[n-2], 1), maxNeighbour/inner)
		}
	}
	return []rans.Neighbours{{Near: 1, Far: inner}, {Near: inner, Far: plane}, {Near: inner, Far: 1}}
}

// place chooses the neighbours under which the window takes the fewest bytes, and returns those.
func (f *foldState) place(w *work) int {
	src := f.window(w)
	f.symbols = sized(f.symbols, rans.Padded(len(src)))
	f.fold(f.symbols[:len(src)], src)
	clear(f.symbols[len(src):])
	f.takeEscapes(f.symbols, &allKnown)
	least := math.MaxInt
	for _, d := range neighbours(w.shape) {
		rans.Count(f.symbols, d, &f.counts)
		rans.NormalizeContexts(&f.freq, &f.counts, nil)
		if size := f.freq.Size(&f.counts) + len(f.escapes); size < least {
			least, f.near, f.far = size, d.Near, d.Far
		}
	}
	return least
}

// center sets shift so that decoded values are the means of what they stand for, as far as the window shows.
func (f *foldState) center(w *work) {
	f.shift = 0
	if f.step == 0 {
		return
	}
	inv, round := f.inverse(), float32(f.round)/256
	var sum float64
	n := 0
	for _, x := range f.window(w) {
		a := math.Float32frombits(math.Float32bits(x)&^(1<<31)) * inv
		if a+round >= 1 {
			sum += float64(float32(int32(min(a+round, simd.MaxFold))) - a)
			n++
		}
	}
	if n > 0 {
		f.shift = int8(max(-64, min(math.RoundToEven(sum/float64(n)*128), 64)))
	}
}

// search finds the finest step, not below least, at which the window takes at most the given bits per element.
func (f *foldState) search(w *work, rms, least float32, bits float64) {
	n := len(f.window(w))
	lo, hi := math.Log(max(float64(least), float64(rms)/1024, math.SmallestNonzeroFloat32)), math.Log(max(float64(rms)*16, math.SmallestNonzeroFloat32))
	for range 12 {
		mid := (lo + hi) / 2
		f.step = float32(math.Exp(mid))
		if float64(f.place(w))*8 > bits*float64(n) {
			lo = mid
		} else {
			hi = mid
		}
	}
	f.step = max(float32(math.Exp(hi)), least)
	f.place(w)
}
