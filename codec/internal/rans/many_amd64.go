//go:build amd64 && !noasm

package rans

import "github.com/klauspost/cpuid/v2"

var (
	hasAVX2   = cpuid.CPU.Supports(cpuid.AVX2, cpuid.POPCNT)
	hasAVX512 = hasAVX2 && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ)
)

// decodesMany reports whether this machine has the loops below.
func decodesMany() bool { return hasAVX2 }

// decodeRounds decodes up to rounds rounds of all lanes while roundBytes bytes of the size at src are left.
func decodeRounds(dec, states *uint32, dst, src *byte, rounds, size int) (done, used int) {
	if hasAVX512 {
		return decodeManyAVX512(dec, states, dst, src, rounds, size)
	}
	return decodeManyAVX2(dec, states, dst, src, rounds, size)
}

// decodeContextRounds is decodeRounds under contexts: row by row to dst, the neighbours' rows at near and far, which advance by
// their steps after each round.
func decodeContextRounds(dec, states *uint32, dst, src *byte, rounds, size int, near, far *byte, nearStep, farStep int) (done, used int) {
	if hasAVX512 {
		return decodeContextAVX512(dec, states, dst, src, rounds, size, near, far, nearStep, farStep)
	}
	return decodeContextAVX2(dec, states, dst, src, rounds, size, near, far, nearStep, farStep)
}

// transpose writes byte lane of row t of src, rows of 32 bytes, to dst[lane*length + t], for blocks of eight rows.
func transpose(dst, src *byte, length, blocks int) { transposeAVX2(dst, src, length, blocks) }

// encodeMany writes words down from buf's end and returns where they begin.
func (t *Table) encodeMany(states *[manyLanes]uint32, src, buf []byte) int {
	rounds := len(src) / manyLanes
	if !hasAVX512 || rounds == 0 {
		return t.encodeScalar(states, manyLanes, src, buf, len(buf))
	}
	whole := rounds * manyLanes
	at := t.encodeScalar(states, manyLanes, src[whole:], buf, len(buf))
	return encodeManyAVX512(&t.enc[0], &states[0], &src[whole-manyLanes], &buf[0], at, rounds)
}

// encodeContextMany writes words down from buf's end and returns where they begin, and whether it has.
func (t *ContextTable) encodeContextMany(states *[manyLanes]uint32, src []byte, length int, buf []byte, d Neighbours, scratch *Scratch) (at int, done bool) {
	if !hasAVX512 {
		return len(buf), false
	}
	r := room(&scratch.rows, len(src))
	blocks := length / 8
	if blocks > 0 {
		rowsAVX2(&r[0], &src[0], length, blocks)
	}
	for i := blocks * 8; i < length; i++ {
		for lane := range manyLanes {
			r[i*manyLanes+lane] = src[lane*length+i]
		}
	}
	near, far := min(d.Near, length), min(d.Far, length)
	at = len(buf)
	for _, part := range [3][2]int{{max(near, far), length}, {min(near, far), max(near, far)}, {0, min(near, far)}} {
		begin, end := part[0], part[1]
		if begin == end {
			continue
		}
		last := end - 1
		n, f, nStep, fStep := &noSymbols[0], &noSymbols[0], 0, 0
		if begin >= near {
			n, nStep = &r[(last-near)*manyLanes], -manyLanes
			f, fStep = n, nStep
		}
		if begin >= far {
			f, fStep = &r[(last-far)*manyLanes], -manyLanes
		}
		at = encodeContextAVX512(&t.enc[0], &states[0], &r[last*manyLanes], &buf[0], at, end-begin, n, f, nStep, fStep)
	}
	return at, true
}
