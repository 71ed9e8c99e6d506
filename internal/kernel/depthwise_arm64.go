//go:build !noasm

package kernel

func depthwise(isa ISA, a *depthwiseArgs) {
	if isa >= NEON {
		depthwiseNEON(a)
	} else {
		depthwiseGeneric(a)
	}
}
