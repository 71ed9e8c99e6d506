package codec

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// uniformCodec quantises with one step for the whole tensor and codes the symbols under the distribution that two
// neighbours choose (see package rans), far below one bit per element where activations are sparse. At most one of these
// says how fine:
//
//	rel=R        step of R times the tensor's root mean square (default 0.5)
//	step=S       step in the tensor's own unit
//	max-error=E  no element is off by more than E
//	bits=B       the finest step whose frame takes about B bits per element
//	table=ID     the step and the distributions of a calibrated table, which both sides have; rel or step may override its step
//
// An element x becomes m = floor(|x|/step + round), at most 127, with the sign of x, and decodes to (m - shift)*step with
// that sign, or 0. round=R (default 0.4, or 0.5 with max-error) below one half widens the zone around zero. The step is
// at least a 127th of the largest magnitude. A chunk that holds a NaN or an infinity is carried as it is.
//
//	parameters = flags u8 (1 table) | bound f32 | step f32 | round u8 of 256 | shift i8 of 128 | near uvarint | far uvarint
//	             | table id u64, if 1
//	payload    = mode u8: 0 coded, 1 elements as they are, 2 nothing, all are zero
//	coded      = frequencies, unless by table | escapes uvarint | a byte per escape | rANS data
//
// near and far are the distances of the two neighbours. An escape stands for a symbol that has no place in the
// distributions; its byte is the symbol.
type uniformCodec struct{}

// escape is the symbol that stands for one without a frequency.
const escape = rans.Alphabet - 1

// modeZero is the mode of a chunk without a symbol other than zero.
const modeZero = 2

// uniformChunk is the elements of a chunk when the spec does not say: many, because contexts reach far, and such that the
// strips of package rans do not all fall on the same sets of a cache.
const uniformChunk = 1<<18 - 1<<11

// maxStep is the largest step: levels of larger ones are not float32s. It is beyond every value that is quantised.
const maxStep = 0x1p126

// minStep is the smallest step: the inverse of smaller ones is not a float32. Tensors that would need one become zeros, and
// the bound says so.
const minStep = 0x1p-125

// foldState is a uniform frame's parameters and scratch.
type foldState struct {
	foldQuant
	bound   float32
	table   *Table
	channel int // element i has channel i/inner%channel, where the table has factors
	inner   int
	scaledX []float32
	zeros   []float32
	exact   []bool
	values  [256]float32
	symbols []byte
	escapes []byte
	scratch rans.Scratch
	counts  rans.ContextCounts
	freq    rans.ContextFreq
	coder   rans.ContextTable
}

func (uniformCodec) ID() ID                          { return Uniform }
func (uniformCodec) Name() string                    { return "uniform" }
func (uniformCodec) Lossless(map[string]string) bool { return false }

// goals are the parameters of which at most one may be given.
var goals = []string{"max-error", "bits", "rel", "step"}

func (uniformCodec) check(p params) error {
	if err := p.only("rel", "step", "max-error", "bits", "table", "round"); err != nil {
		return err
	}
	given := 0
	for _, g := range goals {
		v, err := p.number(g, 1, 0, math.MaxFloat32)
		if err != nil {
			return err
		}
		if v == 0 {
			return fmt.Errorf("%w: %s is 0", ErrSpec, g)
		}
		if p[g] != "" {
			given++
		}
	}
	if given > 1 || p["table"] != "" && (p["bits"] != "" || p["max-error"] != "") {
		return fmt.Errorf("%w: more than one of rel, step, max-error, bits, table", ErrSpec)
	}
	if p["table"] != "" {
		if _, err := ParseTableID(p["table"]); err != nil {
			return err
		}
	}
	_, err := p.number("round", 0.4, 0, 0.5)
	return err
}

func (c uniformCodec) Accepts(d tensor.DType, _ tensor.Shape, p map[string]string) error {
	if err := c.check(p); err != nil {
		return err
	}
	return acceptsFloats("uniform", d)
}

