// Command depthwise writes the inner loops of depthwise convolution. See depthwiseArgs in package kernel.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of depthwiseArgs' fields.
const (
	offX, offW, offY, offBias, offPixels, offChannels = 0, 8, 16, 24, 32, 40
	offKH, offKW, offStepX, offRowX, offColX, offRowW = 48, 56, 64, 72, 80, 88
	offLo, offHi                                      = 96, 100
)

func main() {
	ConstraintExpr("!noasm")
	GLOBL("depthwiseMask", RODATA|NOPTR)
	for i := range 16 {
		v := uint32(0xffffffff)
		if i >= 8 {
			v = 0
		}
		DATA(4*i, U32(v))
	}
	(&loop{name: "depthwiseAVX2", bytes: 32, vec: func() VecVirtual { return YMM() }}).write()
	(&loop{name: "depthwiseAVX512", bytes: 64, vec: func() VecVirtual { return ZMM() }}).write()
	Generate()
}

type loop struct {
	name   string
	bytes  int
	vec    func() VecVirtual
	args   Register
	lo, hi VecVirtual
}

func (l *loop) avx512() bool { return l.bytes == 64 }

func (l *loop) field(off int) GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: l.args, Disp: off}, r)
	return r
}

// write emits the function: blocks of channels outside, groups of pixels inside, so that a weight is loaded once for all
// pixels of a group.
func (l *loop) write() {
	TEXT(l.name, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	l.args = GP64()
	Load(Param("a"), l.args)
	l.lo, l.hi = l.vec(), l.vec()
	VBROADCASTSS(Mem{Base: l.args, Disp: offLo}, l.lo)
	VBROADCASTSS(Mem{Base: l.args, Disp: offHi}, l.hi)
	c := GP64()
	XORQ(c, c)
	mask := l.allOnes()
	Label("channels")
	left := l.field(offChannels)
	SUBQ(c, left)
	JLE(LabelRef("done"))
	CMPQ(left, Imm(uint64(l.bytes)))
	JGE(LabelRef("whole"))
	l.tail(left, mask)
	Label("whole")
	x, y, pixels := l.field(offX), l.field(offY), l.field(offPixels)
	ADDQ(c, x)
	ADDQ(c, y)
	group := 4
	Label("pixels4")
	SUBQ(Imm(uint64(group)), pixels)
	JB(LabelRef("pixelsRest"))
	l.pixels("4", group, x, y, c, mask)
	JMP(LabelRef("pixels4"))
	Label("pixelsRest")
	ADDQ(Imm(uint64(group)), pixels)
	JZ(LabelRef("nextChannels"))
	Label("pixel1")
	l.pixels("1", 1, x, y, c, mask)
	DECQ(pixels)
	JNZ(LabelRef("pixel1"))
	Label("nextChannels")
	ADDQ(Imm(uint64(l.bytes)), c)
	JMP(LabelRef("channels"))
	Label("done")
	VZEROUPPER()
	RET()
}

// allOnes returns a mask of every lane: a mask register, or a vector of ones.
func (l *loop) allOnes() Op {
	if l.avx512() {
		k := K()
		KXNORW(k, k, k)
		return k
	}
	m := YMM()
	VPCMPEQD(m, m, m)
	return m
}

// tail sets mask to the lanes of the left bytes.
func (l *loop) tail(left GPVirtual, mask Op) {
	n := GP64()
	MOVQ(left, n)
	if l.avx512() {
		SHRQ(Imm(2), n)
		m := GP32()
		MOVL(I32(-1), m)
		BZHIL(n.As32(), m, m)
		KMOVW(m, mask)
		return
	}
	NEGQ(n)
	table := GP64()
	LEAQ(NewDataAddr(Symbol{Name: "depthwiseMask", Static: true}, 0), table)
	VMOVUPS(Mem{Base: table, Disp: 32, Index: n, Scale: 1}, mask)
}

func (l *loop) read(m Mem, mask Op, dst VecVirtual) {
	if l.avx512() {
		VMOVUPS_Z(m, mask, dst)
		return
	}
	VMASKMOVPS(m, mask, dst)
}

// pixels computes n pixels from x on, and moves x and y behind them.
func (l *loop) pixels(suffix string, n int, x, y, c GPVirtual, mask Op) {
	bias := l.field(offBias)
	acc := make([]VecVirtual, n)
	for p := range acc {
		acc[p] = l.vec()
		if p == 0 {
			l.read(Mem{Base: bias, Index: c, Scale: 1}, mask, acc[0])
		} else {
			VMOVAPS(acc[0], acc[p])
		}
	}
	stepX := l.field(offStepX)
	step3 := GP64()
	LEAQ(Mem{Base: stepX, Index: stepX, Scale: 2}, step3)
	kh := l.field(offKH)
	TESTQ(kh, kh)
	JZ(LabelRef("summed" + suffix))
	row, wrow := GP64(), l.field(offW)
	MOVQ(x, row)
	ADDQ(c, wrow)
	Label("row" + suffix)
	px, pw, kw := GP64(), GP64(), l.field(offKW)
	MOVQ(row, px)
	MOVQ(wrow, pw)
	Label("col" + suffix)
	w := l.vec()
	l.read(Mem{Base: pw}, mask, w)
	for p := range acc {
		m := Mem{Base: px}
		switch p {
		case 1:
			m = Mem{Base: px, Index: stepX, Scale: 1}
		case 2:
			m = Mem{Base: px, Index: stepX, Scale: 2}
		case 3:
			m = Mem{Base: px, Index: step3, Scale: 1}
		}
		v := l.vec()
		l.read(m, mask, v)
		VFMADD231PS(v, w, acc[p])
	}
	ADDQ(Mem{Base: l.args, Disp: offColX}, px)
	ADDQ(Mem{Base: l.args, Disp: offChannels}, pw)
	DECQ(kw)
	JNZ(LabelRef("col" + suffix))
	ADDQ(Mem{Base: l.args, Disp: offRowX}, row)
	ADDQ(Mem{Base: l.args, Disp: offRowW}, wrow)
	DECQ(kh)
	JNZ(LabelRef("row" + suffix))
	Label("summed" + suffix)
	for p := range acc {
		VMAXPS(acc[p], l.lo, acc[p])
		VMINPS(acc[p], l.hi, acc[p])
		if l.avx512() {
			VMOVUPS(acc[p], mask, Mem{Base: y})
		} else {
			VMASKMOVPS(acc[p], mask, Mem{Base: y})
		}
		ADDQ(Mem{Base: l.args, Disp: offChannels}, y)
	}
	if n == 4 {
		LEAQ(Mem{Base: x, Index: stepX, Scale: 4}, x)
	} else {
		ADDQ(stepX, x)
	}
}
