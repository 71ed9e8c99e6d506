//go:build noasm || (!amd64 && !arm64)

package kernel

func columnSums(a *columnArgs)    { columnSumsGeneric(a) }
func columnSquares(a *columnArgs) { columnSquaresGeneric(a) }
func columnScale(a *columnArgs)   { columnScaleGeneric(a) }