func (c uniformCodec) prepare(w *work, p params) error {
	f := &w.fold
	if p["chunk"] == "" {
		w.chunkElems = uniformChunk
		if err := w.derive(); err != nil {
			return err
		}
	}
	peak, rms := c.scan(w)
	f.table = nil
	f.foldQuant = foldQuant{near: 1, far: 1}
	if p["table"] != "" {
		id, err := ParseTableID(p["table"])
		if err != nil {
			return err
		}
		if f.table, err = w.tables.table(id); err != nil {
			return err
		}
		f.foldQuant = f.table.quant
		if err := f.channels(w.shape); err != nil {
			return err
		}
	}
	least := peak / simd.MaxFold
	if f.scaled() {
		least = f.reach(w) / simd.MaxFold
	}
	if err := c.choose(w, p, rms, least); err != nil {
		return err
	}
	if f.step < minStep {
		if p["max-error"] != "" && peak > 0 {
			return fmt.Errorf("%w: max-error %s is below the smallest step %g", ErrUnsuitable, p["max-error"], minStep)
		}
		f.step = 0
	}
	f.step = min(f.step, maxStep)
	f.bound = f.foldQuant.bound(peak)
	if f.table != nil {
		f.bound = min((f.bound+f.step*f.table.farthestZero())*max(f.table.largest(), 1), math.MaxFloat32)
	}
	w.params = append(w.params, flag(f.table != nil))
	w.params = f.foldQuant.append(appendFloat(w.params, f.bound))
	if f.table != nil {
		w.params = binary.LittleEndian.AppendUint64(w.params, uint64(f.table.id))
	}
	return nil
}

// choose fills the quantiser from p.
func (c uniformCodec) choose(w *work, p params, rms, least float32) error {
	f := &w.fold
	round, _ := p.number("round", 0.4, 0, 0.5)
	rel, _ := p.number("rel", 0.5, 0, math.MaxFloat32)
	switch {
	case p["max-error"] != "":
		limit, _ := p.number("max-error", 0, 0, math.MaxFloat32)
		f.round = 128
		// A little less than twice the limit leaves room for float32 rounding.
		f.step = float32(limit * 2 * (1 - 1.0/(1<<18)))
		if f.step < least {
			return fmt.Errorf("%w: max-error %g needs more than %d levels; use int8 or a float codec", ErrUnsuitable, limit, simd.MaxFold)
		}
		f.place(w)
		return nil
	case p["step"] != "":
		v, _ := p.number("step", 0, 0, math.MaxFloat32)
		f.step = max(float32(v), least)
	case f.table != nil && p["rel"] == "":
		f.step = max(f.step, least)
		return nil
	case p["bits"] != "":
		f.round = uint8(round * 256)
		bits, _ := p.number("bits", 0, 0, math.MaxFloat32)
		f.search(w, rms, least, bits)
		f.center(w)
		return nil
	default:
		f.step = max(float32(rel)*rms, least)
	}
	if f.table == nil {
		f.round = uint8(round * 256)
		f.center(w)
		f.place(w)
	}
	return nil
}

// scan returns the largest magnitude and the root mean square of the finite chunks, and marks those that are not or are tooLarge.
func (uniformCodec) scan(w *work) (peak, rms float32) {
	f := &w.fold
	f.exact = sized(f.exact, w.chunks)
	var sum float64
	n := 0
	for i := range w.chunks {
		lo, hi := w.span(i)
		src := w.floats(lo, hi)
		m := simd.MaxAbs(src)
		f.exact[i] = m >= tooLarge
		if f.exact[i] {
			continue
		}
		peak = max(peak, math.Float32frombits(m))
		sum += simd.SumSquares(src)
		n += hi - lo
	}
	if n > 0 {
		rms = float32(min(math.Sqrt(sum/float64(n)), math.MaxFloat32))
	}
	return peak, rms
}

// bound is the largest error of values up to peak.
func (q foldQuant) bound(peak float32) float32 {
	if q.step == 0 {
		return peak
	}
	round, shift := float32(q.round)/256, float32(q.shift)/128
	worst := max(1-round, 1-round+shift, round-shift)
	const unit = 1.0 / (1 << 23)
	return worst*q.step + 8*unit*peak
}

