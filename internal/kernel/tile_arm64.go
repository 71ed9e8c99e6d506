//go:build !noasm

package kernel

import "unsafe"

// lanesNEON is the float32 in a vector.
const lanesNEON = 4

// tile runs the inner loop that the panel was packed for.
func tile(isa ISA, a *tileArgs, rows, width, _ int) {
	if isa < NEON {
		tileGeneric(a, rows, width)
		return
	}
	cols := int(a.cols)
	var acc [tileRows * 8]float32
	for r := range rows {
		row := acc[r*width : r*width+cols]
		switch {
		case a.acc != 0:
			copy(row, unsafe.Slice((*float32)(unsafe.Add(a.c, uintptr(r)*a.ldc)), cols))
		case a.bias != nil:
			copy(row, unsafe.Slice((*float32)(a.bias), cols))
		}
	}
	if a.taps > 0 && a.k > 0 {
		tileNEON(a.rows, a.b, unsafe.Pointer(&acc), a.taps, a.k/4, a.ldb, rows, width/lanesNEON)
	}
	for r := range rows {
		c := unsafe.Slice((*float32)(unsafe.Add(a.c, uintptr(r)*a.ldc)), cols)
		copy(c, acc[r*width:])
		if a.residual != nil {
			Add(c, c, unsafe.Slice((*float32)(unsafe.Add(a.residual, uintptr(r)*a.ldr)), cols))
		}
		if a.lo != negInf || a.hi != posInf {
			Clip(c, c, a.lo, a.hi)
		}
	}
}

// loopsTiles reports whether tile does several whole tiles in one call.
func loopsTiles(ISA) bool { return false }

// rowsPerTile is how many rows tile computes at most.
func rowsPerTile(ISA) int { return tileRows }
