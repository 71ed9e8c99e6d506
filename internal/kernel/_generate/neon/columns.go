package main

import "fmt"

// writeColumns writes the loops over the rows of a few columns; see columnArgs in package kernel.
func writeColumns(f *file) {
	for _, kind := range []string{"Sums", "Squares", "Scale"} {
		f.function("column"+kind+"NEON", "a *columnArgs")
		// x, y, a, b, rows, bytes of columns left, stride in R1 to R7.
		f.fields("a+0(FP)", 0, 8, 16, 24, 32, 40, 48)
		f.line("ADD $56, R0, R8")
		f.line("VLD1R.P 4(R8), [V%d.S4]", clampLo)
		f.line("VLD1R (R8), [V%d.S4]", clampLo+1)
		for _, vecs := range []int{4, 1, 0} {
			columnBlock(f, kind, fmt.Sprintf("columns%d", 4*vecs), vecs)
		}
		f.line("RET")
	}
}

// columnBlock does all rows of blocks of vecs vectors of columns while there are as many left, or of one column when vecs is 0.
func columnBlock(f *file, kind, name string, vecs int) {
	const sum, first, second, x = 0, 4, 8, 12
	n, bytes := max(1, vecs), 16*vecs
	if vecs == 0 {
		bytes = 4
	}
	f.line("%s:", name)
	f.line("SUBS $%d, R6", bytes)
	f.line("BLT %sEnd", name)
	f.line("MOVD R1, R8")
	f.line("MOVD R2, R9")
	f.line("MOVD R5, R10")
	if kind != "Sums" {
		f.part(true, 3, first, vecs)
	}
	if kind == "Scale" {
		f.part(true, 4, second, vecs)
	} else {
		f.clear(sum, n)
	}
	f.line("%sRow:", name)
	f.part(true, 8, x, vecs)
	f.line("ADD R7, R8")
	for v := range n {
		switch kind {
		case "Sums":
			f.emit(fadd, sum+v, sum+v, x+v)
		case "Squares":
			f.emit(fsub, x+v, x+v, first+v)
			f.emit(fmla, sum+v, x+v, x+v)
		case "Scale":
			f.line("VMOV V%d.B16, V%d.B16", second+v, sum+v)
			f.emit(fmla, sum+v, x+v, first+v)
			f.emit(fmax, sum+v, sum+v, clampLo)
			f.emit(fmin, sum+v, sum+v, clampLo+1)
		}
	}
	if kind == "Scale" {
		f.part(false, 9, sum, vecs)
		f.line("ADD R7, R9")
	}
	f.line("SUBS $1, R10")
	f.line("BNE %sRow", name)
	if kind != "Scale" {
		f.part(false, 9, sum, vecs)
	}
	for r := 1; r <= 4; r++ {
		f.line("ADD $%d, R%d", bytes, r)
	}
	f.line("B %s", name)
	f.line("%sEnd:", name)
	f.line("ADD $%d, R6", bytes)
}