// levels fills the table of decoded values.
func (f *foldState) levels() {
	shift := float32(f.shift) / 128
	f.values[0] = 0
	for s := 1; s < 256; s++ {
		v := (float32((s+1)/2) - shift) * f.step
		if s%2 == 1 {
			v = -v
		}
		f.values[s] = v
	}
}

func (q foldQuant) inverse() float32 {
	if q.step == 0 {
		return 0
	}
	return min(1/q.step, math.MaxFloat32)
}

func (q foldQuant) fold(dst []byte, src []float32) {
	simd.Fold(dst, src, q.inverse(), float32(q.round)/256)
}

func (uniformCodec) bound(w *work) ErrorBound { return ErrorBound{Absolute: float64(w.fold.bound)} }

func (uniformCodec) appendChunk(dst []byte, w *work, lo, hi int) ([]byte, error) {
	f := &w.fold
	exact := w.bytesOf(lo, hi)
	if f.exact[lo/w.chunkElems] {
		return append(append(dst, modeExact), exact...), nil
	}
	n := hi - lo
	f.symbols = sized(f.symbols, rans.Padded(n))
	f.foldChannels(f.symbols[:n], w.floats(lo, hi), lo)
	known, first := &allKnown, escape
	if f.table != nil {
		known, first = &f.table.known, f.table.unknown
	}
	some, beyond := scanSymbols(f.symbols[:n], first)
	if !some {
		return append(dst, modeZero), nil
	}
	f.escapes = f.escapes[:0]
	if beyond {
		f.takeEscapes(f.symbols[:n], known)
	}
	// What fills up the last strips must have a place in the distributions, and is not an element.
	fill := byte(0)
	if !known[0] {
		fill = escape
	}
	for i := n; i < len(f.symbols); i++ {
		f.symbols[i] = fill
	}
	start := len(dst)
	dst = append(dst, modeCoded)
	coder, near := &f.coder, rans.Neighbours{Near: f.near, Far: f.far}
	if f.table != nil {
		coder = &f.table.coder
	} else {
		rans.Count(f.symbols, near, &f.counts)
		rans.NormalizeContexts(&f.freq, &f.counts, nil)
		f.coder.BuildEncoder(&f.freq)
		dst = rans.AppendContextFreq(dst, &f.freq)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.escapes)))
	dst = append(dst, f.escapes...)
	dst = coder.AppendContext(dst, f.symbols, near, &f.scratch)
	if len(dst)-start > 1+len(exact) {
		return append(append(dst[:start], modeExact), exact...), nil
	}
	return dst, nil
}

// allKnown is what a chunk's own frequencies know: every symbol but the escape, which they learn when it occurs.
var allKnown = func() (k [rans.Alphabet]bool) {
	for i := range escape {
		k[i] = true
	}
	return k
}()

// scanSymbols reports whether any symbol is not 0, and whether any is limit, at most 128, or more.
func scanSymbols(symbols []byte, limit int) (some, beyond bool) {
	const ones = 0x0101010101010101
	var all, over uint64
	lift := uint64(0x80-limit) * ones
	for ; len(symbols) >= 8; symbols = symbols[8:] {
		v := binary.LittleEndian.Uint64(symbols)
		all |= v
		over |= v&(0x7f*ones) + lift | v
	}
	some, beyond = all != 0, over&(0x80*ones) != 0
	for _, s := range symbols {
		some, beyond = some || s != 0, beyond || int(s) >= limit
	}
	return some, beyond
}

// takeEscapes replaces those of symbols that are not known by the escape and keeps them, in order.
func (f *foldState) takeEscapes(symbols []byte, known *[rans.Alphabet]bool) {
	f.escapes = f.escapes[:0]
	var plain [256]bool
	copy(plain[:escape], known[:escape])
	for i, s := range symbols {
		if !plain[s] {
			f.escapes = append(f.escapes, s)
			symbols[i] = escape
		}
	}
}
