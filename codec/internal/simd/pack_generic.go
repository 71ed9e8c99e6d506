package simd

import "encoding/binary"

// AppendPacked appends the low width bits of every symbol, low bits first, width one of 2, 3, 4, 6 and 8.
func AppendPacked(dst, symbols []byte, width int) []byte {
	if width == 8 {
		return append(dst, symbols...)
	}
	mask := uint64(1)<<width - 1
	// Eight symbols fill width whole bytes.
	for len(symbols) >= 8 {
		v := binary.LittleEndian.Uint64(symbols)
		v = gather(v, width, mask)
		for i := range width {
			dst = append(dst, byte(v>>(8*i)))
		}
		symbols = symbols[8:]
	}
	if len(symbols) > 0 {
		var v uint64
		for i, s := range symbols {
			v |= uint64(s) & mask << (width * i)
		}
		for i := range (len(symbols)*width + 7) / 8 {
			dst = append(dst, byte(v>>(8*i)))
		}
	}
	return dst
}

func gather(v uint64, width int, mask uint64) uint64 {
	var out uint64
	for i := range 8 {
		out |= v >> (8 * i) & mask << (width * i)
	}
	return out
}

// Unpack is the inverse of AppendPacked; packed has (len(dst)*width+7)/8 bytes.
func Unpack(dst, packed []byte, width int) {
	if width == 8 {
		copy(dst, packed)
		return
	}
	mask := uint64(1)<<width - 1
	for len(dst) > 0 {
		var v uint64
		for i := range min(width, len(packed)) {
			v |= uint64(packed[i]) << (8 * i)
		}
		n := min(8, len(dst))
		for i := range n {
			dst[i] = byte(v >> (width * i) & mask)
		}
		dst = dst[n:]
		packed = packed[min(width, len(packed)):]
	}
}
