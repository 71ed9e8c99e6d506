package codec

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
)

// groupBytes is the size of a group's step and zero level.
const groupBytes = 3

// measure fills q.ranges with the range of the finite chunks' values per index of the axis (one range without an axis),
// q.exact with the chunks that are not finite or tooLarge, and q.outlying with the count indices of largest magnitude.
func (c quantCodec) measure(w *work, count int) {
	q := &w.quant
	q.ranges = sized(q.ranges, q.channels)
	for i := range q.ranges {
		q.ranges[i] = span{}
	}
	q.exact = sized(q.exact, w.chunks)
	q.outlying = q.outlying[:0]
	for i := range w.chunks {
		lo, hi := w.span(i)
		src := w.floats(lo, hi)
		low, high, finite := simd.Range(src)
		q.exact[i] = !finite || max(-low, high) >= 0x1p126
		if q.exact[i] {
			continue
		}
		if q.channels == 1 {
			q.ranges[0] = span{min(q.ranges[0].lo, low), max(q.ranges[0].hi, high)}
			continue
		}
		if q.inner == 1 {
			q.measureRows(src, lo)
			continue
		}
		for i := lo; i < hi; {
			end := min(i-i%q.inner+q.inner, hi)
			r := &q.ranges[i/q.inner%q.channels]
			low, high, _ := simd.Range(src[i-lo : end-lo])
			r.lo, r.hi = min(r.lo, low), max(r.hi, high)
			i = end
		}
	}
	if q.flags&quantOutliers == 0 {
		return
	}
	q.outlying = sized(q.outlying, q.channels)
	clear(q.outlying)
	q.order = sized(q.order, q.channels)
	for i := range q.order {
		q.order[i] = i
	}
	size := func(i int) float32 { return max(-q.ranges[i].lo, q.ranges[i].hi) }
	slices.SortStableFunc(q.order, func(a, b int) int {
		switch {
		case size(a) > size(b):
			return -1
		case size(a) < size(b):
			return 1
		}
		return 0
	})
	for _, i := range q.order[:min(count, len(q.order))] {
		q.outlying[i] = true
		q.ranges[i] = span{}
	}
}

// measureRows widens q.ranges to src, which begins at element lo, where the axis is innermost.
func (q *quantState) measureRows(src []float32, lo int) {
	size := (tileFrom + q.channels - 1) / q.channels * q.channels
	q.low, q.high = sized(q.low, size), sized(q.high, size)
	clear(q.low)
	clear(q.high)
	for at := lo % q.channels; len(src) > 0; at = 0 {
		n := min(size-at, len(src))
		simd.RangeRow(q.low[at:], q.high[at:], src[:n])
		src = src[n:]
	}
	for i := range size {
		r := &q.ranges[i%q.channels]
		r.lo, r.hi = min(r.lo, q.low[i])+0, max(r.hi, q.high[i]) // never -0, on any path
	}
}

// takeOutliers copies the outlying elements of exact, the bytes of src, which begins at element lo, to q.kept and returns
// src with zeros in their place.
func (q *quantState) takeOutliers(src []float32, exact []byte, lo int) []float32 {
	width := len(exact) / len(src)
	if width == 4 {
		q.wide = append(q.wide[:0], src...)
		src = q.wide
	}
	for i := range src {
		if q.outlying[(lo+i)/q.inner%q.channels] {
			q.kept = append(q.kept, exact[i*width:(i+1)*width]...)
			src[i] = 0
		}
	}
	return src
}

// putOutliers is the inverse: it overwrites the outlying elements among dst, bytes of the tensor from element lo on.
func (q *quantState) putOutliers(dst []byte, n, lo int, r *reader) {
	width := len(dst) / n
	for i := range n {
		if q.outlying[(lo+i)/q.inner%q.channels] {
			copy(dst[i*width:(i+1)*width], r.take(width))
		}
	}
}

// clipEnough is how many times the least squared error ends the search for less.
const clipEnough = 1.5

