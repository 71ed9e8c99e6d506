// Command _generate writes the amd64 assembly of package rans with avo.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

//go:generate go run . -out ../rans_amd64.s -stubs ../rans_amd64_stubs.go -pkg rans

// roundBytes is the most bytes of words that a round of 32 lanes reads.
const roundBytes = 64

func main() {
	ConstraintExpr("amd64,!noasm")
	decodeAVX512("decodeManyAVX512", false)
	decodeAVX512("decodeContextAVX512", true)
	decodeAVX2("decodeManyAVX2", false)
	decodeAVX2("decodeContextAVX2", true)
	encodeAVX512("encodeManyAVX512", false)
	encodeAVX512("encodeContextAVX512", true)
	transpose()
	rows()
	Generate()
}

func param(name string) GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

func constant(v uint32, z VecVirtual) VecVirtual {
	r := GP32()
	MOVL(U32(v), r)
	MOVD(r, z.AsX())
	VPBROADCASTD(z.AsX(), z)
	return z
}

// frame is the arguments that both kinds of decoder share.
type frame struct {
	dec, states, dst, src, rounds, end, done GPVirtual
	near, far, nearStep, farStep             GPVirtual
}

func begin(name string, context bool) frame {
	if context {
		TEXT(name, NOSPLIT, "func(dec *uint32, states *uint32, dst, src *byte, rounds, size int, near, far *byte, nearStep, farStep int) (done, used int)")
		Pragma("noescape")
		Doc(name+" decodes up to rounds rounds of 32 lanes under contexts while roundBytes bytes of src are left: row",
			"by row to dst, the neighbours' rows at near and far, which advance by their steps after each round.")
	} else {
		TEXT(name, NOSPLIT, "func(dec *uint32, states *uint32, dst, src *byte, rounds, size int) (done, used int)")
		Pragma("noescape")
		Doc(name + " decodes up to rounds rounds of 32 lanes while roundBytes bytes of src are left.")
	}
	f := frame{dec: param("dec"), states: param("states"), dst: param("dst"), src: param("src"), rounds: param("rounds"), end: param("size")}
	if context {
		f.near, f.far = param("near"), param("far")
		f.nearStep, f.farStep = param("nearStep"), param("farStep")
	}
	ADDQ(f.src, f.end)
	SUBQ(Imm(roundBytes), f.end)
	f.done = GP64()
	XORQ(f.done, f.done)
	return f
}

func (f frame) loop(body func()) {
	Label("loop")
	CMPQ(f.done, f.rounds)
	JGE(LabelRef("out"))
	CMPQ(f.src, f.end)
	JHI(LabelRef("out"))
	body()
	ADDQ(Imm(32), f.dst)
	INCQ(f.done)
	JMP(LabelRef("loop"))
	Label("out")
}

func (f frame) finish() {
	VZEROUPPER()
	Store(f.done, ReturnIndex(0))
	start := param("src")
	SUBQ(start, f.src)
	Store(f.src, ReturnIndex(1))
	RET()
}

// contexts computes the contexts of 32 lanes as bytes.
func (f frame) contexts(zero, four VecVirtual, class Mem) VecVirtual {
	n, r := YMM(), YMM()
	VMOVDQU(Mem{Base: f.near}, n)
	VMOVDQU(Mem{Base: f.far}, r)
	table := YMM()
	VMOVDQU(class, table)
	for _, v := range []VecVirtual{n, r} {
		VPAVGB(zero, v, v) // (s+1)/2
		VPMINUB(four, v, v)
		VPSHUFB(v, table, v)
	}
	VPADDB(n, n, n)
	VPADDB(n, n, n)
	VPADDB(n, r, r)
	ADDQ(f.nearStep, f.near)
	ADDQ(f.farStep, f.far)
	return r
}

