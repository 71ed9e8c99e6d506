//go:build !noasm

package kernel

func depthwise(_ ISA, a *depthwiseArgs) { depthwiseGeneric(a) }
