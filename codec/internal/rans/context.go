package rans

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Context coding: symbols of a small alphabet, each under one of 16 distributions that two earlier symbols choose.
//
// The n symbols are cut into L strips of equal length (32, or 4 for short inputs; the last strips are filled up), and lane
// j codes strip j, so that in round t the neighbours of every lane's symbol stand at the same distances in that lane's own
// past. A symbol's context is 4*near + far, where near is the class of the symbol Near places earlier and far that of the
// symbol Far places earlier. With signed numbers folded to 0, -1, 1, -2, 2, ... the magnitude of symbol s is (s+1)/2; its
// class is 0 for magnitude 0, 1 for 1, 2 for 2 and 3, 3 from 4 on. Where a strip has no symbol so far back, near is 0 and
// far equals near.
const (
	// Contexts is the number of distributions, Alphabet that of symbols.
	Contexts = 16
	Alphabet = 32
	// ContextBits is the precision of a context's frequencies, which sum to ContextScale.
	ContextBits  = 11
	ContextScale = 1 << ContextBits
	contextMany  = 8192 // inputs of at least so many symbols use manyLanes
)

// ContextFreq holds the frequencies of every context; a context that never occurs has none.
type ContextFreq [Contexts][Alphabet]uint16

// ContextCounts counts symbols per context.
type ContextCounts [Contexts][Alphabet]uint32

// Neighbours are the distances that choose the context, each at least 1.
type Neighbours struct{ Near, Far int }

// ContextTable codes under ContextFreq. BuildEncoder and BuildDecoder fill it; afterwards it is safe for concurrent use.
type ContextTable struct {
	enc [Contexts * Alphabet]uint64
	// dec[context<<ContextBits | slot] is symbol | frequency<<8 | (slot - start)<<20.
	dec [Contexts << ContextBits]uint32
}

// BuildEncoder makes t ready to code, from frequencies that sum to ContextScale in each context, or to 0.
func (t *ContextTable) BuildEncoder(freq *ContextFreq) {
	for c := range freq {
		start := uint16(0)
		for s, f := range freq[c] {
			t.enc[c*Alphabet+s] = encoding(f, start)
			start += f
		}
	}
}

// BuildDecoder makes t ready to decode, from such frequencies.
func (t *ContextTable) BuildDecoder(freq *ContextFreq) {
	for c := range freq {
		dec := t.dec[c<<ContextBits : (c+1)<<ContextBits]
		start := uint32(0)
		for s, f := range freq[c] {
			fillDecoder(dec[start:start+uint32(f)], uint32(s), uint32(f))
			start += uint32(f)
		}
		clear(dec[start:])
	}
}

// NormalizeContexts scales counts to frequencies. The symbols in always, which may be nil, get at least 1 in every context,
// as a table needs that is to code symbols it was not made from.
func NormalizeContexts(freq *ContextFreq, counts *ContextCounts, always *[Alphabet]bool) {
	if always == nil {
		always = new([Alphabet]bool)
	}
	for c := range counts {
		normalizeContext(&freq[c], &counts[c], always)
	}
}

func normalizeContext(freq *[Alphabet]uint16, counts *[Alphabet]uint32, always *[Alphabet]bool) {
	var total uint64
	for _, n := range counts {
		total += uint64(n)
	}
	*freq = [Alphabet]uint16{}
	sum := 0
	if total == 0 {
		for s := range freq {
			if always[s] {
				freq[s] = 1
				sum++
			}
		}
		if sum == 0 {
			return
		}
	}
	for s, n := range counts {
		if total == 0 {
			break
		}
		f := (uint64(n)*ContextScale + total/2) / total
		if n > 0 || always[s] {
			f = max(f, 1)
		}
		freq[s] = uint16(f)
		sum += int(f)
	}
	// The largest frequency gives or takes what rounding left over: it costs it least.
	for sum != ContextScale {
		best := 0
		for s, f := range freq {
			if f > freq[best] {
				best = s
			}
		}
		if sum < ContextScale {
			freq[best] += uint16(ContextScale - sum)
			break
		}
		give := min(sum-ContextScale, max(int(freq[best])/8, 1))
		freq[best] -= uint16(give)
		sum -= give
	}
}

// strips returns the number of lanes and the length of each strip for n symbols.
func strips(n int) (lanes, length int) {
	lanes = fewLanes
	if n >= contextMany {
		lanes = manyLanes
	}
	return lanes, (n + lanes - 1) / lanes
}

