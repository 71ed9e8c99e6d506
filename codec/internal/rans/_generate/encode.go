package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sequence is a table of sixteen dwords: first, first+step, ...
func sequence(name string, first, step uint32) Mem {
	t := GLOBL(name, RODATA|NOPTR)
	for i := range uint32(16) {
		DATA(int(4*i), U32(first+i*step))
	}
	return t
}

// encodeAVX512 codes rounds of 32 lanes backwards. An entry of the table is inverse u32 | frequency u16 | start u16, where
// inverse is 2^32 over the frequency, rounded down: the quotient that it gives is right or one too small.
func encodeAVX512(name string, context bool) {
	tables()
	f := frame{}
	if context {
		TEXT(name, NOSPLIT, "func(enc *uint64, states *uint32, src, buf *byte, at, rounds int, near, far *byte, nearStep, farStep int) int")
		Doc(name+" codes rounds rows of 32 symbols, the last of which is at src, under contexts: the neighbours' rows are at near",
			"and far, which advance by their steps after each row. Words go down from buf[at:]; it returns where they begin.",
			"The 32 bytes below that are overwritten.")
	} else {
		TEXT(name, NOSPLIT, "func(enc *uint64, states *uint32, src, buf *byte, at, rounds int) int")
		Doc(name+" codes rounds times 32 symbols, the last of which are at src. Words go down from buf[at:]; it returns where they",
			"begin. The 32 bytes below that are overwritten.")
	}
	Pragma("noescape")
	enc, states, src := param("enc"), param("states"), param("src")
	buf, at, rounds := param("buf"), param("at"), param("rounds")
	ADDQ(buf, at)
	scale := uint64(12)
	var zero, four VecVirtual
	if context {
		scale = 11
		f.near, f.far = param("near"), param("far")
		f.nearStep, f.farStep = param("nearStep"), param("farStep")
		zero, four = YMM(), YMM()
		VPXOR(zero, zero, zero)
		constant(0x04040404, four)
	}
	even, odd, iota := ZMM(), ZMM(), ZMM()
	VMOVDQU32(evens, even)
	VMOVDQU32(odds, odd)
	VMOVDQU32(lanes, iota)
	low, total := constant(0xffff, ZMM()), constant(1<<scale, ZMM())
	upper, half := K(), GP32()
	MOVL(U32(0xaaaa), half)
	KMOVW(half, upper)
	var x [2]VecVirtual
	for i := range x {
		x[i] = ZMM()
		VMOVDQU32(Mem{Base: states, Disp: 64 * i}, x[i])
	}
	Label("loop")
	var ctx VecVirtual
	if context {
		ctx = f.contexts(zero, four, *classes)
	}
	for i := 1; i >= 0; i-- {
		index, second := ZMM(), YMM()
		VPMOVZXBD(Mem{Base: src, Disp: 16 * i}, index)
		if context {
			base := ZMM()
			if i == 1 {
				top := XMM()
				VEXTRACTI128(Imm(1), ctx, top)
				VPMOVZXBD(top, base)
			} else {
				VPMOVZXBD(ctx.AsX(), base)
			}
			VPSLLD(Imm(5), base, base)
			VPORD(base, index, index)
		}
		VEXTRACTI64X4(Imm(1), index, second)
		a, b, all := ZMM(), ZMM(), K()
		KXNORW(all, all, all)
		VPXORD(a, a, a)
		VPGATHERDQ(Mem{Base: enc, Index: index.AsY(), Scale: 8}, all, a)
		all = K()
		KXNORW(all, all, all)
		VPXORD(b, b, b)
		VPGATHERDQ(Mem{Base: enc, Index: second, Scale: 8}, all, b)
		inverse, freq := ZMM(), ZMM()
		VMOVDQA32(a, inverse)
		VPERMT2D(b, even, inverse)
		VPERMT2D(b, odd, a)
		VPANDD(low, a, freq)
		VPSRLD(Imm(16), a, a) // start
		// States that would grow too large give off a word: those words end where the later ones begin.
		words, over, count, place := ZMM(), K(), GP32(), ZMM()
		VPSRLD(Imm(32-scale), x[i], words)
		VPCMPUD(Imm(5), freq, words, over)
		VPCOMPRESSD_Z(x[i], over, words)
		KMOVW(over, count)
		POPCNTL(count, count)
		VPBROADCASTD(count, place)
		VPADDD(iota, place, place)
		VPERMD(words, place, words)
		VPMOVDW(words, Mem{Base: at, Disp: -32})
		ADDL(count, count)
		SUBQ(count.As64(), at)
		VPSRLD(Imm(16), x[i], over, x[i])
		// The quotient by the frequency, and the remainder.
		q, high, rest, more := ZMM(), ZMM(), ZMM(), K()
		VPMULUDQ(inverse, x[i], q)
		VPSRLQ(Imm(32), q, q)
		VPSRLQ(Imm(32), inverse, inverse)
		VPSRLQ(Imm(32), x[i], high)
		VPMULUDQ(inverse, high, high)
		VMOVDQA32(high, upper, q)
		VPMULLD(freq, q, rest)
		VPSUBD(rest, x[i], rest)
		VPCMPUD(Imm(5), freq, rest, more)
		VPSUBD(freq, rest, more, rest)
		VPSLLD(Imm(scale), q, q)
		VPADDD(total, q, more, q)
		VPADDD(rest, q, q)
		VPADDD(a, q, x[i])
	}
	SUBQ(Imm(32), src)
	DECQ(rounds)
	JNE(LabelRef("loop"))
	for i := range x {
		VMOVDQU32(x[i], Mem{Base: states, Disp: 64 * i})
	}
	VZEROUPPER()
	start := param("buf")
	SUBQ(start, at)
	Store(at, ReturnIndex(0))
	RET()
}

