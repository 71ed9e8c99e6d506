package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func splits() {
	group := GLOBL("planeBytes", RODATA|NOPTR)
	for lane := range 2 {
		for p := range 4 {
			for i := range 4 {
				DATA(16*lane+4*p+i, U8(uint8(4*i+p)))
			}
		}
	}
	for _, rotate := range []bool{false, true} {
		name := "split4AVX2"
		if rotate {
			name = "split4RotateAVX2"
		}
		TEXT(name, NOSPLIT, "func(p0, p1, p2, p3, src *byte, n int)")
		Pragma("noescape")
		Doc(name + " is Split of width 4 for n elements, a multiple of 32, to four planes.")
		planes := [4]GPVirtual{param("p0"), param("p1"), param("p2"), param("p3")}
		src, n := param("src"), param("n")
		shuffle, perm := YMM(), YMM()
		VMOVDQU(group, shuffle)
		VMOVDQU(lanes, perm)
		advance := map[Register]int{src: 128}
		for _, p := range planes {
			advance[p] = 32
		}
		loop(32, advance, n, func() {
			var v [4]VecVirtual
			for i := range v {
				v[i] = YMM()
				VMOVDQU(Mem{Base: src, Disp: 32 * i}, v[i])
				if rotate {
					top := YMM()
					VPSRLD(Imm(31), v[i], top)
					VPADDD(v[i], v[i], v[i])
					VPOR(top, v[i], v[i])
				}
				VPSHUFB(shuffle, v[i], v[i])
				VPERMD(v[i], perm, v[i])
			}
			var even, odd [2]VecVirtual
			for i := range even {
				even[i], odd[i] = YMM(), YMM()
				VPUNPCKLQDQ(v[2*i+1], v[2*i], even[i])
				VPUNPCKHQDQ(v[2*i+1], v[2*i], odd[i])
			}
			for p, pair := range [4][2]VecVirtual{even, odd, even, odd} {
				out := YMM()
				VPERM2I128(Imm(uint64([]int{0x20, 0x20, 0x31, 0x31}[p])), pair[1], pair[0], out)
				VMOVDQU(out, Mem{Base: planes[p]})
			}
		})
		VZEROUPPER()
		RET()
	}
	for _, rotate := range []bool{false, true} {
		name := "merge4AVX2"
		if rotate {
			name = "merge4RotateAVX2"
		}
		TEXT(name, NOSPLIT, "func(dst, p0, p1, p2, p3 *byte, n int)")
		Pragma("noescape")
		Doc(name + " is Merge of width 4 for n elements, a multiple of 32, from four planes.")
		dst := param("dst")
		planes := [4]GPVirtual{param("p0"), param("p1"), param("p2"), param("p3")}
		n := param("n")
		advance := map[Register]int{dst: 128}
		for _, p := range planes {
			advance[p] = 32
		}
		loop(32, advance, n, func() {
			var p [4]VecVirtual
			for i := range p {
				p[i] = YMM()
				VMOVDQU(Mem{Base: planes[i]}, p[i])
			}
			var lo, hi [2]VecVirtual // 16-bit pairs of planes 0 and 1, 2 and 3
			for i := range lo {
				lo[i], hi[i] = YMM(), YMM()
				VPUNPCKLBW(p[2*i+1], p[2*i], lo[i])
				VPUNPCKHBW(p[2*i+1], p[2*i], hi[i])
			}
			var q [4]VecVirtual // elements 0-3|16-19, 4-7|20-23, 8-11|24-27, 12-15|28-31
			for i := range q {
				q[i] = YMM()
			}
			VPUNPCKLWD(lo[1], lo[0], q[0])
			VPUNPCKHWD(lo[1], lo[0], q[1])
			VPUNPCKLWD(hi[1], hi[0], q[2])
			VPUNPCKHWD(hi[1], hi[0], q[3])
			for i := range 4 {
				out := YMM()
				a, b := q[i%2*2], q[i%2*2+1]
				VPERM2I128(Imm(uint64([]int{0x20, 0x20, 0x31, 0x31}[i])), b, a, out)
				if rotate {
					bottom := YMM()
					VPSLLD(Imm(31), out, bottom)
					VPSRLD(Imm(1), out, out)
					VPOR(bottom, out, out)
				}
				VMOVDQU(out, Mem{Base: dst, Disp: 32 * i})
			}
		})
		VZEROUPPER()
		RET()
	}
}

