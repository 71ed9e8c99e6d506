package simd

import (
	"encoding/binary"
	"slices"
)

// AppendPacked appends the low width bits of every symbol, low bits first, width one of 2, 3, 4, 6 and 8.
func AppendPacked(dst, symbols []byte, width int) []byte {
	if width == 8 {
		return append(dst, symbols...)
	}
	size := (len(symbols)*width + 7) / 8
	dst = slices.Grow(dst, size+8)[:len(dst)+size+8]
	out, p := dst[len(dst)-size-8:], newPacking(width)
	// Eight symbols fill width whole bytes.
	for ; len(symbols) >= 8; symbols = symbols[8:] {
		binary.LittleEndian.PutUint64(out, p.pack(binary.LittleEndian.Uint64(symbols)))
		out = out[width:]
	}
	if len(symbols) > 0 {
		var last [8]byte
		copy(last[:], symbols)
		binary.LittleEndian.PutUint64(out, p.pack(binary.LittleEndian.Uint64(last[:])))
	}
	return dst[:len(dst)-8]
}

// packing holds the masks by which eight symbols of width bits, a byte each, move together in three steps: to pairs, to
// fours and to all eight.
type packing struct {
	width                    int
	low1, low2, low4         uint64
	first, pairs, fours, all uint64
}

func newPacking(width int) packing {
	const bytes, words, dwords = 0x0101010101010101, 0x0001000100010001, 0x0000000100000001
	each := uint64(1)<<width - 1
	return packing{
		width: width, first: each * bytes, low1: each * words, pairs: each << width * words,
		low2: (1<<(2*width) - 1) * dwords, fours: (1<<(2*width) - 1) << (2 * width) * dwords,
		low4: 1<<(4*width) - 1, all: (1<<(4*width) - 1) << (4 * width),
	}
}

func (p *packing) pack(v uint64) uint64 {
	v &= p.first
	v = v&p.low1 | v>>(8-p.width)&p.pairs
	v = v&p.low2 | v>>(16-2*p.width)&p.fours
	return v&p.low4 | v>>(32-4*p.width)&p.all
}

func (p *packing) unpack(v uint64) uint64 {
	v = v&p.low4 | v&p.all<<(32-4*p.width)
	v = v&p.low2 | v&p.fours<<(16-2*p.width)
	return v&p.low1 | v&p.pairs<<(8-p.width)
}

// Unpack is the inverse of AppendPacked; packed has (len(dst)*width+7)/8 bytes.
func Unpack(dst, packed []byte, width int) {
	if width == 8 {
		copy(dst, packed)
		return
	}
	p := newPacking(width)
	for ; len(dst) >= 8 && len(packed) >= 8; dst = dst[8:] {
		binary.LittleEndian.PutUint64(dst, p.unpack(binary.LittleEndian.Uint64(packed)))
		packed = packed[width:]
	}
	for len(dst) > 0 {
		var in, out [8]byte
		n := copy(in[:width], packed)
		binary.LittleEndian.PutUint64(out[:], p.unpack(binary.LittleEndian.Uint64(in[:])))
		dst, packed = dst[copy(dst, out[:]):], packed[n:]
	}
}
