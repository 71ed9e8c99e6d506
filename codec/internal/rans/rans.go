// Package rans codes bytes with interleaved range asymmetric numeral systems (Duda, "Asymmetric numeral systems: entropy
// coding combining speed of Huffman coding with compression rate of arithmetic coding", arXiv:1311.2540), with 12-bit
// frequencies, 32-bit states and 16-bit renormalisation.
//
// Symbol i belongs to lane i mod L, where L is 32, or 4 for short inputs, so that one SIMD register holds many states
// (Giesen, "Interleaved entropy coders", arXiv:1402.3392). The coded bytes are the L final states as little-endian u32,
// then the 16-bit words in the order in which the decoder reads them: round by round, in a round by lane.
package rans

import (
	"encoding/binary"
	"errors"
)

const (
	// ScaleBits is the precision of frequencies, which sum to Scale.
	ScaleBits = 12
	Scale     = 1 << ScaleBits
	// floor is the least value of a state between symbols, and every state's first.
	floor = 1 << 16
	// manyLanes and fewLanes are the interleavings; inputs of at least manyFrom symbols use the former.
	manyLanes = 32
	fewLanes  = 4
	manyFrom  = 4096
)

// ErrCorrupt is returned when coded bytes do not decode to the expected number of symbols.
var ErrCorrupt = errors.New("rANS data is corrupt")

// Table codes bytes of one distribution. BuildEncoder and BuildDecoder fill it; afterwards it is safe for concurrent use.
type Table struct {
	enc [256]uint64
	// dec[slot] is symbol | frequency<<8 | (slot - start)<<20.
	dec [Scale]uint32
}

// encoding is what coding a symbol needs: inverse | frequency<<32 | start<<48. inverse is 2^32 over the frequency, rounded
// down, but for a frequency of 1, where it is one less: the quotient that it gives is right or one too small.
func encoding(freq, start uint16) uint64 {
	if freq == 0 {
		return 0
	}
	return min(1<<32/uint64(freq), 1<<32-1) | uint64(freq)<<32 | uint64(start)<<48
}

// put codes the symbol of e into x, after giving off a word below buf[at:] when x has no room, and returns the state and
// where the words begin. It has no branch, which would often be mispredicted.
func put(e uint64, x uint32, scaleBits uint, buf []byte, at int) (uint32, int) {
	f := uint32(e >> 32 & 0xffff)
	over := 1 - (x>>(32-scaleBits)-f)>>31
	binary.LittleEndian.PutUint16(buf[at-2:], uint16(x))
	at -= int(over) * 2
	x >>= over * 16 & 31
	q := uint32(uint64(x) * (e & (1<<32 - 1)) >> 32)
	rest := x - q*f
	more := 1 - (rest-f)>>31 // 1 when the quotient is one too small
	return (q+more)<<scaleBits + rest - f&-more + uint32(e>>48), at
}

// BuildEncoder makes t ready to code, from frequencies that sum to Scale with at least two symbols (Normalize makes such).
func (t *Table) BuildEncoder(freq *[256]uint16) {
	start := uint16(0)
	for s, f := range freq {
		t.enc[s] = encoding(f, start)
		start += f
	}
}

// BuildDecoder makes t ready to decode, from such frequencies.
func (t *Table) BuildDecoder(freq *[256]uint16) {
	start := uint32(0)
	for s, f := range freq {
		fillDecoder(t.dec[start:start+uint32(f)], uint32(s), uint32(f))
		start += uint32(f)
	}
}

// fillDecoder writes the slots of a symbol.
func fillDecoder(slots []uint32, symbol, freq uint32) {
	v := symbol | freq<<8
	for i := range slots {
		slots[i] = v
		v += 1 << 20
	}
}