func decodeAVX512(name string, context bool) {
	tables()
	f := begin(name, context)
	scale := uint64(12)
	if context {
		scale = 11
	}
	slots, low := constant(1<<scale-1, ZMM()), constant(1<<16, ZMM())
	twelve := constant(1<<12-1, ZMM())
	var zero, four VecVirtual
	if context {
		zero, four = YMM(), YMM()
		VPXOR(zero, zero, zero)
		constant(0x04040404, four)
	}
	var x [2]VecVirtual
	for i := range x {
		x[i] = ZMM()
		VMOVDQU32(Mem{Base: f.states, Disp: 64 * i}, x[i])
	}
	f.loop(func() {
		var ctx VecVirtual
		if context {
			ctx = f.contexts(zero, four, *classes)
		}
		for i := range x {
			at, e, k := ZMM(), ZMM(), K()
			VPANDD(slots, x[i], at)
			if context {
				base := ZMM()
				if i == 1 {
					VEXTRACTI128(Imm(1), ctx, ctx.AsX())
				}
				VPMOVZXBD(ctx.AsX(), base)
				VPSLLD(Imm(scale), base, base)
				VPORD(base, at, at)
			}
			KXNORW(k, k, k)
			VPXORD(e, e, e)
			VPGATHERDD(Mem{Base: f.dec, Index: at, Scale: 4}, k, e)
			VPMOVDB(e, Mem{Base: f.dst, Disp: 16 * i})
			freq := ZMM()
			VPSRLD(Imm(8), e, freq)
			VPANDD(twelve, freq, freq)
			VPSRLD(Imm(20), e, e)
			VPSRLD(Imm(scale), x[i], x[i])
			VPMULLD(freq, x[i], x[i])
			VPADDD(e, x[i], x[i])
			need, words, shifted, count := K(), ZMM(), ZMM(), GP32()
			VPCMPUD(Imm(1), low, x[i], need)
			VPMOVZXWD(Mem{Base: f.src}, words)
			VPEXPANDD_Z(words, need, words)
			VPSLLD(Imm(16), x[i], shifted)
			VPORD(words, shifted, need, x[i])
			KMOVW(need, count)
			POPCNTL(count, count)
			LEAQ(Mem{Base: f.src, Index: count.As64(), Scale: 2}, f.src)
		}
	})
	for i := range x {
		VMOVDQU32(x[i], Mem{Base: f.states, Disp: 64 * i})
	}
	f.finish()
}

// expand and order are tables of decodeAVX2, classes that of contexts.
var expand, order, classes *Mem

// evens, odds and lanes are tables of encodeAVX512.
var evens, odds, lanes Mem

func tables() {
	if expand != nil {
		return
	}
	e := GLOBL("expandOrder", RODATA|NOPTR)
	for m := range 256 {
		at, row := 0, uint64(0)
		for i := range 8 {
			if m>>i&1 == 1 {
				row |= uint64(at) << (8 * i)
				at++
			}
		}
		DATA(8*m, U64(row))
	}
	o := GLOBL("packOrder", RODATA|NOPTR)
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(v))
	}
	c := GLOBL("magnitudeClass", RODATA|NOPTR)
	for i := range 4 {
		DATA(8*i, U64([]uint64{0x0000000302020100, 0}[i%2]))
	}
	expand, order, classes = &e, &o, &c
	evens, odds, lanes = sequence("evenDwords", 0, 2), sequence("oddDwords", 1, 2), sequence("laneDwords", 0, 1)
}

