//go:build amd64 && !noasm

package simd

import "testing"

// TestNarrower runs the comparisons on what the machine would use without AVX-512.
func TestNarrower(t *testing.T) {
	wide := hasAVX512
	defer func() { hasAVX512 = wide }()
	hasAVX512 = false
	TestPlanes(t)
}
