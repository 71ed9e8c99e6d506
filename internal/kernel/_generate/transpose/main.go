// Command transpose writes the moves of squares of float32 from rows to columns: 8 by 8, and 4 by 4 or less.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!noasm")
	transpose8()
	transpose4()
	Generate()
}

func transpose8() {
	TEXT("transpose8", NOSPLIT, "func(y, x *float32, ldy, ldx, squares int)")
	Pragma("noescape")
	y, x := Load(Param("y"), GP64()), Load(Param("x"), GP64())
	ldy, ldx := Load(Param("ldy"), GP64()), Load(Param("ldx"), GP64())
	n := Load(Param("squares"), GP64())
	SHLQ(Imm(2), ldy)
	SHLQ(Imm(2), ldx)
	TESTQ(n, n)
	JZ(LabelRef("done"))
	next := GP64()
	Label("loop")
	MOVQ(x, next)
	var r [8]VecVirtual
	for i := range r {
		r[i] = YMM()
		VMOVUPS(Mem{Base: next}, r[i])
		ADDQ(ldx, next)
	}
	// Pairs of elements, then pairs of pairs, then halves.
	var t, u [8]VecVirtual
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			u[i+2*j], u[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), t[i+2+j], t[i+j], u[i+2*j])
			VSHUFPS(Imm(0xee), t[i+2+j], t[i+j], u[i+2*j+1])
		}
	}
	out := GP64()
	MOVQ(y, out)
	for half := range 2 {
		for i := range 4 {
			v := YMM()
			VPERM2F128(Imm(uint64(0x20+0x11*half)), u[i+4], u[i], v)
			VMOVUPS(v, Mem{Base: out})
			ADDQ(ldy, out)
		}
	}
	// The next square is eight rows of x further, eight columns of y.
	LEAQ(Mem{Base: x, Index: ldx, Scale: 8}, x)
	ADDQ(Imm(32), y)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

// transpose4 reads in rows of four elements a square and writes out columns of four, with the offsets of the next square given.
func transpose4() {
	TEXT("transpose4", NOSPLIT, "func(y, x *float32, ldy, ldx, in, out, stepY, stepX, squares int)")
	Pragma("noescape")
	y, x := Load(Param("y"), GP64()), Load(Param("x"), GP64())
	ldy, ldx := Load(Param("ldy"), GP64()), Load(Param("ldx"), GP64())
	in, out := Load(Param("in"), GP64()), Load(Param("out"), GP64())
	stepY, stepX := Load(Param("stepY"), GP64()), Load(Param("stepX"), GP64())
	n := Load(Param("squares"), GP64())
	for _, r := range []Register{ldy, ldx, stepY, stepX} {
		SHLQ(Imm(2), r)
	}
	// Rows that are not there are read as the last one that is.
	offset := [4]GPVirtual{}
	for i := 1; i < 4; i++ {
		offset[i] = GP64()
		XORQ(offset[i], offset[i])
		if i > 1 {
			MOVQ(offset[i-1], offset[i])
		}
		next := GP64()
		MOVQ(offset[i], next)
		ADDQ(ldx, next)
		CMPQ(in, Imm(uint64(i)))
		CMOVQGT(next, offset[i])
	}
	Label("loop4")
	SUBQ(Imm(1), n)
	JLT(LabelRef("done4"))
	var r [4]VecVirtual
	for i := range r {
		r[i] = XMM()
		if i == 0 {
			VMOVUPS(Mem{Base: x}, r[i])
		} else {
			VMOVUPS(Mem{Base: x, Index: offset[i], Scale: 1}, r[i])
		}
	}
	var t [4]VecVirtual
	for i := range t {
		t[i] = XMM()
	}
	VUNPCKLPS(r[1], r[0], t[0])
	VUNPCKLPS(r[3], r[2], t[1])
	VUNPCKHPS(r[1], r[0], t[2])
	VUNPCKHPS(r[3], r[2], t[3])
	VUNPCKLPD(t[1], t[0], r[0])
	VUNPCKHPD(t[1], t[0], r[1])
	VUNPCKLPD(t[3], t[2], r[2])
	VUNPCKHPD(t[3], t[2], r[3])
	to := GP64()
	MOVQ(y, to)
	for i := range r {
		VMOVUPS(r[i], Mem{Base: to})
		if i < 3 {
			CMPQ(out, Imm(uint64(i+1)))
			JEQ(LabelRef("next4"))
			ADDQ(ldy, to)
		}
	}
	Label("next4")
	ADDQ(stepY, y)
	ADDQ(stepX, x)
	JMP(LabelRef("loop4"))
	Label("done4")
	RET()
}
