//go:build !noasm

package kernel

func columnSums(a *columnArgs) {
	switch {
	case active >= AVX512:
		columnSumsAVX512(a)
	case active >= AVX2:
		columnSumsAVX2(a)
	default:
		columnSumsGeneric(a)
	}
}

func columnSquares(a *columnArgs) {
	switch {
	case active >= AVX512:
		columnSquaresAVX512(a)
	case active >= AVX2:
		columnSquaresAVX2(a)
	default:
		columnSquaresGeneric(a)
	}
}

func columnScale(a *columnArgs) {
	switch {
	case active >= AVX512:
		columnScaleAVX512(a)
	case active >= AVX2:
		columnScaleAVX2(a)
	default:
		columnScaleGeneric(a)
	}
}
