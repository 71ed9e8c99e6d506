//go:build !noasm

package kernel

// nbitsTile runs the inner loop that the panel was packed for.
func nbitsTile(isa ISA, a *nbitsArgs, rows, panel int) {
	if isa >= NEON {
		nbitsTileNEON(a, rows)
	} else {
		nbitsTileGeneric(a, rows, panel)
	}
}
