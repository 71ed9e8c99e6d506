package codec

import (
	"errors"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
)

// A coded byte string is how every codec writes bytes that may be worth entropy coding. Its length n is known to both
// sides.
//
//	coded = 0 | n bytes                                     stored
//	      | 1 | byte                                        n times the byte
//	      | 2 | length uvarint | frequencies | rANS data    length counts frequencies and data
const (
	codedStored = 0
	codedRun    = 1
	codedRANS   = 2
)

// byteCoder writes and reads coded byte strings. Its zero value is ready; it is for one goroutine.
type byteCoder struct {
	table   rans.Table
	freq    [256]uint16
	counts  [256]uint32
	scratch []byte
}

// append appends src as a coded byte string, in whichever way is shortest.
func (b *byteCoder) append(dst, src []byte) []byte {
	if b.noise(src) {
		return append(append(dst, codedStored), src...)
	}
	countBytes(&b.counts, src)
	if len(src) == 0 {
		return append(dst, codedStored)
	}
	if int(b.counts[src[0]]) == len(src) {
		return append(dst, codedRun, src[0])
	}
	rans.Normalize(&b.freq, &b.counts)
	size := codedSize(&b.freq, &b.counts)
	// Coding must win at least 1/256 to be worth the decoder's time.
	if size+size/256 >= len(src) {
		return append(append(dst, codedStored), src...)
	}
	b.table.BuildEncoder(&b.freq)
	dst = append(dst, codedRANS)
	start := len(dst)
	dst = rans.AppendFreq(dst, &b.freq)
	dst = b.table.Append(dst, src, &b.scratch)
	return insertLength(dst, start)
}

// The sample that noise takes: blocks of noiseBlock bytes, noiseBlocks of them.
const (
	noiseBlock  = 256
	noiseBlocks = 16
)

// noise reports whether a sample of src, which must be long for that, has no less entropy than random bytes: the lower
// planes of floats, which are not worth counting. A sample of 4096 random bytes has about 7.955 bits per byte.
func (b *byteCoder) noise(src []byte) bool {
	const n = noiseBlock * noiseBlocks
	if len(src) < 4*n {
		return false
	}
	var counts [256]uint32
	stride := (len(src) - noiseBlock) / (noiseBlocks - 1)
	for k := range noiseBlocks {
		for _, v := range src[k*stride : k*stride+noiseBlock] {
			counts[v]++
		}
	}
	var sum float64
	for _, c := range counts {
		if c > 0 {
			sum += float64(c) * math.Log2(float64(c))
		}
	}
	return math.Log2(n)-sum/n > 7.93
}

// insertLength puts the number of bytes from start on before them, as a uvarint.
func insertLength(dst []byte, start int) []byte {
	n := len(dst) - start
	width := 1
	for v := n; v >= 0x80; v >>= 7 {
		width++
	}
	dst = append(dst, make([]byte, width)...)
	copy(dst[start+width:], dst[start:start+n])
	for i := range width {
		dst[start+i] = byte(n>>(7*i)) | 0x80
	}
	dst[start+width-1] &= 0x7f
	return dst
}

// codedSize predicts the bytes of frequencies and rANS data.
func codedSize(freq *[256]uint16, counts *[256]uint32) int {
	var bits float64
	for s, c := range counts {
		if c > 0 {
			bits += float64(c)*(rans.ScaleBits-math.Log2(float64(freq[s]))) + 9
		}
	}
	return int(bits/8) + 66
}

var errCoded = errors.New("coded bytes are inconsistent")

// decode reads a coded byte string into dst.
func (b *byteCoder) decode(dst []byte, r *reader) error {
	switch r.byte() {
	case codedStored:
		copy(dst, r.take(len(dst)))
	case codedRun:
		v := r.byte()
		for i := range dst {
			dst[i] = v
		}
	case codedRANS:
		body := r.take(r.length(len(r.b)))
		if r.bad {
			return errCoded
		}
		n, err := rans.ParseFreq(&b.freq, body)
		if err != nil {
			return err
		}
		b.table.BuildDecoder(&b.freq)
		return b.table.Decode(dst, body[n:])
	default:
		return errCoded
	}
	if r.bad {
		return errCoded
	}
	return nil
}

// countBytes counts src into counts. Four tables keep runs of one byte from waiting on one counter.
func countBytes(counts *[256]uint32, src []byte) {
	var c1, c2, c3 [256]uint32
	*counts = [256]uint32{}
	for len(src) >= 4 {
		counts[src[0]]++
		c1[src[1]]++
		c2[src[2]]++
		c3[src[3]]++
		src = src[4:]
	}
	for _, v := range src {
		counts[v]++
	}
	for i := range counts {
		counts[i] += c1[i] + c2[i] + c3[i]
	}
}
