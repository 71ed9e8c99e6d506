//go:build !noasm

package kernel

func depthwise(isa ISA, a *depthwiseArgs) {
	switch {
	case isa >= AVX512:
		depthwiseAVX512(a)
	case isa >= AVX2:
		depthwiseAVX2(a)
	default:
		depthwiseGeneric(a)
	}
}

//go:noescape
func depthwiseAVX2(a *depthwiseArgs)

//go:noescape
func depthwiseAVX512(a *depthwiseArgs)
