//go:build amd64 && !noasm

package rans

import "testing"

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