func decodeAVX2(name string, context bool) {
	tables()
	f := begin(name, context)
	scale := uint64(12)
	if context {
		scale = 11
	}
	slots, twelve := constant(1<<scale-1, YMM()), constant(1<<12-1, YMM())
	zero := YMM()
	VPXOR(zero, zero, zero)
	lut := GP64()
	LEAQ(*expand, lut)
	var x [4]VecVirtual
	for i := range x {
		x[i] = YMM()
		VMOVDQU(Mem{Base: f.states, Disp: 32 * i}, x[i])
	}
	contextRow := AllocLocal(32)
	f.loop(func() {
		if context {
			four := constant(0x04040404, YMM())
			VMOVDQU(f.contexts(zero, four, *classes), contextRow)
		}
		var symbols [4]VecVirtual
		for i := range x {
			at, e, all := YMM(), YMM(), YMM()
			VPAND(slots, x[i], at)
			if context {
				base := YMM()
				VPMOVZXBD(contextRow.Offset(8*i), base)
				VPSLLD(Imm(scale), base, base)
				VPOR(base, at, at)
			}
			VPCMPEQD(all, all, all)
			VPXOR(e, e, e)
			VPGATHERDD(all, Mem{Base: f.dec, Index: at, Scale: 4}, e)
			freq := YMM()
			VPSRLD(Imm(8), e, freq)
			VPAND(twelve, freq, freq)
			VPSRLD(Imm(scale), x[i], x[i])
			VPMULLD(freq, x[i], x[i])
			bias := YMM()
			VPSRLD(Imm(20), e, bias)
			VPADDD(bias, x[i], x[i])
			VPSLLD(Imm(24), e, e)
			VPSRLD(Imm(24), e, e)
			symbols[i] = e
			need, words, shifted, count := YMM(), YMM(), YMM(), GP32()
			VPSRLD(Imm(16), x[i], need)
			VPCMPEQD(zero, need, need)
			VMOVMSKPS(need, count)
			VPMOVZXWD(Mem{Base: f.src}, words)
			VPMOVZXBD(Mem{Base: lut, Index: count.As64(), Scale: 8}, at)
			VPERMD(words, at, words)
			VPSLLD(Imm(16), x[i], shifted)
			VPOR(words, shifted, shifted)
			VPBLENDVB(need, shifted, x[i], x[i])
			POPCNTL(count, count)
			LEAQ(Mem{Base: f.src, Index: count.As64(), Scale: 2}, f.src)
		}
		VPACKUSDW(symbols[1], symbols[0], symbols[0])
		VPACKUSDW(symbols[3], symbols[2], symbols[2])
		VPACKUSWB(symbols[2], symbols[0], symbols[0])
		perm := YMM()
		VMOVDQU(*order, perm)
		VPERMD(symbols[0], perm, symbols[0])
		VMOVDQU(symbols[0], Mem{Base: f.dst})
	})
	for i := range x {
		VMOVDQU(x[i], Mem{Base: f.states, Disp: 32 * i})
	}
	f.finish()
}

// transpose turns 8 rows of 32 bytes into 32 columns of 8, each a quadword at its place.
func transpose() {
	TEXT("transposeAVX2", NOSPLIT, "func(dst, src *byte, length, blocks int)")
	Pragma("noescape")
	Doc("transposeAVX2 writes byte lane of row t of src, rows of 32 bytes, to dst[lane*length + t], for blocks of eight rows.")
	dst, src, length, blocks := param("dst"), param("src"), param("length"), param("blocks")
	Label("loop")
	row := make([]VecVirtual, 8)
	for i := range row {
		row[i] = YMM()
		VMOVDQU(Mem{Base: src, Disp: 32 * i}, row[i])
	}
	// Interleaving the bytes of rows i and i+4 three times brings the eight bytes of a column together.
	interleave := func() {
		next := make([]VecVirtual, 8)
		for i := range 4 {
			a, b := row[i], row[i+4]
			lo, hi := YMM(), YMM()
			VPUNPCKLBW(b, a, lo)
			VPUNPCKHBW(b, a, hi)
			next[2*i], next[2*i+1] = lo, hi
		}
		row = next
	}
	for range 3 {
		interleave()
	}
	// Register i now has columns 2i and 2i+1 in its lower half and those plus 16 in its upper.
	to, upper := GP64(), GP64()
	MOVQ(dst, to)
	MOVQ(length, upper)
	SHLQ(Imm(4), upper)
	ADDQ(dst, upper)
	for i := range row {
		high := XMM()
		VMOVQ(row[i].AsX(), Mem{Base: to})
		VPEXTRQ(Imm(1), row[i].AsX(), Mem{Base: to, Index: length, Scale: 1})
		VEXTRACTI128(Imm(1), row[i], high)
		VMOVQ(high, Mem{Base: upper})
		VPEXTRQ(Imm(1), high, Mem{Base: upper, Index: length, Scale: 1})
		LEAQ(Mem{Base: to, Index: length, Scale: 2}, to)
		LEAQ(Mem{Base: upper, Index: length, Scale: 2}, upper)
	}
	ADDQ(Imm(8), dst)
	ADDQ(U32(256), src)
	DECQ(blocks)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
