package main

import "fmt"

// writeNarrow writes the inner loops of convolutions with few output channels; see narrowArgs in package kernel: blocks of four vectors
// of columns outside, then kernel rows, kernel columns and channels.
func writeNarrow(f *file) {
	const most, vecs, x, weight = 4, 4, 16, 20
	for outputs := 1; outputs <= most; outputs++ {
		f.function(fmt.Sprintf("narrowNEON_%d", outputs), "a *narrowArgs")
		// y, bias, channels, pitch, step, ldy, columns' bytes in R1 to R7; the block's place in R8.
		f.fields("a+0(FP)", 16, 24, 48, 56, 64, 72, 80)
		f.line("MOVD $0, R8")
		f.line("block:")
		f.line("MOVD R2, R9")
		for o := range outputs {
			f.line("VLD1R.P 4(R9), [V%d.S4]", vecs*o)
			for v := 1; v < vecs; v++ {
				f.line("VMOV V%d.B16, V%d.B16", vecs*o, vecs*o+v)
			}
		}
		// planes, w and kh.
		f.line("MOVD 0(R0), R10")
		f.line("MOVD 8(R0), R11")
		f.line("MOVD 32(R0), R12")
		f.line("row:")
		f.line("MOVD.P 8(R10), R13")
		f.line("ADD R8, R13")
		f.line("MOVD 40(R0), R14")
		f.line("tap:")
		f.line("MOVD R13, R15")
		f.line("MOVD R3, R16")
		f.line("channel:")
		f.line("VLD1 (R15), %s", vectors(x, vecs))
		f.line("ADD R4, R15")
		for o := range outputs {
			f.line("VLD1R.P 4(R11), [V%d.S4]", weight+o)
			for v := range vecs {
				f.emit(fmla, vecs*o+v, x+v, weight+o)
			}
		}
		f.line("SUBS $1, R16")
		f.line("BNE channel")
		f.line("ADD R5, R13")
		f.line("SUBS $1, R14")
		f.line("BNE tap")
		f.line("SUBS $1, R12")
		f.line("BNE row")
		f.line("ADD R8, R1, R9")
		for o := range outputs {
			f.line("VST1 %s, (R9)", vectors(vecs*o, vecs))
			f.line("ADD R6, R9")
		}
		f.line("ADD $%d, R8", 16*vecs)
		f.line("CMP R7, R8")
		f.line("BLT block")
		f.line("RET")
	}
}
