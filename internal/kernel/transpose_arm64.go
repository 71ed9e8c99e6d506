//go:build !noasm

package kernel

import "unsafe"

// vecTranspose is transposeRect for the whole squares of 4 by 4. It returns how many rows of the first columns, how many columns it
// did, and how many rows of the other columns.
func vecTranspose(y, x []float32, rows, cols, ldy, ldx int) (rowsDone, colsDone, edgeRows int) {
	if active < NEON || rows < lanesNEON || cols < lanesNEON {
		return 0, 0, 0
	}
	_, _ = x[(rows-1)*ldx+cols-1], y[(cols-1)*ldy+rows-1]
	for colsDone = 0; colsDone+lanesNEON <= cols; colsDone += lanesNEON {
		transposeNEON(unsafe.SliceData(y[colsDone*ldy:]), unsafe.SliceData(x[colsDone:]), ldy, ldx, rows/lanesNEON)
	}
	return rows &^ (lanesNEON - 1), colsDone, 0
}
