//go:build !noasm

package kernel

func resizeRow(isa ISA, a *resizeArgs) {
	if isa >= NEON {
		resizeRowNEON(a)
	} else {
		resizeRowGeneric(a)
	}
}
