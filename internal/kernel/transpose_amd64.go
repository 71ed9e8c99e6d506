//go:build !noasm

package kernel

import "unsafe"

// vecTranspose moves whole squares of 8 by 8 of the rows × cols matrix x to y, from column c0 on, and returns how many rows
// and columns it did.
func vecTranspose(y, x []float32, rows, cols, ldy, ldx int) (int, int) {
	if active < AVX2 || rows < 8 || cols < 8 {
		return 0, 0
	}
	_, _ = x[(rows-1)*ldx+cols-1], y[(cols-1)*ldy+rows-1]
	for c := 0; c+8 <= cols; c += 8 {
		transpose8(unsafe.SliceData(y[c*ldy:]), unsafe.SliceData(x[c:]), ldy, ldx, rows/8)
	}
	return rows &^ 7, cols &^ 7
}

// transpose8 moves squares squares of 8 by 8, one below the other in x, one beside the other in y.
//
//go:noescape
func transpose8(y, x *float32, ldy, ldx, squares int)
