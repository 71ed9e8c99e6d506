package main

import "fmt"

// writeDepthwise writes the inner loop of depthwise convolutions; see depthwiseArgs in package kernel: blocks of channels outside, of four
// vectors, one, and one lane; pixels inside, two by two while there are two, which share the weights.
func writeDepthwise(f *file) {
	f.function("depthwiseNEON", "a *depthwiseArgs")
	// x, w, y, bias, channels, stepX, rowX, colX, rowW in R1 to R9, kh and kw in R10 and R11, bytes of channels left in R13.
	f.fields("a+0(FP)", 0, 8, 16, 24, 40, 64, 72, 80, 88, 48, 56)
	f.line("MOVD R5, R13")
	f.line("ADD $96, R0, R14")
	f.line("VLD1R.P 4(R14), [V%d.S4]", clampLo)
	f.line("VLD1R (R14), [V%d.S4]", clampLo+1)
	for _, vecs := range []int{4, 1} {
		depthwiseBlock(f, fmt.Sprintf("vectors%d", vecs), 16*vecs, vecs)
	}
	depthwiseBlock(f, "lane", 4, 0)
	f.line("RET")
}

// clampLo is the register of a clamp's lower bound; the upper one is in the next.
const clampLo = 30

// depthwiseBlock computes blocks of so many bytes of channels while there are as many left, in vecs vectors, or one lane when that is 0.
func depthwiseBlock(f *file, name string, bytes, vecs int) {
	f.line("%s:", name)
	f.line("SUBS $%d, R13", bytes)
	f.line("BLT %sEnd", name)
	// The pixels left, and the first one's x and y.
	f.line("MOVD 32(R0), R12")
	f.line("MOVD R1, R21")
	f.line("MOVD R3, R22")
	f.line("%sPair:", name)
	f.line("SUBS $2, R12")
	f.line("BLT %sSingle", name)
	depthwisePixels(f, name+"Pair", vecs, 2)
	f.line("B %sPair", name)
	f.line("%sSingle:", name)
	f.line("ADDS $2, R12")
	f.line("BEQ %sNext", name)
	depthwisePixels(f, name+"Single", vecs, 1)
	f.line("%sNext:", name)
	for r := 1; r <= 4; r++ {
		f.line("ADD $%d, R%d", bytes, r)
	}
	f.line("B %s", name)
	f.line("%sEnd:", name)
	f.line("ADD $%d, R13", bytes)
}

// depthwisePixels computes one or two pixels of a block and moves R21 and R22 on.
func depthwisePixels(f *file, name string, vecs, pixels int) {
	const acc, x, w = 0, 8, 16
	n := max(1, vecs)
	for p := range pixels {
		f.part(true, 4, acc+p*n, vecs)
	}
	f.line("CBZ R10, %sClamp", name)
	f.line("MOVD R21, R19")
	f.line("MOVD R2, R20")
	f.line("MOVD R10, R17")
	f.line("%sRow:", name)
	f.line("MOVD R19, R14")
	f.line("MOVD R20, R15")
	f.line("MOVD R11, R16")
	f.line("%sTap:", name)
	f.part(true, 15, w, vecs)
	f.part(true, 14, x, vecs)
	if pixels == 2 {
		f.line("ADD R6, R14, R23")
		f.part(true, 23, x+n, vecs)
	}
	for p := range pixels {
		for v := range n {
			f.emit(fmla, acc+p*n+v, x+p*n+v, w+v)
		}
	}
	f.line("ADD R8, R14")
	f.line("ADD R5, R15")
	f.line("SUBS $1, R16")
	f.line("BNE %sTap", name)
	f.line("ADD R7, R19")
	f.line("ADD R9, R20")
	f.line("SUBS $1, R17")
	f.line("BNE %sRow", name)
	f.line("%sClamp:", name)
	for p := range pixels {
		for v := range n {
			f.emit(fmax, acc+p*n+v, acc+p*n+v, clampLo)
			f.emit(fmin, acc+p*n+v, acc+p*n+v, clampLo+1)
		}
		f.part(false, 22, acc+p*n, vecs)
		f.line("ADD R5, R22")
		f.line("ADD R6, R21")
	}
}

