package rans

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Context coding: symbols of a small alphabet, each under one of 16 distributions that two earlier symbols choose.
//
// The n symbols are cut into L strips of equal length (32, or 4 for short inputs; the last strips are filled up with
// zeros), and lane j codes strip j, so that in round t the neighbours of every lane's symbol stand at the same distances
// in that lane's own past. A symbol's context is 4*near + far, where near is the class of the symbol Near places earlier
// and far that of the symbol Far places earlier. With signed numbers folded to 0, -1, 1, -2, 2, ... the magnitude of symbol
// s is (s+1)/2; its class is 0 for magnitude 0, 1 for 1, 2 for 2 and 3, 3 from 4 on. Where a strip has no symbol so far back, near is 0 and far equals
// near.
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

// ContextTable codes under ContextFreq. Build fills it; afterwards it is safe for concurrent use.
type ContextTable struct {
	enc [Contexts * Alphabet]encContext
	// dec[context<<ContextBits | slot] is symbol | frequency<<8 | (slot - start)<<20.
	dec [Contexts << ContextBits]uint32
}

type encContext struct {
	inverse, limit uint64
	bias, gap      uint32
}

// Build fills t from frequencies that sum to ContextScale in each context, or to 0.
func (t *ContextTable) Build(freq *ContextFreq) {
	for c := range freq {
		dec := t.dec[c<<ContextBits : (c+1)<<ContextBits]
		start := uint32(0)
		for s, f := range freq[c] {
			f := uint32(f)
			e := &t.enc[c*Alphabet+s]
			*e = encContext{limit: uint64(f) << (32 - ContextBits), gap: ContextScale - f}
			switch f {
			case 0:
				continue
			case 1:
				e.inverse, e.bias = 1<<64-1, start+ContextScale-1
			default:
				e.inverse, e.bias = ^uint64(0)/uint64(f)+1, start
			}
			for i := range f {
				dec[start+i] = uint32(s) | f<<8 | i<<20
			}
			start += f
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

// Classify writes the context of every symbol of src, which is Padded long, to ctx, and counts the symbols per context.
func Classify(ctx, src []byte, d Neighbours, counts *ContextCounts) {
	*counts = ContextCounts{}
	if len(src) == 0 {
		return
	}
	lanes, length := strips(len(src))
	near, far := min(d.Near, length), min(d.Far, length)
	for lane := range lanes {
		s, c := src[lane*length:(lane+1)*length], ctx[lane*length:(lane+1)*length]
		begin := max(near, far)
		for t, v := range s[:begin] {
			k := contextAt(s, t, d)
			c[t] = k
			counts[k][v&(Alphabet-1)]++
		}
		rest := s[begin:]
		out, n, f := c[begin:][:len(rest)], s[begin-near:][:len(rest)], s[begin-far:][:len(rest)]
		for t, v := range rest {
			k := 4*classes[n[t]] + classes[f[t]]
			out[t] = k
			counts[k%Contexts][v&(Alphabet-1)]++
		}
	}
}

// classes is class of every byte.
var classes = func() (c [256]byte) {
	for s := range c {
		c[s] = byte(min(bits.Len((uint(s)+1)/2), 3))
	}
	return c
}()

func contextAt(strip []byte, t int, d Neighbours) byte {
	near := byte(0)
	if t >= d.Near {
		near = class(strip[t-d.Near])
	}
	far := near
	if t >= d.Far {
		far = class(strip[t-d.Far])
	}
	return 4*near + far
}

func class(s byte) byte { return classes[s] }

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

// AppendContext codes src, which is Padded long, under the contexts that Classify wrote, and appends the bytes. Every
// symbol is below Alphabet and has a frequency in its context.
func (t *ContextTable) AppendContext(dst, src, ctx []byte, scratch *[]byte) []byte {
	if len(src) == 0 {
		return dst
	}
	lanes, length := strips(len(src))
	need := 2*len(src) + 2 // a word is written ahead of the room for it
	if cap(*scratch) < need {
		*scratch = make([]byte, need)
	}
	buf := (*scratch)[:need]
	at := need
	var states [manyLanes]uint32
	for i := range lanes {
		states[i] = floor
	}
	ctx = ctx[:len(src)]
	for round := length - 1; round >= 0; round-- {
		p := (lanes-1)*length + round
		for lane := lanes - 1; lane >= 0; lane-- {
			e := &t.enc[int(ctx[p])*Alphabet+int(src[p]&(Alphabet-1))]
			p -= length
			x := states[lane&(manyLanes-1)]
			// Without a branch, which would often be mispredicted: over is 1 when x gives off a word, else 0.
			over := (e.limit - 1 - uint64(x)) >> 63
			binary.LittleEndian.PutUint16(buf[at-2:], uint16(x))
			at -= int(over) * 2
			x >>= over * 16 & 31
			q, _ := bits.Mul64(uint64(x), e.inverse)
			states[lane&(manyLanes-1)] = x + e.bias + uint32(q)*e.gap
		}
	}
	for _, x := range states[:lanes] {
		dst = binary.LittleEndian.AppendUint32(dst, x)
	}
	return append(dst, buf[at:]...)
}

// DecodeContext decodes len(dst) symbols, a Padded number, from src, which must be used up.
func (t *ContextTable) DecodeContext(dst, src []byte, d Neighbours, scratch *[]byte) error {
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
