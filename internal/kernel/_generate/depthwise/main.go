// Command depthwise writes the inner loops of depthwise convolution. See depthwiseArgs in package kernel.
package main

import (
	"fmt"

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

// slides are the kernel widths that have loops of their own for neighbouring pixels, which read each input pixel once a row.
var slides = []int{3, 5}

// write emits the function: blocks of channels outside, groups of pixels inside, so that a weight is loaded once for all
// pixels of a group. The last block of channels is masked.
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
	mask := l.newMask()
	Label("channels")
	left := l.field(offChannels)
	SUBQ(c, left)
	JLE(LabelRef("done"))
	CMPQ(left, Imm(uint64(l.bytes)))
	JGE(LabelRef("whole"))
	l.tail(left, mask)
	l.block("Tail", c, mask)
	JMP(LabelRef("done"))
	Label("whole")
	l.block("", c, nil)
	ADDQ(Imm(uint64(l.bytes)), c)
	JMP(LabelRef("channels"))
	Label("done")
	VZEROUPPER()
	RET()
}

// block computes all pixels of one block of channels, c bytes from the first channel on.
func (l *loop) block(suffix string, c GPVirtual, mask Op) {
	x, y, pixels := l.field(offX), l.field(offY), l.field(offPixels)
	ADDQ(c, x)
	ADDQ(c, y)
	step, kw := l.field(offStepX), l.field(offKW)
	CMPQ(step, Mem{Base: l.args, Disp: offColX})
	JNE(LabelRef("general" + suffix))
	for _, taps := range slides {
		CMPQ(kw, Imm(uint64(taps)))
		JEQ(LabelRef(fmt.Sprintf("slide%d%s", taps, suffix)))
	}
	Label("general" + suffix)
	l.groups("General"+suffix, []int{4, 2, 1}, 0, x, y, c, pixels, mask)
	JMP(LabelRef("computed" + suffix))
	for _, taps := range slides {
		Label(fmt.Sprintf("slide%d%s", taps, suffix))
		sizes := []int{4, 2, 1}
		if l.avx512() {
			sizes = []int{8, 4, 2, 1}
		}
		l.groups(fmt.Sprintf("Slide%d%s", taps, suffix), sizes, taps, x, y, c, pixels, mask)
		JMP(LabelRef("computed" + suffix))
	}
	Label("computed" + suffix)
}

// groups computes the pixels in groups of the given sizes, as many as fit of each.
func (l *loop) groups(suffix string, sizes []int, taps int, x, y, c, pixels GPVirtual, mask Op) {
	for _, n := range sizes {
		name := fmt.Sprintf("%s%d", suffix, n)
		Label("group" + name)
		CMPQ(pixels, Imm(uint64(n)))
		JLT(LabelRef("smaller" + name))
		l.pixels(name, n, taps, x, y, c, mask)
		SUBQ(Imm(uint64(n)), pixels)
		JMP(LabelRef("group" + name))
		Label("smaller" + name)
	}
}

// newMask returns the register for a mask of lanes.
func (l *loop) newMask() Op {
	if l.avx512() {
		return K()
	}
	return YMM()
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

// read loads a vector at m; mask is nil for a whole one.
func (l *loop) read(m Mem, mask Op, dst VecVirtual) {
	switch {
	case mask == nil:
		VMOVUPS(m, dst)
	case l.avx512():
		VMOVUPS_Z(m, mask, dst)
	default:
		VMASKMOVPS(m, mask, dst)
	}
}

// store is the opposite of read.
func (l *loop) store(src VecVirtual, mask Op, m Mem) {
	switch {
	case mask == nil:
		VMOVUPS(src, m)
	case l.avx512():
		VMOVUPS(src, mask, m)
	default:
		VMASKMOVPS(src, mask, m)
	}
}

// pixels computes n pixels from x on, and moves x and y behind them. taps is the kernel's width where it is known and the
// pixels are neighbours, else 0.
func (l *loop) pixels(suffix string, n, taps int, x, y, c GPVirtual, mask Op) {
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
	px, pw := GP64(), GP64()
	MOVQ(row, px)
	MOVQ(wrow, pw)
	if taps > 0 {
		l.slide(acc, taps, px, pw, stepX, step3, mask)
	} else {
		kw := l.field(offKW)
		Label("col" + suffix)
		w := l.vec()
		l.read(Mem{Base: pw}, mask, w)
		for p := range acc {
			v := l.vec()
			l.read(at(px, p, stepX, step3), mask, v)
			VFMADD231PS(v, w, acc[p])
		}
		ADDQ(Mem{Base: l.args, Disp: offColX}, px)
		ADDQ(Mem{Base: l.args, Disp: offChannels}, pw)
		DECQ(kw)
		JNZ(LabelRef("col" + suffix))
	}
	ADDQ(Mem{Base: l.args, Disp: offRowX}, row)
	ADDQ(Mem{Base: l.args, Disp: offRowW}, wrow)
	DECQ(kh)
	JNZ(LabelRef("row" + suffix))
	Label("summed" + suffix)
	for p := range acc {
		VMAXPS(acc[p], l.lo, acc[p])
		VMINPS(acc[p], l.hi, acc[p])
		l.store(acc[p], mask, Mem{Base: y})
		ADDQ(Mem{Base: l.args, Disp: offChannels}, y)
	}
	for ; n >= 4; n -= 4 {
		LEAQ(Mem{Base: x, Index: stepX, Scale: 4}, x)
	}
	if n > 0 {
		LEAQ(Mem{Base: x, Index: stepX, Scale: uint8(n)}, x)
	}
}

// slide adds one kernel row of taps weights to neighbouring pixels: every input pixel is read once and meets each output pixel
// in whose window it lies. An output's products are still added from left to right.
func (l *loop) slide(acc []VecVirtual, taps int, px, pw, stepX, step3 GPVirtual, mask Op) {
	w := make([]VecVirtual, taps)
	for j := range w {
		w[j] = l.vec()
		l.read(Mem{Base: pw}, mask, w[j])
		if j+1 < taps {
			ADDQ(Mem{Base: l.args, Disp: offChannels}, pw)
		}
	}
	for i := range len(acc) + taps - 1 {
		if i > 0 && i%4 == 0 {
			LEAQ(Mem{Base: px, Index: stepX, Scale: 4}, px)
		}
		v := l.vec()
		l.read(at(px, i%4, stepX, step3), mask, v)
		for p := range acc {
			if j := i - p; j >= 0 && j < taps {
				VFMADD231PS(v, w[j], acc[p])
			}
		}
	}
}

// at is the address of pixel p, 0 to 3, from px on.
func at(px Register, p int, step, step3 GPVirtual) Mem {
	switch p {
	case 0:
		return Mem{Base: px}
	case 3:
		return Mem{Base: px, Index: step3, Scale: 1}
	}
	return Mem{Base: px, Index: step, Scale: uint8(p)}
}