// Padded is the number of symbols that n are filled up to; buffers of symbols have that length.
func Padded(n int) int {
	lanes, length := strips(n)
	return lanes * length
}

// Count counts the symbols of src, which is Padded long, per context.
func Count(src []byte, d Neighbours, counts *ContextCounts) {
	// Four tables in turn, so that runs of one symbol do not wait on one counter.
	var tables [4]ContextCounts
	if len(src) > 0 {
		lanes, length := strips(len(src))
		begin := min(max(d.Near, d.Far), length)
		for lane := range lanes {
			s := src[lane*length : (lane+1)*length]
			for t, v := range s[:begin] {
				tables[0][contextAt(s, t, d)][v&(Alphabet-1)]++
			}
			if begin == length {
				continue
			}
			rest := s[begin:]
			n, f := s[begin-d.Near:][:len(rest)], s[begin-d.Far:][:len(rest)]
			for len(rest) >= 4 && len(n) >= 4 && len(f) >= 4 {
				tables[0][context(n[0], f[0])][rest[0]&(Alphabet-1)]++
				tables[1][context(n[1], f[1])][rest[1]&(Alphabet-1)]++
				tables[2][context(n[2], f[2])][rest[2]&(Alphabet-1)]++
				tables[3][context(n[3], f[3])][rest[3]&(Alphabet-1)]++
				rest, n, f = rest[4:], n[4:], f[4:]
			}
			for t, v := range rest {
				tables[0][context(n[t], f[t])][v&(Alphabet-1)]++
			}
		}
	}
	for c := range counts {
		for s := range counts[c] {
			counts[c][s] = tables[0][c][s] + tables[1][c][s] + tables[2][c][s] + tables[3][c][s]
		}
	}
}

// context is the context of a symbol whose neighbours are near and far.
func context(near, far byte) byte { return (4*classes[near] + classes[far]) % Contexts }

// classes is the class of every byte.
var classes = func() (c [256]byte) {
	for s := range c {
		c[s] = byte(min(bits.Len((uint(s)+1)/2), 3))
	}
	return c
}()

func contextAt(strip []byte, t int, d Neighbours) byte {
	near := byte(0)
	if t >= d.Near {
		near = classes[strip[t-d.Near]]
	}
	far := near
	if t >= d.Far {
		far = classes[strip[t-d.Far]]
	}
	return 4*near + far
}

// Size predicts the bytes of coding counts under freq, without the states; math.MaxInt when a symbol has no frequency.
func (freq *ContextFreq) Size(counts *ContextCounts) int {
	var sum float64
	for c := range counts {
		for s, n := range counts[c] {
			if n == 0 {
				continue
			}
			if freq[c][s] == 0 {
				return math.MaxInt
			}
			sum += float64(n) * cost[freq[c][s]]
		}
	}
	return int(sum / 8)
}

// AppendContext codes src, which is Padded long, and appends the bytes. Every symbol is below Alphabet and has a frequency
// in its context.
func (t *ContextTable) AppendContext(dst, src []byte, d Neighbours, scratch *Scratch) []byte {
	if len(src) == 0 {
		return dst
	}
	lanes, length := strips(len(src))
	need := 2*len(src) + 2 + encodeSlack // a word is written ahead of the room for it
	buf := room(&scratch.words, need)
	var states [manyLanes]uint32
	for i := range lanes {
		states[i] = floor
	}
	at, done := need, false
	if lanes == manyLanes {
		at, done = t.encodeContextMany(&states, src, length, buf, d, scratch)
	}
	if !done {
		at = t.encodeContextScalar(&states, lanes, src, length, buf, d, scratch)
	}
	for _, x := range states[:lanes] {
		dst = binary.LittleEndian.AppendUint32(dst, x)
	}
	return append(dst, buf[at:]...)
}

// encodeContextScalar writes words down from buf's end and returns where they begin.
func (t *ContextTable) encodeContextScalar(states *[manyLanes]uint32, lanes int, src []byte, length int, buf []byte, d Neighbours, scratch *Scratch) int {
	ctx := room(&scratch.rows, len(src))
	for lane := range lanes {
		classify(ctx[lane*length:(lane+1)*length], src[lane*length:(lane+1)*length], d)
	}
	at := len(buf)
	for round := length - 1; round >= 0; round-- {
		p := (lanes-1)*length + round
		for lane := lanes - 1; lane >= 0; lane-- {
			x := &states[lane&(manyLanes-1)]
			*x, at = put(t.enc[int(ctx[p])*Alphabet+int(src[p]&(Alphabet-1))], *x, ContextBits, buf, at)
			p -= length
		}
	}
	return at
}

