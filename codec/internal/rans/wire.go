package rans

import (
	"math"
	"math/bits"
)

// bitWriter appends bits to dst, low bits first.
type bitWriter struct {
	dst  []byte
	acc  uint64
	have int
}

func (w *bitWriter) put(v uint64, n int) {
	w.acc |= v << w.have
	w.have += n
	for w.have >= 8 {
		w.dst = append(w.dst, byte(w.acc))
		w.acc >>= 8
		w.have -= 8
	}
}

// freq writes the number of significant bits in 4 bits and those below the leading one.
func (w *bitWriter) freq(f uint16) {
	n := bits.Len16(f)
	w.put(uint64(n), 4)
	if n > 1 {
		w.put(uint64(f)&(1<<(n-1)-1), n-1)
	}
}

func (w *bitWriter) flush() []byte {
	if w.have > 0 {
		w.dst = append(w.dst, byte(w.acc))
		w.acc, w.have = 0, 0
	}
	return w.dst
}

// bitReader reads what bitWriter wrote; beyond the end it reads zeros and at exceeds the length.
type bitReader struct {
	src  []byte
	at   int
	acc  uint64
	have int
}

func (r *bitReader) get(n int) uint64 {
	for r.have < n {
		if r.at < len(r.src) {
			r.acc |= uint64(r.src[r.at]) << r.have
		}
		r.at++
		r.have += 8
	}
	v := r.acc & (1<<n - 1)
	r.acc >>= n
	r.have -= n
	return v
}

// freq reads a frequency of at most Scale.
func (r *bitReader) freq() (uint16, bool) {
	n := int(r.get(4))
	if n == 0 {
		return 0, true
	}
	if n > ScaleBits {
		return 0, false
	}
	return uint16(1<<(n-1) | r.get(n-1)), true
}

// AppendFreq appends frequencies as a bit string: the first and the last symbol in 8 bits each, then per symbol between
// them the number of significant bits in 4 bits and those below the leading one. They sum to Scale.
func AppendFreq(dst []byte, freq *[256]uint16) []byte {
	first, last := 0, 255
	for freq[first] == 0 {
		first++
	}
	for freq[last] == 0 {
		last--
	}
	w := bitWriter{dst: append(dst, byte(first), byte(last))}
	for _, f := range freq[first : last+1] {
		w.freq(f)
	}
	return w.flush()
}

// ParseFreq reads what AppendFreq wrote and returns the number of bytes used. It fails with ErrCorrupt unless the
// frequencies are those of at least two symbols and sum to Scale.
func ParseFreq(freq *[256]uint16, src []byte) (int, error) {
	*freq = [256]uint16{}
	if len(src) < 2 || src[0] >= src[1] {
		return 0, ErrCorrupt
	}
	r := bitReader{src: src, at: 2}
	sum := 0
	for s := int(src[0]); s <= int(src[1]); s++ {
		f, ok := r.freq()
		if !ok {
			return 0, ErrCorrupt
		}
		freq[s] = f
		sum += int(f)
	}
	if r.at > len(src) || sum != Scale || freq[src[0]] == 0 || freq[src[1]] == 0 {
		return 0, ErrCorrupt
	}
	return r.at, nil
}

// cost is the bits that a symbol of a given frequency takes.
var cost = costs()

func costs() (c [ContextScale + 1]float64) {
	for f := 1; f <= ContextScale; f++ {
		c[f] = ContextBits - math.Log2(float64(f))
	}
	return c
}
