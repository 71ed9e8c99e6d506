//go:build !noasm

package kernel

func resizeRow(isa ISA, a *resizeArgs) {
	switch {
	case isa >= AVX512:
		resizeRowAVX512(a)
	case isa >= AVX2:
		resizeRowAVX2(a)
	default:
		resizeRowGeneric(a)
	}
}

//go:noescape
func resizeRowAVX2(a *resizeArgs)

//go:noescape
func resizeRowAVX512(a *resizeArgs)
