// Command transpose writes the move of an 8 by 8 square of float32 from rows to columns.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!noasm")
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
	Generate()
}