// Normalize scales counts to frequencies that sum to Scale and are at least 1 where the count is not 0. It reports false
// when fewer than two symbols occur: such an input needs no coding.
func Normalize(freq *[256]uint16, counts *[256]uint32) bool {
	var total uint64
	used, largest := 0, 0
	for s, c := range counts {
		total += uint64(c)
		if c > 0 {
			used++
		}
		if c > counts[largest] {
			largest = s
		}
	}
	if used < 2 {
		return false
	}
	sum := 0
	for s, c := range counts {
		f := (uint64(c)*Scale + total/2) / total
		if c > 0 {
			f = max(f, 1)
		}
		freq[s] = uint16(f)
		sum += int(f)
	}
	// The largest symbols give or take what rounding left over: it costs them least.
	for sum != Scale {
		best := largest
		for s, f := range freq {
			if f > freq[best] {
				best = s
			}
		}
		if sum < Scale {
			freq[best] += uint16(Scale - sum)
			sum = Scale
			continue
		}
		give := min(sum-Scale, max(int(freq[best])/8, 1))
		freq[best] -= uint16(give)
		sum -= give
	}
	// A frequency of Scale cannot happen with two symbols, each of which has at least 1.
	return true
}

func lanesFor(n int) int {
	if n >= manyFrom {
		return manyLanes
	}
	return fewLanes
}

// MaxLen is the most bytes that Append adds for n symbols.
func MaxLen(n int) int { return 4*manyLanes + 2*n + 2 }

// encodeSlack is the bytes below the words that encoders may overwrite.
const encodeSlack = 32

// Append codes src, whose symbols all have a frequency, and appends the bytes. scratch grows as needed and is kept by the
// caller for the next call.
func (t *Table) Append(dst, src []byte, scratch *[]byte) []byte {
	need := MaxLen(len(src)) + encodeSlack
	if cap(*scratch) < need {
		*scratch = make([]byte, need)
	}
	buf := (*scratch)[:need]
	var states [manyLanes]uint32
	lanes := lanesFor(len(src))
	for i := range lanes {
		states[i] = floor
	}
	at := need
	if lanes == manyLanes {
		at = t.encodeMany(&states, src, buf)
	} else {
		at = t.encodeScalar(&states, lanes, src, buf, at)
	}
	for _, x := range states[:lanes] {
		dst = binary.LittleEndian.AppendUint32(dst, x)
	}
	return append(dst, buf[at:]...)
}

// encodeScalar codes src backwards, writing words down from buf[at:], and returns where they begin.
func (t *Table) encodeScalar(states *[manyLanes]uint32, lanes int, src, buf []byte, at int) int {
	mask := lanes - 1
	for i := len(src) - 1; i >= 0; i-- {
		x := &states[i&mask&(manyLanes-1)]
		*x, at = put(t.enc[src[i]], *x, ScaleBits, buf, at)
	}
	return at
}

// Decode decodes len(dst) symbols from src, which must be used up.
func (t *Table) Decode(dst, src []byte) error {
	lanes := lanesFor(len(dst))
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
	src = src[4*lanes:]
	done := 0
	if lanes == manyLanes {
		var used int
		done, used = t.decodeMany(&states, dst, src)
		if used > len(src) {
			return ErrCorrupt
		}
		src = src[used:]
	}
	if !t.decodeScalar(&states, lanes, dst[done:], &src) || len(src) != 0 {
		return ErrCorrupt
	}
	for _, x := range states[:lanes] {
		if x != floor {
			return ErrCorrupt
		}
	}
	return nil
}

// decodeScalar decodes len(dst) symbols, the first of lane 0. It reports false when src ends too early.
func (t *Table) decodeScalar(states *[manyLanes]uint32, lanes int, dst []byte, src *[]byte) bool {
	mask := lanes - 1
	words, at := *src, 0
	for i := range dst {
		x := states[i&mask&(manyLanes-1)]
		e := t.dec[x&(Scale-1)]
		dst[i] = byte(e)
		x = (e>>8&(Scale-1))*(x>>ScaleBits) + e>>20
		if x < floor {
			if at+2 > len(words) {
				return false
			}
			x = x<<16 | uint32(binary.LittleEndian.Uint16(words[at:]))
			at += 2
		}
		states[i&mask&(manyLanes-1)] = x
	}
	*src = words[at:]
	return true
}