func compactions() {
	TEXT("compact4AVX512", NOSPLIT, "func(mask, dst, src *byte, n int) int")
	Pragma("noescape")
	Doc("compact4AVX512 is Compact of width 4 for n elements, a multiple of 16.")
	mask, dst, src, n := param("mask"), param("dst"), param("src"), param("n")
	start := GP64()
	MOVQ(dst, start)
	loop(16, map[Register]int{mask: 2, src: 64}, n, func() {
		v, k, count := ZMM(), K(), GP32()
		VMOVDQU32(Mem{Base: src}, v)
		VPTESTMD(v, v, k)
		VPCOMPRESSD_Z(v, k, v)
		VMOVDQU32(v, Mem{Base: dst})
		KMOVW(k, count)
		MOVW(count.As16(), Mem{Base: mask})
		POPCNTL(count, count)
		LEAQ(Mem{Base: dst, Index: count.As64(), Scale: 4}, dst)
	})
	VZEROUPPER()
	SUBQ(start, dst)
	SHRQ(Imm(2), dst)
	Store(dst, ReturnIndex(0))
	RET()

	TEXT("spread4AVX512", NOSPLIT, "func(dst, mask, src *byte, n int) int")
	Pragma("noescape")
	Doc("spread4AVX512 is Spread of width 4 for n elements, a multiple of 16; it returns the elements of src used.")
	dst, mask, src, n = param("dst"), param("mask"), param("src"), param("n")
	start = GP64()
	MOVQ(src, start)
	loop(16, map[Register]int{mask: 2, dst: 64}, n, func() {
		v, k, count := ZMM(), K(), GP32()
		MOVWLZX(Mem{Base: mask}, count)
		KMOVW(count, k)
		VMOVDQU32(Mem{Base: src}, v)
		VPEXPANDD_Z(v, k, v)
		VMOVDQU32(v, Mem{Base: dst})
		POPCNTL(count, count)
		LEAQ(Mem{Base: src, Index: count.As64(), Scale: 4}, src)
	})
	VZEROUPPER()
	SUBQ(start, src)
	SHRQ(Imm(2), src)
	Store(src, ReturnIndex(0))
	RET()

	order := GLOBL("compactOrder", RODATA|NOPTR)
	for m := range 256 {
		at, row := 0, uint64(0)
		for i := range 8 {
			if m>>i&1 == 1 {
				row |= uint64(i) << (8 * at)
				at++
			}
		}
		DATA(8*m, U64(row))
	}
	TEXT("compact4AVX2", NOSPLIT, "func(mask, dst, src *byte, n int) int")
	Pragma("noescape")
	Doc("compact4AVX2 is Compact of width 4 for n elements, a multiple of 8.")
	mask, dst, src, n = param("mask"), param("dst"), param("src"), param("n")
	start, table := GP64(), GP64()
	MOVQ(dst, start)
	LEAQ(order, table)
	zero := YMM()
	VPXOR(zero, zero, zero)
	loop(8, map[Register]int{mask: 1, src: 32}, n, func() {
		v, z, bits := YMM(), YMM(), GP32()
		VMOVDQU(Mem{Base: src}, v)
		VPCMPEQD(v, zero, z)
		VMOVMSKPS(z, bits)
		XORL(Imm(0xff), bits)
		MOVB(bits.As8(), Mem{Base: mask})
		VPMOVZXBD(Mem{Base: table, Index: bits.As64(), Scale: 8}, z)
		VPERMD(v, z, v)
		VMOVDQU(v, Mem{Base: dst})
		POPCNTL(bits, bits)
		LEAQ(Mem{Base: dst, Index: bits.As64(), Scale: 4}, dst)
	})
	VZEROUPPER()
	SUBQ(start, dst)
	SHRQ(Imm(2), dst)
	Store(dst, ReturnIndex(0))
	RET()

	rank := GLOBL("spreadOrder", RODATA|NOPTR)
	for m := range 256 {
		at, row := 0, uint64(0)
		for i := range 8 {
			if m>>i&1 == 1 {
				row |= uint64(at) << (8 * i)
				at++
			} else {
				row |= 0x80 << (8 * i) // a sign bit after widening, which the blend takes for zero
			}
		}
		DATA(8*m, U64(row))
	}
	TEXT("spread4AVX2", NOSPLIT, "func(dst, mask, src *byte, n int) int")
	Pragma("noescape")
	Doc("spread4AVX2 is Spread of width 4 for n elements, a multiple of 8; it returns the elements of src used.")
	dst, mask, src, n = param("dst"), param("mask"), param("src"), param("n")
	start, table = GP64(), GP64()
	MOVQ(src, start)
	LEAQ(rank, table)
	zero = YMM()
	VPXOR(zero, zero, zero)
	loop(8, map[Register]int{mask: 1, dst: 32}, n, func() {
		v, at, bits := YMM(), YMM(), GP32()
		MOVBLZX(Mem{Base: mask}, bits)
		VPMOVSXBD(Mem{Base: table, Index: bits.As64(), Scale: 8}, at)
		VMOVDQU(Mem{Base: src}, v)
		VPERMD(v, at, v)
		VBLENDVPS(at, zero, v, v)
		VMOVDQU(v, Mem{Base: dst})
		POPCNTL(bits, bits)
		LEAQ(Mem{Base: src, Index: bits.As64(), Scale: 4}, src)
	})
	VZEROUPPER()
	SUBQ(start, src)
	SHRQ(Imm(2), src)
	Store(src, ReturnIndex(0))
	RET()
}
