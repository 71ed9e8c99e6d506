package main

import "fmt"

// fields loads fields of the arguments' struct at R0 into R1 and up.
func (f *file) fields(a string, offsets ...int) {
	f.line("MOVD %s, R0", a)
	for i, off := range offsets {
		f.line("MOVD %d(R0), R%d", off, i+1)
	}
}

// writeInt8 writes the integer product's inner loops; see int8Args in package kernel. A's bytes are unsigned and B's signed, while the
// instructions want two of a kind: A counts as 128 less, and the sums of B's columns make up for it.
func writeInt8(f *file) {
	for rows := 1; rows <= tileRows; rows++ {
		int8Dot(f, rows)
	}
	for rows := 1; rows <= tileRows/2; rows++ {
		int8Plain(f, rows)
	}
}

// int8Loop is the frame of both: taps, and groups of four k in batches of up to batch and one by one.
func int8Loop(f *file, rows int, batch, one func()) {
	f.line("CBZ R5, done")
	f.line("CBZ R4, done")
	f.line("tap:")
	f.rowPointers(rows)
	f.line("MOVD R5, R7")
	if batch != nil {
		f.line("SUBS $4, R7")
		f.line("BLT few")
		f.line("four:")
		batch()
		f.line("SUBS $4, R7")
		f.line("BGE four")
		f.line("few:")
		f.line("ADDS $4, R7")
		f.line("BEQ next")
	}
	f.line("one:")
	one()
	f.line("SUBS $1, R7")
	f.line("BNE one")
	f.line("next:")
	f.line("SUBS $1, R4")
	f.line("BNE tap")
	f.line("done:")
}

// int8Dot sums four products a lane in one instruction (FEAT_DotProd).
func int8Dot(f *file, rows int) {
	const a, b, sums, flip = 16, 24, 28, 30 // flip is 0x80 in every byte: -128, and what makes unsigned bytes signed
	f.function(fmt.Sprintf("int8TileNEONDot_%d", rows), "a *int8Args")
	f.fields("a+0(FP)", 0, 8, 16, 24, 32)
	f.clear(0, 2*rows)
	f.clear(sums, 2)
	f.line("VMOVI $128, V%d.B16", flip)
	step := func(lane int) {
		f.line("VLD1.P 32(R2), [V%d.B16, V%d.B16]", b, b+1)
		for v := range 2 {
			f.emit(sdot, sums+v, b+v, flip)
		}
		for r := range rows {
			for v := range 2 {
				f.sdotLane(2*r+v, b+v, a+r, lane)
			}
		}
	}
	load := func(format string) {
		for r := range rows {
			f.line(format, 8+r, a+r)
			f.line("VEOR V%d.B16, V%d.B16, V%[2]d.B16", flip, a+r)
		}
	}
	int8Loop(f, rows, func() {
		load("VLD1.P 16(R%d), [V%d.B16]")
		for lane := range 4 {
			step(lane)
		}
	}, func() {
		load("FMOVS.P 4(R%d), F%d")
		step(0)
	})
	for r := range rows {
		for v := range 2 {
			f.emit(sub, 2*r+v, 2*r+v, sums+v)
		}
	}
	f.move(false, 2*rows, 3)
	f.line("RET")
}

// int8Plain multiplies to 16 bits and adds neighbours to 32, so that a column has two sums at first: no two products fit 16 bits.
func int8Plain(f *file, rows int) {
	const b, sums, a, flip, product = 20, 22, 24, 25, 26
	f.function(fmt.Sprintf("int8TileNEON_%d", rows), "a *int8Args")
	f.fields("a+0(FP)", 0, 8, 16, 24, 32)
	f.clear(0, 4*rows)
	f.clear(sums, 2)
	f.line("VMOVI $128, V%d.B16", flip)
	int8Loop(f, rows, nil, func() {
		f.line("VLD1.P 32(R2), [V%d.B16, V%d.B16]", b, b+1)
		for v := range 2 {
			f.emit(saddlp, product, b+v)
			f.emit(sadalp, sums+v, product)
		}
		for r := range rows {
			f.line("VLD1R.P 4(R%d), [V%d.S4]", 8+r, a)
			f.line("VEOR V%d.B16, V%d.B16, V%[2]d.B16", flip, a)
			for v := range 2 {
				f.emit(smull, product+2*v, b+v, a)
				f.emit(smull2, product+2*v+1, b+v, a)
			}
			for q := range 4 {
				f.emit(sadalp, 4*r+q, product+q)
			}
		}
	})
	for v := range 2 {
		f.emit(shl(7), sums+v, sums+v)
	}
	for r := range rows {
		for v := range 2 {
			f.emit(addp, 2*r+v, 4*r+2*v, 4*r+2*v+1)
			f.emit(add, 2*r+v, 2*r+v, sums+v)
		}
	}
	f.move(false, 2*rows, 3)
	f.line("RET")
}
