// Command resize writes the inner loops of the linear resize. See resizeArgs in package kernel.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of resizeArgs' fields.
const (
	offRow, offY, offX0, offX1    = 0, 8, 16, 24
	offFX, offPixels, offChannels = 32, 40, 48
)

func main() {
	ConstraintExpr("!noasm")
	GLOBL("resizeMask", RODATA|NOPTR)
	for i := range 16 {
		v := uint32(0xffffffff)
		if i >= 8 {
			v = 0
		}
		DATA(4*i, U32(v))
	}
	row("resizeRowAVX2", 32, func() VecVirtual { return YMM() })
	row("resizeRowAVX512", 64, func() VecVirtual { return ZMM() })
	Generate()
}

func row(name string, bytes int, vec func() VecVirtual) {
	TEXT(name, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	args := GP64()
	Load(Param("a"), args)
	field := func(off int) GPVirtual {
		r := GP64()
		MOVQ(Mem{Base: args, Disp: off}, r)
		return r
	}
	src, y, x0, x1, fx := field(offRow), field(offY), field(offX0), field(offX1), field(offFX)
	pixels, channels := field(offPixels), field(offChannels)
	// The channels behind the last whole vector are masked.
	whole, tail := GP64(), GP64()
	MOVQ(channels, whole)
	ANDQ(I32(-bytes), whole)
	MOVQ(channels, tail)
	SUBQ(whole, tail)
	mask := rest(tail, bytes)
	Label("pixel")
	SUBQ(Imm(1), pixels)
	JLT(LabelRef("done"))
	left, right, f := GP64(), GP64(), vec()
	for _, side := range []struct{ index, at GPVirtual }{{x0, left}, {x1, right}} {
		MOVLQSX(Mem{Base: side.index}, side.at)
		IMULQ(channels, side.at)
		ADDQ(src, side.at)
		ADDQ(Imm(4), side.index)
	}
	VBROADCASTSS(Mem{Base: fx}, f)
	ADDQ(Imm(4), fx)
	c := GP64()
	XORQ(c, c)
	Label("vector")
	CMPQ(c, whole)
	JGE(LabelRef("tail"))
	a, b := vec(), vec()
	at := func(p GPVirtual) Mem { return Mem{Base: p, Index: c, Scale: 1} }
	VMOVUPS(at(left), a)
	VMOVUPS(at(right), b)
	VSUBPS(a, b, b)
	VFMADD231PS(b, f, a)
	VMOVUPS(a, at(y))
	ADDQ(Imm(uint64(bytes)), c)
	JMP(LabelRef("vector"))
	Label("tail")
	TESTQ(tail, tail)
	JZ(LabelRef("next"))
	a, b = vec(), vec()
	if bytes == 64 {
		VMOVUPS_Z(at(left), mask, a)
		VMOVUPS_Z(at(right), mask, b)
	} else {
		VMASKMOVPS(at(left), mask, a)
		VMASKMOVPS(at(right), mask, b)
	}
	VSUBPS(a, b, b)
	VFMADD231PS(b, f, a)
	if bytes == 64 {
		VMOVUPS(a, mask, at(y))
	} else {
		VMASKMOVPS(a, mask, at(y))
	}
	Label("next")
	ADDQ(channels, y)
	JMP(LabelRef("pixel"))
	Label("done")
	VZEROUPPER()
	RET()
}

// rest is a mask of the lanes that tail bytes fill.
func rest(tail GPVirtual, bytes int) Op {
	n := GP64()
	MOVQ(tail, n)
	if bytes == 64 {
		SHRQ(Imm(2), n)
		m := GP32()
		MOVL(I32(-1), m)
		BZHIL(n.As32(), m, m)
		k := K()
		KMOVW(m, k)
		return k
	}
	NEGQ(n)
	table, mask := GP64(), YMM()
	LEAQ(NewDataAddr(Symbol{Name: "resizeMask", Static: true}, 0), table)
	VMOVUPS(Mem{Base: table, Disp: 32, Index: n, Scale: 1}, mask)
	return mask
}
