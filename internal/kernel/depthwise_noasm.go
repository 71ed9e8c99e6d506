//go:build noasm || (!amd64 && !arm64)

package kernel

func depthwise(_ ISA, a *depthwiseArgs) { depthwiseGeneric(a) }
