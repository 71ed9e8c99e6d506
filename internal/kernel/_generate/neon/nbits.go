package main

import "fmt"

// writeNBits writes the inner loops of products with 4-bit weights; see nbitsArgs in package kernel. A row of a panel is four bytes: the
// columns of one vector in their low halves and those of the other in their high halves.
func writeNBits(f *file) {
	const q, weights, x, fifteen, scales, zeros = 16, 17, 19, 20, 24, 26
	for rows := 1; rows <= tileRows; rows++ {
		f.function(fmt.Sprintf("nbitsTileNEON_%d", rows), "a *nbitsArgs")
		f.fields("a+0(FP)", 0, 8, 16, 24, 32, 40)
		f.line("MOVD 48(R0), R0")
		f.clear(0, 2*rows)
		f.line("MOVD $15, R7")
		f.line("VDUP R7, V%d.S4", fifteen)
		f.rowPointers(rows)
		f.line("block:")
		f.line("CBZ R6, done")
		f.line("CMP R0, R6")
		f.line("CSEL LO, R6, R0, R7")
		f.line("SUB R7, R6")
		f.line("VLD1.P 32(R4), %s", vectors(scales, 2))
		f.line("VLD1.P 32(R5), %s", vectors(zeros, 2))
		f.line("loop:")
		f.line("FMOVS.P 4(R2), F%d", q)
		f.emit(uxtlh, q, q)
		f.emit(uxtls, q, q)
		f.emit(and, weights, q, fifteen)
		f.emit(ushr(4), weights+1, q)
		for v := range 2 {
			f.emit(scvtf, weights+v, weights+v)
			f.emit(fsub, weights+v, weights+v, zeros+v)
			f.emit(fmul, weights+v, weights+v, scales+v)
		}
		for r := range rows {
			f.line("FMOVS.P 4(R%d), F%d", 8+r, x)
			for v := range 2 {
				f.fmlaLane(2*r+v, weights+v, x, 0)
			}
		}
		f.line("SUBS $1, R7")
		f.line("BNE loop")
		f.line("B block")
		f.line("done:")
		f.move(false, 2*rows, 3)
		f.line("RET")
	}
}
