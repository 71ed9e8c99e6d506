//go:build !noasm

package kernel

// tile runs the inner loop that the panel was packed for.
func tile(isa ISA, a *tileArgs, rows, width, panel int) {
	vectors := 2 * width / panel
	switch {
	case isa >= AVX512:
		tileAVX512(a, rows, vectors)
	case isa >= AVX2:
		tileAVX2(a, rows, vectors)
	default:
		tileGeneric(a, rows, width)
	}
}

// rowsPerTile is how many rows tile computes at most: as many as leave no register free.
func rowsPerTile(isa ISA) int {
	if isa == AVX2 {
		return 6
	}
	return tileRows
}

// loopsTiles reports whether tile does several whole tiles in one call.
func loopsTiles(isa ISA) bool { return isa >= AVX512 }
