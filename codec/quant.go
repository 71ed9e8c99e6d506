package codec

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// quantCodec quantises uniformly with 8, 6, 4, 3 or 2 bits per element: int8, int6, int4, int3, int2.
//
// An element x becomes q = round((x-base)/step) in [0, 2^bits-1] and decodes to q*step + base; the range always holds 0,
// which decodes to exactly 0. Parameters:
//
//	axis=A         a step and a base for each index of dimension A (negative counts from the end); default one for all
//	group=N        a step and a base for every N consecutive elements, N a power of two in [16, 4096]; excludes scales by axis
//	clip=none|mse  none covers all values; mse shrinks the range to where the squared error is least (default below 6 bits)
//	entropy=none|rans  pack bits, or code the symbols with rANS
//	outliers=K     the K indices of dimension axis with the largest magnitudes are carried apart, exactly
//
// The error of an element never exceeds the bound in the parameters: half a step, or what clipping took. A chunk with a
// NaN or an infinity, or one that would not shrink, is carried as it is.
//
//	parameters = flags u8 (1 by axis, 2 groups, 4 entropy, 8 outliers) | bound f32
//	             | axis u8, if 1 or 8 | log2 group u8, if 2 | step f32 | base f32, if neither 1 nor 2
//	             | (step f32 | base f32) per index, if 1 | outlying indices as a bit mask, low bits first, if 8
//	payload    = mode u8 (0 coded, 1 as it is) | elements as they are, if 1
//	           | (step bf16 | zero u8) per group, if groups | symbols | outlying elements as they are
//	symbols    = bits per element, low bits first, or with entropy a coded byte string
type quantCodec struct {
	id   ID
	name string
	bits int
}

// The flags of quantised frames.
const (
	quantAxis     = 1
	quantGroups   = 2
	quantEntropy  = 4
	quantOutliers = 8
)

// MaxChannels is the most indices along the axis of a quantised tensor.
const MaxChannels = 1 << 15

// quantState is a quantised frame's parameters and scratch.
type quantState struct {
	wide   []float32
	format simd.Float8
	scale  float32

	flags byte
	bound float32
	group int
	// step, base and inv have an entry per index of the axis, repeated where that is short, or one.
	step, base, inv []float32
	// channels and inner describe the axis: element i has index i/inner%channels.
	channels, inner int
	outlying        []bool
	order           []int // indices of the axis by magnitude
	ranges          []span
	low, high       []float32 // ranges of tileFrom indices or more, of an innermost axis
	exact           []bool    // per chunk
	kept            []byte
	symbols         []byte
	coder           byteCoder
	sample          []float32
}

// span is a closed interval of values.
type span struct{ lo, hi float32 }

func (c quantCodec) ID() ID                          { return c.id }
func (c quantCodec) Name() string                    { return c.name }
func (c quantCodec) Lossless(map[string]string) bool { return false }

func (c quantCodec) check(p params) error {
	if err := p.only("axis", "group", "clip", "entropy", "outliers"); err != nil {
		return err
	}
	group, err := p.integer("group", 0, 16, 4096)
	if err != nil {
		return err
	}
	if group&(group-1) != 0 {
		return fmt.Errorf("%w: group=%d is not a power of two", ErrSpec, group)
	}
	if _, err := p.choice("clip", "none", "mse"); err != nil {
		return err
	}
	if _, err := p.choice("entropy", "none", "rans"); err != nil {
		return err
	}
	k, err := p.integer("outliers", 0, 0, MaxChannels)
	if err != nil {
		return err
	}
	axis, err := p.integer("axis", noAxis, -MaxRank, MaxRank-1)
	if err != nil {
		return err
	}
	if k > 0 && axis == noAxis {
		return fmt.Errorf("%w: outliers needs axis", ErrSpec)
	}
	return nil
}

// noAxis stands for an absent axis.
const noAxis = 1000

func (c quantCodec) Accepts(d tensor.DType, s tensor.Shape, p map[string]string) error {
	if err := c.check(p); err != nil {
		return err
	}
	if err := acceptsFloats(c.name, d); err != nil {
		return err
	}
	axis, err := params(p).integer("axis", noAxis, -MaxRank, MaxRank-1)
	if err != nil || axis == noAxis {
		return err
	}
	if axis < -len(s) || axis >= len(s) {
		return fmt.Errorf("%w: axis %d of shape %v", ErrUnsuitable, axis, s)
	}
	if n := s[(axis+len(s))%len(s)]; n > MaxChannels {
		return fmt.Errorf("%w: %d indices along axis %d, limit %d", ErrUnsuitable, n, axis, MaxChannels)
	}
	return nil
}

func (c quantCodec) top() float32 { return float32(int(1)<<c.bits - 1) }

