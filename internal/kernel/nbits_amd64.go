//go:build !noasm

package kernel

import "unsafe"

// nbitsTile runs the inner loop that the panel was packed for.
func nbitsTile(isa ISA, a *nbitsArgs, rows, panel int) {
	switch {
	case isa >= AVX512:
		nbitsTileAVX512(a, rows)
	case isa >= AVX2:
		const half = tileRows / 2
		nbitsTileAVX2(a, min(rows, half))
		if rows <= half {
			return
		}
		lower := *a
		lower.rows = (*uintptr)(unsafe.Add(unsafe.Pointer(a.rows), half*unsafe.Sizeof(uintptr(0))))
		lower.c = unsafe.Add(a.c, half*panel*4)
		nbitsTileAVX2(&lower, rows-half)
	default:
		nbitsTileGeneric(a, rows, panel)
	}
}
