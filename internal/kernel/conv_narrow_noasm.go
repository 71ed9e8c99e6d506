//go:build noasm || (!amd64 && !arm64)

package kernel

func narrowRow(_ ISA, a *narrowArgs, outputs int) { narrowGeneric(a, outputs) }