func (c quantCodec) prepare(w *work, p params) error {
	q := &w.quant
	axis, _ := p.integer("axis", noAxis, -MaxRank, MaxRank-1)
	q.group, _ = p.integer("group", 0, 16, 4096)
	outliers, _ := p.integer("outliers", 0, 0, MaxChannels)
	q.flags = 0
	if p["entropy"] == "rans" {
		q.flags |= quantEntropy
	}
	if q.group > 0 {
		q.flags |= quantGroups
		w.chunkElems = (w.chunkElems + q.group - 1) / q.group * q.group
		if err := w.derive(); err != nil {
			return err
		}
	}
	if axis == noAxis {
		axis = 0
		q.channels, q.inner = 1, max(w.elems, 1)
	} else {
		axis = (axis + len(w.shape)) % len(w.shape)
		q.axis(w.shape, axis)
		if q.group == 0 {
			q.flags |= quantAxis
		}
		if outliers > 0 {
			q.flags |= quantOutliers
		}
	}
	mse := p["clip"] == "mse" || p["clip"] == "" && c.bits < 6
	c.measure(w, outliers)
	q.bound = 0
	q.step, q.base, q.inv = sized(q.step, q.channels), sized(q.base, q.channels), sized(q.inv, q.channels)
	for i, r := range q.ranges {
		if q.group > 0 {
			q.step[i], q.base[i] = 1, 0
			q.bound = max(q.bound, groupBound(r, c.top()))
			continue
		}
		full := r
		if mse && r.hi > r.lo {
			r = c.clip(w, i, r)
		}
		q.step[i], q.base[i] = affine(r, c.top())
		q.bound = max(q.bound, affineBound(full, q.step[i], q.base[i], c.top()))
	}
	w.params = append(w.params, q.flags)
	w.params = appendFloat(w.params, q.bound)
	if q.flags&(quantAxis|quantOutliers) != 0 {
		w.params = append(w.params, byte(axis))
	}
	if q.group > 0 {
		w.params = append(w.params, byte(math.Ilogb(float64(q.group))))
	} else {
		for i := range q.step {
			w.params = appendFloat(appendFloat(w.params, q.step[i]), q.base[i])
		}
	}
	if q.flags&quantOutliers != 0 {
		start := len(w.params)
		w.params = append(w.params, make([]byte, (q.channels+7)/8)...)
		for i, out := range q.outlying {
			if out {
				w.params[start+i/8] |= 1 << (i % 8)
			}
		}
	}
	q.invert()
	q.tile()
	return nil
}

func (q *quantState) axis(s tensor.Shape, axis int) {
	q.channels, q.inner = s[axis], 1
	for _, d := range s[axis+1:] {
		q.inner *= d
	}
}

// tileFrom is the least length of a stretch of indices that is worth a call of its own.
const tileFrom = 512

// tile repeats steps, bases and inverses where the axis is innermost and short, so that one call covers many rows.
func (q *quantState) tile() {
	if q.inner != 1 || len(q.step) < 2 || len(q.step) != q.channels {
		return
	}
	for len(q.step) < tileFrom {
		q.step, q.base = append(q.step, q.step...), append(q.base, q.base...)
		q.inv = append(q.inv, q.inv...)
	}
}

func (q *quantState) invert() {
	q.inv = sized(q.inv, len(q.step))
	for i, s := range q.step {
		q.inv[i] = 0
		if s > 0 {
			q.inv[i] = 1 / s
		}
	}
}

func appendFloat(dst []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
}

// affine is the step and base that cover r and 0 with levels 0 to top, so that a level falls on 0.
func affine(r span, top float32) (step, base float32) {
	lo, hi := min(r.lo, 0), max(r.hi, 0)
	step = float32((float64(hi) - float64(lo)) / float64(top))
	if step == 0 || math.IsInf(float64(1/step), 0) {
		return 0, 0 // everything is zero, or too small to be told from it
	}
	zero := float32(math.RoundToEven(float64(-lo / step)))
	return step, -float32(zero * step)
}

// affineBound is the largest error of quantising values within r, with room for float32 rounding.
func affineBound(r span, step, base, top float32) float32 {
	end := base + float32(top*step)
	half := step / 2
	b := max(half, base-r.lo, r.hi-end)
	if step == 0 {
		b = max(-r.lo, r.hi)
	}
	// Six roundings at most stand between x and its decoded value, each within half a unit in the last place.
	const unit = 1.0 / (1 << 23)
	return b + 4*unit*max(-r.lo, r.hi, -base, end)
}

func (c quantCodec) appendChunk(dst []byte, w *work, lo, hi int) ([]byte, error) {
	q := &w.quant
	n := hi - lo
	if q.exact[lo/w.chunkElems] {
		return append(append(dst, modeExact), w.bytesOf(lo, hi)...), nil
	}
	start := len(dst)
	dst = append(dst, modeCoded)
	src := w.floats(lo, hi)
	q.kept = q.kept[:0]
	if q.flags&quantOutliers != 0 {
		src = q.takeOutliers(src, w.bytesOf(lo, hi), lo)
	}
	q.symbols = sized(q.symbols, n)
	if q.group > 0 {
		dst = c.quantizeGroups(dst, q, src)
	} else {
		q.each(lo, hi, func(from, to, ch int) {
			simd.Quantize(q.symbols[from:to], src[from:to], q.base[ch], q.inv[ch], c.top())
		}, func(from, to, ch int) {
			simd.QuantizeRow(q.symbols[from:to], src[from:to], q.base[ch:ch+to-from], q.inv[ch:ch+to-from], c.top())
		})
	}
	if q.flags&quantEntropy != 0 {
		dst = q.coder.append(dst, q.symbols)
	} else {
		dst = simd.AppendPacked(dst, q.symbols, c.bits)
	}
	dst = append(dst, q.kept...)
	if exact := w.bytesOf(lo, hi); len(dst)-start > 1+len(exact) {
		return append(append(dst[:start], modeExact), exact...), nil
	}
	return dst, nil
}

// each calls run for every stretch of elements [lo, hi) that shares an index of the axis, with positions relative to lo;
// where the axis is innermost it calls row for every stretch of consecutive indices instead, ch being the first's.
func (q *quantState) each(lo, hi int, run, row func(from, to, ch int)) {
	if len(q.step) == 1 {
		run(0, hi-lo, 0)
		return
	}
	for i := lo; i < hi; {
		if q.inner == 1 {
			ch := i % q.channels
			end := min(i+len(q.step)-ch, hi)
			row(i-lo, end-lo, ch)
			i = end
			continue
		}
		end := min(i-i%q.inner+q.inner, hi)
		run(i-lo, end-lo, i/q.inner%q.channels)
		i = end
	}
}