// classify writes the context of every symbol of a strip to ctx.
func classify(ctx, strip []byte, d Neighbours) {
	begin := min(max(d.Near, d.Far), len(strip))
	for t := range begin {
		ctx[t] = contextAt(strip, t, d)
	}
	if begin == len(strip) {
		return
	}
	out := ctx[begin:len(strip)]
	n, f := strip[begin-d.Near:][:len(out)], strip[begin-d.Far:][:len(out)]
	for t := range out {
		out[t] = context(n[t], f[t])
	}
}

// Scratch is memory that the context coder keeps from call to call. Its zero value is ready; it is for one goroutine.
type Scratch struct {
	words []byte
	rows  []byte // symbols round by round, or contexts
}

// room is *b with length n; the contents are arbitrary.
func room(b *[]byte, n int) []byte {
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	return (*b)[:n]
}

// DecodeContext decodes len(dst) symbols, a Padded number, from src, which must be used up.
func (t *ContextTable) DecodeContext(dst, src []byte, d Neighbours, scratch *Scratch) error {
	if len(dst) == 0 {
		if len(src) != 0 {
			return ErrCorrupt
		}
		return nil
	}
	lanes, length := strips(len(dst))
	if len(src) < 4*lanes || (len(src)-4*lanes)%2 != 0 {
		return ErrCorrupt
	}
	var states [manyLanes]uint32
	for i := range lanes {
		states[i] = binary.LittleEndian.Uint32(src[4*i:])
		if states[i] < floor {
			return ErrCorrupt
		}
	}
	words := src[4*lanes:]
	round := 0
	if lanes == manyLanes {
		var used int
		round, used = t.decodeContextMany(&states, dst, length, words, d, scratch)
		if used > len(words) {
			return ErrCorrupt
		}
		words = words[used:]
	}
	at := 0
	for ; round < length; round++ {
		for lane := range lanes {
			strip := dst[lane*length : (lane+1)*length]
			k := uint32(contextAt(strip, round, d))
			x := states[lane]
			e := t.dec[k<<ContextBits|x&(ContextScale-1)]
			strip[round] = byte(e)
			x = (e>>8&(1<<12-1))*(x>>ContextBits) + e>>20
			if x < floor {
				if at+2 > len(words) {
					return ErrCorrupt
				}
				x = x<<16 | uint32(binary.LittleEndian.Uint16(words[at:]))
				at += 2
			}
			states[lane] = x
		}
	}
	if at != len(words) {
		return ErrCorrupt
	}
	for _, x := range states[:lanes] {
		if x != floor {
			return ErrCorrupt
		}
	}
	return nil
}

// AppendContextFreq appends the frequencies of all contexts: per context the number of symbols up to the last that has a
// frequency in 8 bits, then per symbol as AppendFreq does; padded to a whole byte at the end.
func AppendContextFreq(dst []byte, freq *ContextFreq) []byte {
	w := bitWriter{dst: dst}
	for c := range freq {
		last := Alphabet
		for last > 0 && freq[c][last-1] == 0 {
			last--
		}
		w.put(uint64(last), 8)
		for _, f := range freq[c][:last] {
			w.freq(f)
		}
	}
	return w.flush()
}

// ParseContextFreq reads what AppendContextFreq wrote and returns the number of bytes used. It fails with ErrCorrupt
// unless every context's frequencies sum to ContextScale or to 0.
func ParseContextFreq(freq *ContextFreq, src []byte) (int, error) {
	*freq = ContextFreq{}
	r := bitReader{src: src}
	for c := range freq {
		last := int(r.get(8))
		if last > Alphabet {
			return 0, ErrCorrupt
		}
		sum := 0
		for s := range last {
			f, ok := r.freq()
			if !ok {
				return 0, ErrCorrupt
			}
			freq[c][s] = f
			sum += int(f)
		}
		if sum != 0 && sum != ContextScale {
			return 0, ErrCorrupt
		}
	}
	if r.at > len(src) {
		return 0, ErrCorrupt
	}
	return r.at, nil
}