// clip returns the part of r, the range of index ch, whose quantisation has the least squared error on a sample of the
// values. Both ends shrink by the same factor.
func (c quantCodec) clip(w *work, ch int, r span) span {
	q := &w.quant
	q.takeSample(w, ch)
	best, least := r, math.Inf(1)
	for shrink := float32(1); shrink > 0.2; shrink *= 0.88 {
		try := span{r.lo * shrink, r.hi * shrink}
		step, base := affine(try, c.top())
		if step == 0 {
			break
		}
		inv := 1 / step
		var sum float64
		for _, x := range q.sample {
			v := max(0, min((x-base)*inv, c.top()))
			const magic = 12582912 // rounds to the nearest integer
			d := float32(float32(v+magic)-magic)*step + base - x
			sum += float64(d * d)
		}
		if sum < least {
			best, least = try, sum
		} else if sum > clipEnough*least {
			break // what clipping takes outweighs the finer step from here on
		}
	}
	return best
}

// sampleSize is the most values of an index that clip looks at.
const (
	sampleSize        = 2048
	channelSampleSize = 64
)

// takeSample fills q.sample with values of index ch, evenly spaced over the tensor's finite chunks. Zeros are left out:
// they have no error.
func (q *quantState) takeSample(w *work, ch int) {
	q.sample = q.sample[:0]
	limit := sampleSize
	if q.channels > 1 {
		limit = channelSampleSize
	}
	n := w.elems / q.channels
	stride := max(n/limit, 1)
	if stride%2 == 0 {
		stride++ // an odd stride does not follow the rows of a picture
	}
	for k := 0; k < n; k += stride {
		i := k/q.inner*q.inner*q.channels + ch*q.inner + k%q.inner
		if q.exact[i/w.chunkElems] {
			continue
		}
		if x := w.float(i); x != 0 {
			q.sample = append(q.sample, x)
		}
	}
}

// groupScale is the step, rounded up to a bfloat16, and the zero level of a group with range r.
func groupScale(r span, top float32) (step uint16, zero byte) {
	lo, hi := min(r.lo, 0), max(r.hi, 0)
	exact := float32((float64(hi) - float64(lo)) / float64(top))
	bits := math.Float32bits(exact)
	step = uint16((bits + 0xffff) >> 16)
	v := widen(step)
	if step == 0 || math.IsInf(float64(1/v), 0) {
		return 0, 0
	}
	return step, byte(math.RoundToEven(float64(min(-lo/v, top))))
}

func widen(bf16 uint16) float32 { return math.Float32frombits(uint32(bf16) << 16) }

// groupBound bounds the error of every group whose values lie within r.
func groupBound(r span, top float32) float32 {
	step, _ := groupScale(r, top)
	v := widen(step)
	if v == 0 {
		return max(-r.lo, r.hi)
	}
	// A zero level that was rounded can leave up to half a step uncovered at one end.
	return v + 4.0/(1<<23)*max(-r.lo, r.hi)
}

func (c quantCodec) quantizeGroups(dst []byte, q *quantState, src []float32) []byte {
	for from := 0; from < len(src); from += q.group {
		part := src[from:min(from+q.group, len(src))]
		lo, hi, _ := simd.Range(part)
		step, zero := groupScale(span{lo, hi}, c.top())
		dst = append(dst, byte(step), byte(step>>8), zero)
		v := widen(step)
		inv := float32(0)
		if v > 0 {
			inv = 1 / v
		}
		simd.Quantize(q.symbols[from:], part, -float32(float32(zero)*v), inv, c.top())
	}
	return dst
}

func dequantizeGroups(dst []float32, symbols, scales []byte, group int) {
	for from := 0; from < len(dst); from += group {
		v := widen(uint16(scales[0]) | uint16(scales[1])<<8)
		to := min(from+group, len(dst))
		simd.Dequantize(dst[from:to], symbols[from:to], -float32(float32(scales[2])*v), v)
		scales = scales[groupBytes:]
	}
}
