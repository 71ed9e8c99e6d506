//go:build !noasm

package kernel

import "unsafe"

// tile runs the inner loop that the panel was packed for.
func tile(isa ISA, a *tileArgs, rows, width, panel int) {
	vectors := 2 * width / panel
	switch {
	case isa >= AVX512:
		tileAVX512(a, rows, vectors)
	case isa >= AVX2:
		const half = tileRows / 2
		tileAVX2(a, min(rows, half), vectors)
		if rows <= half {
			return
		}
		// The lower half of the rows: the same call with every row pointer moved on.
		lower := *a
		lower.rows = (*uintptr)(unsafe.Add(unsafe.Pointer(a.rows), half*unsafe.Sizeof(uintptr(0))))
		lower.c = unsafe.Add(a.c, half*a.ldc)
		if a.residual != nil {
			lower.residual = unsafe.Add(a.residual, half*a.ldr)
		}
		tileAVX2(&lower, rows-half, vectors)
	default:
		tileGeneric(a, rows, width)
	}
}

// loopsTiles reports whether tile does several whole tiles in one call.
func loopsTiles(isa ISA) bool { return isa >= AVX512 }
