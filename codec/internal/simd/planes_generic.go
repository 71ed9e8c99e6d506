package simd

import (
	"encoding/binary"
	"math/bits"
)

// Slack is the bytes beyond the end of its result that Compact may overwrite and that Spread may read.
const Slack = 64

// Split writes the byte planes of src's little-endian elements of width 2, 4, 8 or 16 bytes to dst, the lowest byte's
// plane first, each len(src)/width bytes. rotate rotates each element left by one bit first; widths up to 8.
func Split(dst, src []byte, width int, rotate bool) {
	_ = dst[:len(src)]
	n := len(src) / width
	done := 0
	if width == 4 {
		done = split4(dst, src, n, rotate)
	}
	splitGeneric(dst, src, n, done, width, rotate)
}

// Merge is the inverse of Split.
func Merge(dst, src []byte, width int, rotate bool) {
	_ = src[:len(dst)]
	n := len(dst) / width
	done := 0
	if width == 4 {
		done = merge4(dst, src, n, rotate)
	}
	mergeGeneric(dst, src, n, done, width, rotate)
}

// splitGeneric splits elements [from, n).
func splitGeneric(dst, src []byte, n, from, width int, rotate bool) {
	turn := 0
	if rotate {
		turn = 1
	}
	switch width {
	case 2:
		lo, hi := dst[:n], dst[n:2*n]
		for i := from; i < n; i++ {
			v := bits.RotateLeft16(binary.LittleEndian.Uint16(src[2*i:]), turn)
			lo[i], hi[i] = byte(v), byte(v>>8)
		}
	case 4:
		p0, p1, p2, p3 := dst[:n], dst[n:2*n], dst[2*n:3*n], dst[3*n:4*n]
		for i := from; i < n; i++ {
			v := bits.RotateLeft32(binary.LittleEndian.Uint32(src[4*i:]), turn)
			p0[i], p1[i], p2[i], p3[i] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		}
	case 8:
		for i := from; i < n; i++ {
			v := bits.RotateLeft64(binary.LittleEndian.Uint64(src[8*i:]), turn)
			for p := range 8 {
				dst[p*n+i] = byte(v >> (8 * p))
			}
		}
	default:
		for i := from; i < n; i++ {
			for p := range width {
				dst[p*n+i] = src[i*width+p]
			}
		}
	}
}

// mergeGeneric merges elements [from, n).
func mergeGeneric(dst, src []byte, n, from, width int, rotate bool) {
	turn := 0
	if rotate {
		turn = -1
	}
	switch width {
	case 2:
		lo, hi := src[:n], src[n:2*n]
		for i := from; i < n; i++ {
			v := uint16(lo[i]) | uint16(hi[i])<<8
			binary.LittleEndian.PutUint16(dst[2*i:], bits.RotateLeft16(v, turn))
		}
	case 4:
		p0, p1, p2, p3 := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		for i := from; i < n; i++ {
			v := uint32(p0[i]) | uint32(p1[i])<<8 | uint32(p2[i])<<16 | uint32(p3[i])<<24
			binary.LittleEndian.PutUint32(dst[4*i:], bits.RotateLeft32(v, turn))
		}
	case 8:
		for i := from; i < n; i++ {
			var v uint64
			for p := range 8 {
				v |= uint64(src[p*n+i]) << (8 * p)
			}
			binary.LittleEndian.PutUint64(dst[8*i:], bits.RotateLeft64(v, turn))
		}
	default:
		for i := from; i < n; i++ {
			for p := range width {
				dst[i*width+p] = src[p*n+i]
			}
		}
	}
}

// Compact sets bit i of mask (low bits first) where element i of src, width bytes wide, is not all zero bits, writes
// those elements to dst, and returns their number. mask has (len(src)/width+7)/8 bytes; dst has Slack bytes more than src.
func Compact(mask, dst, src []byte, width int) int {
	n := len(src) / width
	_, _ = mask[:(n+7)/8], dst[:len(src)+Slack]
	done, kept := 0, 0
	if width == 4 {
		done, kept = compact4(mask, dst, src, n)
	}
	return compactGeneric(mask, dst, src, n, done, kept, width)
}

// compactGeneric handles elements [from, n), from a multiple of 8, where kept are already written.
func compactGeneric(mask, dst, src []byte, n, from, kept, width int) int {
	clear(mask[from/8 : (n+7)/8])
	switch width {
	case 2:
		for i := from; i < n; i++ {
			v := binary.LittleEndian.Uint16(src[2*i:])
			binary.LittleEndian.PutUint16(dst[2*kept:], v)
			if v != 0 {
				mask[i>>3] |= 1 << (i & 7)
				kept++
			}
		}
	case 4:
		for i := from; i < n; i++ {
			v := binary.LittleEndian.Uint32(src[4*i:])
			binary.LittleEndian.PutUint32(dst[4*kept:], v)
			if v != 0 {
				mask[i>>3] |= 1 << (i & 7)
				kept++
			}
		}
	default:
		for i := from; i < n; i++ {
			e := src[i*width : (i+1)*width]
			var any byte
			for _, b := range e {
				any |= b
			}
			copy(dst[kept*width:], e)
			if any != 0 {
				mask[i>>3] |= 1 << (i & 7)
				kept++
			}
		}
	}
	return kept
}

// Spread is the inverse of Compact: src holds the elements whose bits are set in mask, and Slack bytes more.
func Spread(dst, mask, src []byte, width int) {
	n := len(dst) / width
	_ = mask[:(n+7)/8]
	done, used := 0, 0
	if width == 4 {
		done, used = spread4(dst, mask, src, n)
	}
	spreadGeneric(dst, mask, src, n, done, used, width)
}

// spreadGeneric handles elements [from, n), from a multiple of 8, where used elements of src are already placed.
func spreadGeneric(dst, mask, src []byte, n, from, used, width int) {
	if width == 4 {
		for i := from; i < n; i++ {
			bit := uint32(mask[i>>3]>>(i&7)) & 1
			binary.LittleEndian.PutUint32(dst[4*i:], binary.LittleEndian.Uint32(src[4*used:])&-bit)
			used += int(bit)
		}
		return
	}
	clear(dst[from*width:])
	for i := from; i < n; i++ {
		if mask[i>>3]>>(i&7)&1 != 0 {
			copy(dst[i*width:(i+1)*width], src[used*width:])
			used++
		}
	}
}
