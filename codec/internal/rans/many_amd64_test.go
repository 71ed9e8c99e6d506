//go:build amd64 && !noasm

package rans

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestNarrower runs the round trips on what the machine would use without AVX-512, and without any assembly.
func TestNarrower(t *testing.T) {
	wide, some := hasAVX512, hasAVX2
	defer func() { hasAVX512, hasAVX2 = wide, some }()
	for _, avx2 := range []bool{some, false} {
		hasAVX512, hasAVX2 = false, avx2
		TestRoundTrip(t)
		TestContextRoundTrip(t)
	}
}

// TestEncodersAgree holds the coded bytes of the assembly to those of the plain loops.
func TestEncodersAgree(t *testing.T) {
	wide := hasAVX512
	defer func() { hasAVX512 = wide }()
	const seed = 23
	rng := rand.New(rand.NewPCG(seed, 1))
	var scratch []byte
	var context Scratch
	for range 200 {
		src := skewed(rng, manyFrom+rng.IntN(9000), 1+rng.IntN(256))
		var counts [256]uint32
		for _, s := range src {
			counts[s]++
		}
		var freq [256]uint16
		if Normalize(&freq, &counts) {
			var table Table
			table.BuildEncoder(&freq)
			hasAVX512 = wide
			got := table.Append(nil, src, &scratch)
			hasAVX512 = false
			if !bytes.Equal(got, table.Append(nil, src, &scratch)) {
				t.Fatalf("%d symbols are coded differently, seed %d", len(src), seed)
			}
		}
		few := make([]byte, Padded(contextMany+rng.IntN(9000)))
		copy(few, skewed(rng, len(few), 1+rng.IntN(Alphabet)))
		d := Neighbours{Near: 1 + rng.IntN(400), Far: 1 + rng.IntN(400)}
		var contexts ContextCounts
		Count(few, d, &contexts)
		var under ContextFreq
		NormalizeContexts(&under, &contexts, nil)
		var table ContextTable
		table.BuildEncoder(&under)
		hasAVX512 = wide
		got := table.AppendContext(nil, few, d, &context)
		hasAVX512 = false
		if !bytes.Equal(got, table.AppendContext(nil, few, d, &context)) {
			t.Fatalf("%d symbols with neighbours %v are coded differently, seed %d", len(few), d, seed)
		}
	}
}
