//go:build noasm || (!amd64 && !arm64)

package kernel

func tile(_ ISA, a *tileArgs, rows, width, _ int) { tileGeneric(a, rows, width) }

// loopsTiles reports whether tile does several whole tiles in one call.
func loopsTiles(ISA) bool { return false }

// rowsPerTile is how many rows tile computes at most.
func rowsPerTile(ISA) int { return tileRows }
