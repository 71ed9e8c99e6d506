package rans

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// skewed is n symbols below top, small ones likelier.
func skewed(rng *rand.Rand, n, top int) []byte {
	b := make([]byte, n)
	scale := rng.Float64() * 4
	for i := range b {
		b[i] = byte(min(int(rng.ExpFloat64()*scale), top-1))
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	const seed = 21
	rng := rand.New(rand.NewPCG(seed, 1))
	var scratch []byte
	for range 400 {
		n := rng.IntN(300)
		if rng.IntN(3) == 0 {
			n = manyFrom + rng.IntN(9000)
		}
		src := skewed(rng, n, 1+rng.IntN(256))
		var counts [256]uint32
		for _, s := range src {
			counts[s]++
		}
		var freq, again [256]uint16
		if !Normalize(&freq, &counts) {
			continue
		}
		wire := AppendFreq(nil, &freq)
		if used, err := ParseFreq(&again, wire); err != nil || used != len(wire) || again != freq {
			t.Fatalf("frequencies do not come back: %v, seed %d", err, seed)
		}
		var table Table
		table.BuildEncoder(&freq)
		table.BuildDecoder(&freq)
		coded := table.Append(nil, src, &scratch)
		got := make([]byte, n)
		if err := table.Decode(got, coded); err != nil || !bytes.Equal(got, src) {
			t.Fatalf("%d symbols do not come back: %v, seed %d", n, err, seed)
		}
		var bits float64
		for s, c := range counts {
			if c > 0 {
				bits -= float64(c) * math.Log2(float64(freq[s])/Scale)
			}
		}
		if limit := bits/8 + 4*manyLanes + 8; float64(len(coded)) > limit {
			t.Fatalf("%d symbols of %.0f bits take %d bytes, seed %d", n, bits, len(coded), seed)
		}
		if len(coded) > 8 {
			bad := bytes.Clone(coded)
			if err := table.Decode(got, bad[:len(bad)-2]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("truncated data: %v, seed %d", err, seed)
			}
			if err := table.Decode(got, append(bad, 0, 0)); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("data with a word too many: %v, seed %d", err, seed)
			}
		}
	}
}

func TestContextRoundTrip(t *testing.T) {
	const seed = 22
	rng := rand.New(rand.NewPCG(seed, 1))
	var scratch, other Scratch
	for range 300 {
		n := rng.IntN(300)
		if rng.IntN(3) == 0 {
			n = contextMany + rng.IntN(9000)
		}
		src := make([]byte, Padded(n))
		copy(src, skewed(rng, n, Alphabet))
		d := Neighbours{1 + rng.IntN(40), 1 + rng.IntN(400)}
		var counts ContextCounts
		Count(src, d, &counts)
		if lanes, length := strips(len(src)); counts != plainCounts(src, lanes, length, d) {
			t.Fatalf("%d symbols are counted wrong, seed %d", n, seed)
		}
		var freq, again ContextFreq
		var always *[Alphabet]bool
		if rng.IntN(2) == 0 {
			always = &[Alphabet]bool{0: true, 5: true, 31: true}
		}
		NormalizeContexts(&freq, &counts, always)
		wire := AppendContextFreq(nil, &freq)
		if used, err := ParseContextFreq(&again, wire); err != nil || used != len(wire) || again != freq {
			t.Fatalf("frequencies do not come back: %v, seed %d", err, seed)
		}
		var table ContextTable
		table.BuildEncoder(&freq)
		table.BuildDecoder(&freq)
		coded := table.AppendContext(nil, src, d, &scratch)
		if limit := freq.Size(&counts) + 4*manyLanes + 8; len(coded) > limit {
			t.Fatalf("%d symbols take %d bytes, predicted %d, seed %d", n, len(coded), limit, seed)
		}
		got := bytes.Repeat([]byte{9}, len(src))
		if err := table.DecodeContext(got, coded, d, &other); err != nil || !bytes.Equal(got, src) {
			t.Fatalf("%d symbols do not come back: %v, seed %d", n, err, seed)
		}
		for range 20 {
			if len(coded) == 0 {
				break
			}
			bad := bytes.Clone(coded[:rng.IntN(len(coded)+1)])
			for i := range bad {
				if rng.IntN(len(bad)) < 3 {
					bad[i] ^= byte(1 << rng.IntN(8))
				}
			}
			err := table.DecodeContext(got, bad, d, &other)
			if err == nil && !bytes.Equal(got, src) && len(bad) != len(coded) {
				t.Fatalf("cut data is accepted, seed %d", seed)
			}
		}
	}
}

// plainCounts is what Count gives, symbol by symbol.
func plainCounts(src []byte, lanes, length int, d Neighbours) (counts ContextCounts) {
	for lane := range lanes {
		strip := src[lane*length : (lane+1)*length]
		for t, s := range strip {
			counts[contextAt(strip, t, d)][s%Alphabet]++
		}
	}
	return counts
}
