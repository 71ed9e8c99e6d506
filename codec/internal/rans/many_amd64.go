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

// decodeMany decodes whole rounds and returns the symbols written and the bytes used, more than src has where it is corrupt;
// the caller decodes the rest.
func (t *Table) decodeMany(states *[manyLanes]uint32, dst, src []byte) (done, used int) {
	rounds := len(dst) / manyLanes
	if !hasAVX2 {
		return 0, 0
	}
	var spare [2 * roundBytes]byte
	in := wordReader{words: src, spare: spare[:]}
	for done < rounds && in.refill() {
		var k, u int
		if hasAVX512 {
			k, u = decodeManyAVX512(&t.dec[0], &states[0], &dst[done*manyLanes], &in.words[0], rounds-done, len(in.words))
		} else {
			k, u = decodeManyAVX2(&t.dec[0], &states[0], &dst[done*manyLanes], &in.words[0], rounds-done, len(in.words))
		}
		done += k
		in.take(u)
	}
	return done * manyLanes, in.used
}

// wordReader hands out words with at least roundBytes beyond those that belong to the data: the last ones stand in a buffer
// of their own, with zeros behind them.
type wordReader struct {
	words []byte
	used  int    // more than there are where the data is corrupt
	spare []byte // 2*roundBytes zeros, until the last words move there
}

// refill makes words at least roundBytes long; it reports false when the data is used up and more.
func (r *wordReader) refill() bool {
	if len(r.words) < roundBytes && r.spare != nil {
		n := copy(r.spare, r.words)
		r.words, r.spare = r.spare[:n+roundBytes], nil
	}
	return len(r.words) >= roundBytes
}

func (r *wordReader) take(n int) { r.words, r.used = r.words[n:], r.used+n }

// noSymbols is a row without symbols, for neighbours before a strip's beginning.
var noSymbols [manyLanes]byte

// decodeContextMany decodes rounds of all lanes and returns how many, and the bytes of words used, more than there are where
// they are corrupt; the caller decodes the rest. rows holds the symbols round by round meanwhile.
func (t *ContextTable) decodeContextMany(states *[manyLanes]uint32, dst []byte, length int, words []byte, d Neighbours, scratch *Scratch) (rounds, used int) {
	if !hasAVX2 {
		return 0, 0
	}
	var spare [2 * roundBytes]byte
	in := wordReader{words: words, spare: spare[:]}
	r := room(&scratch.rows, len(dst))
	near, far := min(d.Near, length), min(d.Far, length)
	// Up to the nearer neighbour's distance there is no context, then one neighbour, then both.
	for _, end := range [3]int{min(near, far), max(near, far), length} {
		for rounds < end && in.refill() {
			n, f, nStep, fStep := &noSymbols[0], &noSymbols[0], 0, 0
			if rounds >= near {
				n, nStep = &r[(rounds-near)*manyLanes], manyLanes
				f, fStep = n, nStep
			}
			if rounds >= far {
				f, fStep = &r[(rounds-far)*manyLanes], manyLanes
			}
			row, word, left, size := &r[rounds*manyLanes], &in.words[0], end-rounds, len(in.words)
			var k, u int
			if hasAVX512 {
				k, u = decodeContextAVX512(&t.dec[0], &states[0], row, word, left, size, n, f, nStep, fStep)
			} else {
				k, u = decodeContextAVX2(&t.dec[0], &states[0], row, word, left, size, n, f, nStep, fStep)
			}
			rounds += k
			in.take(u)
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
	return rounds, in.used
}
