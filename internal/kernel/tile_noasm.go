//go:build noasm || (!amd64 && !arm64)

package kernel

func tile(_ ISA, a *tileArgs, rows, width, _ int) { tileGeneric(a, rows, width) }

// loopsTiles reports whether tile does several whole tiles in one call.
func loopsTiles(ISA) bool { return false }
