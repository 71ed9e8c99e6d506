//go:build !noasm

package kernel

import "unsafe"

// int8Tile runs the inner loop that the panel was packed for.
func int8Tile(isa ISA, a *int8Args, rows, panel int) {
	switch {
	case isa >= NEONDot:
		int8TileNEONDot(a, rows)
	case isa >= NEON:
		const half = tileRows / 2
		int8TileNEON(a, min(rows, half))
		if rows <= half {
			return
		}
		lower := *a
		lower.rows = (*uintptr)(unsafe.Add(unsafe.Pointer(a.rows), half*unsafe.Sizeof(uintptr(0))))
		lower.c = unsafe.Add(a.c, half*panel*4)
		int8TileNEON(&lower, rows-half)
	default:
		int8TileGeneric(a, rows, panel)
	}
}
