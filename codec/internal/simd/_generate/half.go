package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func halves() {
	TEXT("f32ToF16AVX2", NOSPLIT, "func(dst *byte, src *float32, n int)")
	Pragma("noescape")
	Doc("f32ToF16AVX2 is F32ToF16 for n elements, a multiple of 16.")
	dst, src, n := param("dst"), param("src"), param("n")
	loop(16, map[Register]int{dst: 32, src: 64}, n, func() {
		for i := range 2 {
			v := YMM()
			VMOVUPS(Mem{Base: src, Disp: 32 * i}, v)
			VCVTPS2PH(Imm(0), v, Mem{Base: dst, Disp: 16 * i})
		}
	})
	VZEROUPPER()
	RET()

	TEXT("f16ToF32AVX2", NOSPLIT, "func(dst *float32, src *byte, n int)")
	Pragma("noescape")
	Doc("f16ToF32AVX2 is F16ToF32 for n elements, a multiple of 16.")
	dst, src, n = param("dst"), param("src"), param("n")
	loop(16, map[Register]int{dst: 64, src: 32}, n, func() {
		for i := range 2 {
			v := YMM()
			VCVTPH2PS(Mem{Base: src, Disp: 16 * i}, v)
			VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
		}
	})
	VZEROUPPER()
	RET()

	TEXT("f32ToBF16AVX2", NOSPLIT, "func(dst *byte, src *float32, n int)")
	Pragma("noescape")
	Doc("f32ToBF16AVX2 is F32ToBF16 for n elements, a multiple of 16.")
	dst, src, n = param("dst"), param("src"), param("n")
	bias, one, abs := broadcast(0x7fff), broadcast(1), broadcast(0x7fffffff)
	inf, quiet := broadcast(0x7f800000), broadcast(0x40)
	loop(16, map[Register]int{dst: 32, src: 64}, n, func() {
		var half [2]VecVirtual
		for i := range 2 {
			v, odd, nan, q := YMM(), YMM(), YMM(), YMM()
			VMOVDQU(Mem{Base: src, Disp: 32 * i}, v)
			VPAND(abs, v, nan)
			VPCMPGTD(inf, nan, nan)
			VPSRLD(Imm(16), v, q)
			VPAND(one, q, odd)
			VPOR(quiet, q, q)
			VPADDD(bias, v, v)
			VPADDD(odd, v, v)
			VPSRLD(Imm(16), v, v)
			VPBLENDVB(nan, q, v, v)
			half[i] = v
		}
		VPACKUSDW(half[1], half[0], half[0])
		VPERMQ(Imm(0xd8), half[0], half[0])
		VMOVDQU(half[0], Mem{Base: dst})
	})
	VZEROUPPER()
	RET()

	TEXT("bf16ToF32AVX2", NOSPLIT, "func(dst *float32, src *byte, n int)")
	Pragma("noescape")
	Doc("bf16ToF32AVX2 is BF16ToF32 for n elements, a multiple of 16.")
	dst, src, n = param("dst"), param("src"), param("n")
	loop(16, map[Register]int{dst: 64, src: 32}, n, func() {
		for i := range 2 {
			v := YMM()
			VPMOVZXWD(Mem{Base: src, Disp: 16 * i}, v)
			VPSLLD(Imm(16), v, v)
			VMOVDQU(v, Mem{Base: dst, Disp: 32 * i})
		}
	})
	VZEROUPPER()
	RET()
}

func ranges() {
	TEXT("maxAbsAVX2", NOSPLIT, "func(src *float32, n int, out *[8]uint32)")
	Pragma("noescape")
	Doc("maxAbsAVX2 stores eight partial results of MaxAbs for n elements, a multiple of 32.")
	src, n, out := param("src"), param("n"), param("out")
	abs := broadcast(0x7fffffff)
	var acc [4]VecVirtual
	for i := range acc {
		acc[i] = YMM()
		VPXOR(acc[i], acc[i], acc[i])
	}
	loop(32, map[Register]int{src: 128}, n, func() {
		for i := range acc {
			v := YMM()
			VPAND(Mem{Base: src, Disp: 32 * i}, abs, v)
			VPMAXUD(v, acc[i], acc[i])
		}
	})
	VPMAXUD(acc[1], acc[0], acc[0])
	VPMAXUD(acc[3], acc[2], acc[2])
	VPMAXUD(acc[2], acc[0], acc[0])
	VMOVDQU(acc[0], Mem{Base: out})
	VZEROUPPER()
	RET()

	TEXT("rangeAVX2", NOSPLIT, "func(src *float32, n int, lo, hi *[8]float32, abs *[8]uint32)")
	Pragma("noescape")
	Doc("rangeAVX2 stores eight partial minima, maxima and MaxAbs of n elements, a multiple of 16 and not 0.")
	src, n = param("src"), param("n")
	abs = broadcast(0x7fffffff)
	var lo, hi, mag [2]VecVirtual
	for i := range lo {
		lo[i], hi[i], mag[i] = YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: src}, lo[i])
		VMOVUPS(Mem{Base: src}, hi[i])
		VPXOR(mag[i], mag[i], mag[i])
	}
	loop(16, map[Register]int{src: 64}, n, func() {
		for i := range lo {
			v, a := YMM(), YMM()
			VMOVUPS(Mem{Base: src, Disp: 32 * i}, v)
			VMINPS(v, lo[i], lo[i])
			VMAXPS(v, hi[i], hi[i])
			VPAND(v, abs, a)
			VPMAXUD(a, mag[i], mag[i])
		}
	})
	VMINPS(lo[1], lo[0], lo[0])
	VMAXPS(hi[1], hi[0], hi[0])
	VPMAXUD(mag[1], mag[0], mag[0])
	a, b, c := param("lo"), param("hi"), param("abs")
	VMOVUPS(lo[0], Mem{Base: a})
	VMOVUPS(hi[0], Mem{Base: b})
	VMOVDQU(mag[0], Mem{Base: c})
	VZEROUPPER()
	RET()
}