// rows is the inverse of transpose: 32 columns of 8 become 8 rows of 32 bytes.
func rows() {
	TEXT("rowsAVX2", NOSPLIT, "func(dst, src *byte, length, blocks int)")
	Pragma("noescape")
	Doc("rowsAVX2 writes src[lane*length + t] to byte lane of row t of dst, rows of 32 bytes, for blocks of eight rows.")
	dst, src, length, blocks := param("dst"), param("src"), param("length"), param("blocks")
	Label("loop")
	from := GP64()
	MOVQ(src, from)
	for half := range 2 {
		// Interleaving neighbouring lanes by bytes, words, dwords and quadwords brings the lanes of a row together.
		r := make([]VecVirtual, 8)
		for i := range r {
			a, b := XMM(), XMM()
			VMOVQ(Mem{Base: from}, a)
			VMOVQ(Mem{Base: from, Index: length, Scale: 1}, b)
			LEAQ(Mem{Base: from, Index: length, Scale: 2}, from)
			r[i] = XMM()
			VPUNPCKLBW(b, a, r[i])
		}
		pair := func(low, high func(ops ...Op), distance int) {
			next := make([]VecVirtual, 8)
			for i, to := 0, 0; i < 8; i++ {
				if i&distance != 0 {
					continue
				}
				next[to], next[to+1] = XMM(), XMM()
				low(r[i+distance], r[i], next[to])
				high(r[i+distance], r[i], next[to+1])
				to += 2
			}
			r = next
		}
		words := func(ops ...Op) { VPUNPCKLWD(ops[0], ops[1], ops[2]) }
		wordsHigh := func(ops ...Op) { VPUNPCKHWD(ops[0], ops[1], ops[2]) }
		dwords := func(ops ...Op) { VPUNPCKLDQ(ops[0], ops[1], ops[2]) }
		dwordsHigh := func(ops ...Op) { VPUNPCKHDQ(ops[0], ops[1], ops[2]) }
		quads := func(ops ...Op) { VPUNPCKLQDQ(ops[0], ops[1], ops[2]) }
		quadsHigh := func(ops ...Op) { VPUNPCKHQDQ(ops[0], ops[1], ops[2]) }
		pair(words, wordsHigh, 1)   // four lanes: 2k has rows 0 to 3, 2k+1 rows 4 to 7
		pair(dwords, dwordsHigh, 2) // eight lanes: rows 0 1, 2 3, 4 5, 6 7
		pair(quads, quadsHigh, 4)
		for t := range r {
			VMOVDQU(r[t], Mem{Base: dst, Disp: 32*t + 16*half})
		}
	}
	ADDQ(Imm(8), src)
	ADDQ(U32(256), dst)
	DECQ(blocks)
	JNE(LabelRef("loop"))
	RET()
}
