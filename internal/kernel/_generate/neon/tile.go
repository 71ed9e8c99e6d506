package main

import "fmt"

// tileRows is the most rows of a tile and the addresses per tap in its table. The rows' pointers are in R8 and up.
const tileRows = 8

// rowPointers loads the pointers of a tap from the table at R1 and moves it on.
func (f *file) rowPointers(rows int) {
	for r := range rows {
		f.line("MOVD %d(R1), R%d", 8*r, 8+r)
	}
	f.line("ADD $%d, R1", 8*tileRows)
}

// clear zeroes the vectors from first on.
func (f *file) clear(first, n int) {
	for v := first; v < first+n; v++ {
		f.line("VEOR V%d.B16, V%[1]d.B16, V%[1]d.B16", v)
	}
}

// move loads or stores the vectors 0 to n-1 at the pointer, which it moves on.
func (f *file) move(load bool, n, pointer int) {
	for v := 0; v < n; v += 4 {
		m := min(4, n-v)
		if load {
			f.line("VLD1.P %d(R%d), %s", 16*m, pointer, vectors(v, m))
		} else {
			f.line("VST1.P %s, %d(R%d)", vectors(v, m), 16*m, pointer)
		}
	}
}

// fmlaLane is d += n * m's lane.
func (f *file) fmlaLane(d, n, m, lane int) {
	code := 0x4F801000 | uint32(lane&1)<<21 | uint32(lane>>1)<<11 | uint32(m)<<16 | uint32(n)<<5 | uint32(d)
	f.word(code, "fmla v%d.4s, v%d.4s, v%d.s[%d]", d, n, m, lane)
}

// writeTiles writes the float32 product's inner loops for each number of rows and vectors of columns; see tileArgs in package kernel.
// They begin from acc, rows by vectors, and leave the sums there.
func writeTiles(f *file) {
	const a, b = 16, 24
	for vecs := 1; vecs <= 2; vecs++ {
		for rows := 1; rows <= tileRows; rows++ {
			at := f.function(fmt.Sprintf("tileNEON_%dx%d", rows, vecs), "rows *uintptr, b, acc unsafe.Pointer, taps, k, ldb uintptr")
			for i, name := range []string{"rows", "b", "acc", "taps", "k", "ldb"} {
				f.line("MOVD %s+%d(FP), R%d", name, at[name], i+1)
			}
			f.line("MOVD R3, R0")
			f.move(true, rows*vecs, 0)
			step := func(lane int) {
				f.line("VLD1 (R2), %s", vectors(b, vecs))
				f.line("ADD R6, R2")
				for r := range rows {
					for v := range vecs {
						f.fmlaLane(r*vecs+v, b+v, a+r, lane)
					}
				}
			}
			f.line("tap:")
			f.rowPointers(rows)
			f.line("SUBS $4, R5, R7")
			f.line("BLT few")
			f.line("four:")
			for r := range rows {
				f.line("VLD1.P 16(R%d), [V%d.S4]", 8+r, a+r)
			}
			for lane := range 4 {
				step(lane)
			}
			f.line("SUBS $4, R7")
			f.line("BGE four")
			f.line("few:")
			f.line("ADDS $4, R7")
			f.line("BEQ next")
			f.line("one:")
			for r := range rows {
				f.line("FMOVS.P 4(R%d), F%d", 8+r, a+r)
			}
			step(0)
			f.line("SUBS $1, R7")
			f.line("BNE one")
			f.line("next:")
			f.line("SUBS $1, R4")
			f.line("BNE tap")
			f.move(false, rows*vecs, 3)
			f.line("RET")
		}
	}
}
