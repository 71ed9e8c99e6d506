package kernel

import (
	"math"
	"unsafe"
)

// tileRows is the most rows that one call of the inner loop computes, and the addresses per tap and tile in its table.
const tileRows = 8

// tableAt is the place of row r in a table of addresses for tiles of per rows, a tap each; the other taps follow tileRows apart.
func tableAt(r, per, taps int) int { return r/per*taps*tileRows + r%per }

// tableSize is the length of the table of rows rows.
func tableSize(rows, per, taps int) int { return ceilDiv(rows, per) * taps * tileRows }

// tileArgs is one call of the float32 inner loop, for a tile of up to tileRows rows by one panel of columns:
//
//	C[r][j] = clamp(init[r][j] + sum over taps t, k < K: A[t][r][k] * B[t*K+k][j] + Residual[r][j])
//
// where init is C[r][j] when acc is set, else bias[j], else zero. The taps are a convolution's kernel positions, each
// with a pointer per row (indirect product); a plain product has one tap. The assembly knows the offsets of the fields.
type tileArgs struct {
	rows     *uintptr       // taps*tileRows addresses to float32; 0
	b        unsafe.Pointer // 8
	c        unsafe.Pointer // 16
	ldc      uintptr        // bytes; 24
	bias     unsafe.Pointer // nil or panel-wide; 32
	residual unsafe.Pointer // nil or like c; 40
	ldr      uintptr        // bytes; 48
	taps     uintptr        // 56
	k        uintptr        // bytes of one tap's row: 4*K; 64
	ldb      uintptr        // bytes from one row of B to the next; 72
	cols     uintptr        // columns to read from bias and residual and to write, at most the panel's width; 80
	acc      uintptr        // 1: begin from C; 88
	lo, hi   float32        // clamp; 96, 100
	tiles    uintptr        // full tiles one below the other that one call does, at least 1; 104
}

// tiles computes rows rows and a panel of width columns: tiles of rowsPerTile one below the other, whose addresses follow each
// other. It changes a.
func tiles(isa ISA, a *tileArgs, rows, width, panel int) {
	per := rowsPerTile(isa)
	if whole := rows / per; whole > 0 && loopsTiles(isa) {
		a.tiles = uintptr(whole)
		c, residual, table := a.c, a.residual, a.rows
		tile(isa, a, per, width, panel)
		a.c, a.residual, a.rows = c, residual, table
		if rows -= whole * per; rows > 0 {
			a.skip(whole, per)
		}
	}
	for ; rows > 0; rows -= per {
		a.tiles = 1
		tile(isa, a, min(per, rows), width, panel)
		if rows > per {
			a.skip(1, per)
		}
	}
}

// skip moves a on by n whole tiles of per rows.
func (a *tileArgs) skip(n, per int) {
	a.rows = (*uintptr)(unsafe.Add(unsafe.Pointer(a.rows), n*int(a.taps)*tileRows*int(unsafe.Sizeof(*a.rows))))
	a.c = unsafe.Add(a.c, uintptr(n*per)*a.ldc)
	if a.residual != nil {
		a.residual = unsafe.Add(a.residual, uintptr(n*per)*a.ldr)
	}
}

// tileGeneric is tile in plain Go.
func tileGeneric(a *tileArgs, rows, width int) {
	const most = 64
	taps := unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(a.rows)), int(a.taps)*tileRows)
	cols, k, ldb := int(a.cols), int(a.k/4), int(a.ldb/4)
	bLen := 0
	if n := int(a.taps) * k; n > 0 {
		bLen = (n-1)*ldb + min(width, ldb)
		if ldb > width {
			bLen = (n-1)*ldb + cols
		}
	}
	b := unsafe.Slice((*float32)(a.b), bLen)
	for r := range rows {
		c := unsafe.Slice((*float32)(unsafe.Add(a.c, uintptr(r)*a.ldc)), cols)
		var acc [most]float32
		switch {
		case a.acc != 0:
			copy(acc[:], c)
		case a.bias != nil:
			copy(acc[:], unsafe.Slice((*float32)(a.bias), cols))
		}
		for t := range int(a.taps) {
			if k == 0 {
				break // and the addresses mean nothing
			}
			row := unsafe.Slice((*float32)(taps[t*tileRows+r]), k)
			for i, x := range row {
				brow := b[(t*k+i)*ldb:]
				for j := range min(width, cols) {
					acc[j] += x * brow[j]
				}
			}
		}
		if a.residual != nil {
			for j, v := range unsafe.Slice((*float32)(unsafe.Add(a.residual, uintptr(r)*a.ldr)), cols) {
				acc[j] += v
			}
		}
		for j := range c {
			c[j] = clampTo(acc[j], a.lo, a.hi)
		}
	}
}

// clampTo is min(max(x, lo), hi) that keeps NaN.
func clampTo(x, lo, hi float32) float32 {
	if x < lo {
		return lo
	}
	if x > hi {
		return hi
	}
	return x
}

var (
	negInf = float32(math.Inf(-1))
	posInf = float32(math.Inf(1))
)
