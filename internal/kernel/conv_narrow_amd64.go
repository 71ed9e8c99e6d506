//go:build !noasm

package kernel

// narrowRow runs the inner loop that the weights were packed for.
func narrowRow(isa ISA, a *narrowArgs, outputs int) {
	switch {
	case isa >= AVX512:
		narrowAVX512(a, outputs)
	case isa >= AVX2:
		narrowAVX2(a, outputs)
	default:
		narrowGeneric(a, outputs)
	}
}
