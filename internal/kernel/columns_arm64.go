//go:build !noasm

package kernel

func columnSums(a *columnArgs) {
	if active >= NEON {
		columnSumsNEON(a)
	} else {
		columnSumsGeneric(a)
	}
}

func columnSquares(a *columnArgs) {
	if active >= NEON {
		columnSquaresNEON(a)
	} else {
		columnSquaresGeneric(a)
	}
}

func columnScale(a *columnArgs) {
	if active >= NEON {
		columnScaleNEON(a)
	} else {
		columnScaleGeneric(a)
	}
}