// part loads or stores vecs vectors at a pointer, or one lane when that is 0.
func (f *file) part(load bool, pointer, first, vecs int) {
	switch {
	case vecs == 0 && load:
		f.line("FMOVS (R%d), F%d", pointer, first)
	case vecs == 0:
		f.line("FMOVS F%d, (R%d)", first, pointer)
	case load:
		f.line("VLD1 (R%d), %s", pointer, vectors(first, vecs))
	default:
		f.line("VST1 %s, (R%d)", vectors(first, vecs), pointer)
	}
}

// writeResize writes one row of a linear resize; see resizeArgs in package kernel.
func writeResize(f *file) {
	const left, right, factor = 0, 1, 2
	f.function("resizeRowNEON", "a *resizeArgs")
	// row, y, x0, x1, fx, pixels, channels in R1 to R7.
	f.fields("a+0(FP)", 0, 8, 16, 24, 32, 40, 48)
	blend := func() {
		f.emit(fsub, right, right, left)
		f.emit(fmla, left, right, factor)
	}
	f.line("pixel:")
	f.line("SUBS $1, R6")
	f.line("BLT done")
	for i, index := range []int{3, 4} {
		f.line("MOVW.P 4(R%d), R%d", index, 8+i)
		f.line("MADD R7, R1, R%d, R%[1]d", 8+i)
	}
	f.line("VLD1R.P 4(R5), [V%d.S4]", factor)
	f.line("SUBS $16, R7, R10")
	f.line("BLT few")
	f.line("vector:")
	f.line("VLD1.P 16(R8), [V%d.S4]", left)
	f.line("VLD1.P 16(R9), [V%d.S4]", right)
	blend()
	f.line("VST1.P [V%d.S4], 16(R2)", left)
	f.line("SUBS $16, R10")
	f.line("BGE vector")
	f.line("few:")
	f.line("ADDS $16, R10")
	f.line("BEQ pixel")
	f.line("lane:")
	f.line("FMOVS.P 4(R8), F%d", left)
	f.line("FMOVS.P 4(R9), F%d", right)
	blend()
	f.line("FMOVS.P F%d, 4(R2)", left)
	f.line("SUBS $4, R10")
	f.line("BNE lane")
	f.line("B pixel")
	f.line("done:")
	f.line("RET")
}

// writeTranspose writes the transposition of squares of 4 by 4, one below the other in x, one beside the other in y.
func writeTranspose(f *file) {
	at := f.function("transposeNEON", "y, x *float32, ldy, ldx, squares int")
	for i, name := range []string{"y", "x", "ldy", "ldx", "squares"} {
		f.line("MOVD %s+%d(FP), R%d", name, at[name], i)
	}
	f.line("LSL $2, R2")
	f.line("LSL $2, R3")
	f.line("square:")
	f.line("MOVD R0, R5")
	for r := range 4 {
		f.line("VLD1 (R1), [V%d.S4]", r)
		f.line("ADD R3, R1")
	}
	for half := range 2 {
		a, b := 2*half, 2*half+1
		f.line("VTRN1 V%d.S4, V%d.S4, V%d.S4", b, a, 4+a)
		f.line("VTRN2 V%d.S4, V%d.S4, V%d.S4", b, a, 4+b)
	}
	for c := range 4 {
		f.line("VTRN%d V%d.D2, V%d.D2, V%d.D2", 1+c/2, 6+c%2, 4+c%2, c)
		f.line("VST1 [V%d.S4], (R5)", c)
		f.line("ADD R2, R5")
	}
	f.line("ADD $16, R0")
	f.line("SUBS $1, R4")
	f.line("BNE square")
	f.line("RET")
}
