//go:build (amd64 || arm64) && !noasm

package rans

// roundBytes is the most bytes of words that a round of all lanes reads, and so what the assembly wants to see left.
const roundBytes = 2 * manyLanes

// noSymbols is a row without symbols, for neighbours before a strip's beginning.
var noSymbols [manyLanes]byte

// decodeMany decodes whole rounds and returns the symbols written and the bytes used, more than src has where it is corrupt;
// the caller decodes the rest.
func (t *Table) decodeMany(states *[manyLanes]uint32, dst, src []byte) (done, used int) {
	rounds := len(dst) / manyLanes
	if !decodesMany() {
		return 0, 0
	}
	var spare [2 * roundBytes]byte
	in := wordReader{words: src, spare: spare[:]}
	for done < rounds && in.refill() {
		k, u := decodeRounds(&t.dec[0], &states[0], &dst[done*manyLanes], &in.words[0], rounds-done, len(in.words))
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

// decodeContextMany decodes rounds of all lanes and returns how many, and the bytes of words used, more than there are where
// they are corrupt; the caller decodes the rest. rows holds the symbols round by round meanwhile.
func (t *ContextTable) decodeContextMany(states *[manyLanes]uint32, dst []byte, length int, words []byte, d Neighbours, scratch *Scratch) (rounds, used int) {
	if !decodesMany() {
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
			k, u := decodeContextRounds(&t.dec[0], &states[0], row, word, left, size, n, f, nStep, fStep)
			rounds += k
			in.take(u)
		}
	}
	blocks := rounds / 8
	if blocks > 0 {
		transpose(&dst[0], &r[0], length, blocks)
	}
	for i := blocks * 8; i < rounds; i++ {
		for lane := range manyLanes {
			dst[lane*length+i] = r[i*manyLanes+lane]
		}
	}
	return rounds, in.used
}
