//go:build amd64 && !noasm

package rans

import "github.com/klauspost/cpuid/v2"

var (
	hasAVX2   = cpuid.CPU.Supports(cpuid.AVX2, cpuid.POPCNT)
	hasAVX512 = hasAVX2 && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ)
)

// roundBytes is the most bytes of words that a round of all lanes reads, and so what the assembly wants to see left.
const roundBytes = 2 * manyLanes

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

// decodeMany decodes whole rounds and returns the symbols written and the bytes used; the caller decodes the rest.
func (t *Table) decodeMany(states *[manyLanes]uint32, dst, src []byte) (done, used int) {
	rounds := len(dst) / manyLanes
	if !hasAVX2 || rounds == 0 || len(src) < roundBytes {
		return 0, 0
	}
	if hasAVX512 {
		done, used = decodeManyAVX512(&t.dec[0], &states[0], &dst[0], &src[0], rounds, len(src))
	} else {
		done, used = decodeManyAVX2(&t.dec[0], &states[0], &dst[0], &src[0], rounds, len(src))
	}
	return done * manyLanes, used
}

// noSymbols is a row without symbols, for neighbours before a strip's beginning.
var noSymbols [manyLanes]byte

// decodeContextMany decodes rounds of all lanes and returns how many, and the bytes of words used; the caller decodes the
// rest. rows holds the symbols round by round meanwhile.
func (t *ContextTable) decodeContextMany(states *[manyLanes]uint32, dst []byte, length int, words []byte, d Neighbours, scratch *Scratch) (rounds, used int) {
	if !hasAVX2 || len(words) < roundBytes {
		return 0, 0
	}
	r := room(&scratch.rows, len(dst))
	near, far := min(d.Near, length), min(d.Far, length)
	// Up to the nearer neighbour's distance there is no context, then one neighbour, then both.
	for _, end := range [3]int{min(near, far), max(near, far), length} {
		n, f, nStep, fStep := &noSymbols[0], &noSymbols[0], 0, 0
		if rounds >= near && near < length {
			n, nStep = &r[(rounds-near)*manyLanes], manyLanes
			f, fStep = n, nStep
		}
		if rounds >= far && far < length {
			f, fStep = &r[(rounds-far)*manyLanes], manyLanes
		}
		if rounds == end || len(words)-used < roundBytes {
			continue
		}
		row, word, left, size := &r[rounds*manyLanes], &words[used], end-rounds, len(words)-used
		var k, u int
		if hasAVX512 {
			k, u = decodeContextAVX512(&t.dec[0], &states[0], row, word, left, size, n, f, nStep, fStep)
		} else {
			k, u = decodeContextAVX2(&t.dec[0], &states[0], row, word, left, size, n, f, nStep, fStep)
		}
		rounds, used = rounds+k, used+u
		if rounds < end {
			break
		}
	}
	blocks := rounds / 8
	if blocks > 0 {
		transposeAVX2(&dst[0], &r[0], length, blocks)
	}
	for i := blocks * 8; i < rounds; i++ {
		for lane := range manyLanes {
			dst[lane*length+i] = r[i*manyLanes+lane]
		}
	}
	return rounds, used
}
