//go:build !noasm

package kernel

import "unsafe"

// vecTranspose is transposeRect for all but up to three rows and columns at the edges. It returns how many rows of the first
// columns, how many columns it did, and how many rows of the other columns.
func vecTranspose(y, x []float32, rows, cols, ldy, ldx int) (rowsDone, colsDone, edgeRows int) {
	if active < AVX2 || rows < 2 || cols < 2 {
		return 0, 0, 0
	}
	_, _ = x[(rows-1)*ldx+cols-1], y[(cols-1)*ldy+rows-1]
	if rows >= 8 && cols >= 8 {
		for colsDone = 0; colsDone+8 <= cols; colsDone += 8 {
			transpose8(unsafe.SliceData(y[colsDone*ldy:]), unsafe.SliceData(x[colsDone:]), ldy, ldx, rows/8)
		}
		rowsDone = rows &^ 7
		if rows-rowsDone >= 4 {
			transpose4(unsafe.SliceData(y[rowsDone:]), unsafe.SliceData(x[rowsDone*ldx:]), ldy, ldx, 4, 4, 4*ldy, 4, colsDone/4)
			rowsDone += 4
		}
	} else if rows < 8 && cols >= 4 && (rows >= 4 || rows == ldy) {
		// A column of fewer than four rows is stored as four elements, of which the next column's store replaces the others.
		in := min(rows, 4)
		colsDone, rowsDone = cols&^3, in
		if in < 4 {
			colsDone = (cols - 1) &^ 3
		}
		transpose4(unsafe.SliceData(y), unsafe.SliceData(x), ldy, ldx, in, 4, 4*ldy, 4, colsDone/4)
	}
	if out := min(cols-colsDone, 4); out > 0 && rows > 4 {
		// A row of fewer than four columns is read as four elements, which the row below still has.
		edgeRows = (rows - 1) &^ 3
		transpose4(unsafe.SliceData(y[colsDone*ldy:]), unsafe.SliceData(x[colsDone:]), ldy, ldx, 4, out, 4, 4*ldx, edgeRows/4)
	}
	return rowsDone, colsDone, edgeRows
}

// transpose8 moves squares squares of 8 by 8, one below the other in x, one beside the other in y.
//
//go:noescape
func transpose8(y, x *float32, ldy, ldx, squares int)

// transpose4 moves squares of in rows and out columns, at most four each. Each reads four elements a row and writes four a
// column, whatever in and out are. stepY and stepX lead from one square to the next.
//
//go:noescape
func transpose4(y, x *float32, ldy, ldx, in, out, stepY, stepX, squares int)
