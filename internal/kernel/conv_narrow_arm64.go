//go:build !noasm

package kernel

// narrowRow runs the inner loop that the weights were packed for.
func narrowRow(isa ISA, a *narrowArgs, outputs int) {
	if isa >= NEON {
		narrowNEON(a, outputs)
	} else {
		narrowGeneric(a, outputs)
	}
}
