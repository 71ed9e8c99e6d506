package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// lanes orders the dwords that two levels of 128-bit packing have interleaved.
var lanes Mem

func quantizers() {
	lanes = GLOBL("packOrder", RODATA|NOPTR)
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(v))
	}
	rangeRow()
	quantizer("quantizeAVX2", false)
	quantizer("quantizeRowAVX2", true)
	dequantizer("dequantizeAVX2", false)
	dequantizer("dequantizeRowAVX2", true)
}

func rangeRow() {
	TEXT("rangeRowAVX2", NOSPLIT, "func(lo, hi, src *float32, n int)")
	Pragma("noescape")
	Doc("rangeRowAVX2 is RangeRow for n elements, a multiple of 16.")
	lo, hi, src, n := param("lo"), param("hi"), param("src"), param("n")
	loop(16, map[Register]int{lo: 64, hi: 64, src: 64}, n, func() {
		for i := range 2 {
			x, low := YMM(), YMM()
			VMOVUPS(Mem{Base: src, Disp: 32 * i}, x)
			VMINPS(Mem{Base: lo, Disp: 32 * i}, x, low)
			VMAXPS(Mem{Base: hi, Disp: 32 * i}, x, x)
			VMOVUPS(low, Mem{Base: lo, Disp: 32 * i})
			VMOVUPS(x, Mem{Base: hi, Disp: 32 * i})
		}
	})
	VZEROUPPER()
	RET()
}

func quantizer(name string, row bool) {
	if row {
		TEXT(name, NOSPLIT, "func(dst *byte, src, base, inv *float32, top float32, n int)")
		Pragma("noescape")
		Doc(name + " is QuantizeRow for n elements, a multiple of 32.")
	} else {
		TEXT(name, NOSPLIT, "func(dst *byte, src *float32, base, inv, top float32, n int)")
		Pragma("noescape")
		Doc(name + " is Quantize for n elements, a multiple of 32.")
	}
	dst, src, n := param("dst"), param("src"), param("n")
	advance := map[Register]int{dst: 32, src: 128}
	var baseAt, invAt GPVirtual
	var base, inv VecVirtual
	if row {
		baseAt, invAt = param("base"), param("inv")
		advance[baseAt], advance[invAt] = 128, 128
	} else {
		base, inv = broadcastParam("base"), broadcastParam("inv")
	}
	top := broadcastParam("top")
	zero, perm := YMM(), YMM()
	VPXOR(zero, zero, zero)
	VMOVDQU(lanes, perm)
	loop(32, advance, n, func() {
		var v [4]VecVirtual
		for i := range v {
			v[i] = YMM()
			VMOVUPS(Mem{Base: src, Disp: 32 * i}, v[i])
			if row {
				VSUBPS(Mem{Base: baseAt, Disp: 32 * i}, v[i], v[i])
				VMULPS(Mem{Base: invAt, Disp: 32 * i}, v[i], v[i])
			} else {
				VSUBPS(base, v[i], v[i])
				VMULPS(inv, v[i], v[i])
			}
			VMINPS(top, v[i], v[i])
			VMAXPS(zero, v[i], v[i])
			VCVTPS2DQ(v[i], v[i])
		}
		VPACKUSDW(v[1], v[0], v[0])
		VPACKUSDW(v[3], v[2], v[2])
		VPACKUSWB(v[2], v[0], v[0])
		VPERMD(v[0], perm, v[0])
		VMOVDQU(v[0], Mem{Base: dst})
	})
	VZEROUPPER()
	RET()
}

func dequantizer(name string, row bool) {
	if row {
		TEXT(name, NOSPLIT, "func(dst *float32, src *byte, base, step *float32, n int)")
		Pragma("noescape")
		Doc(name + " is DequantizeRow for n elements, a multiple of 32.")
	} else {
		TEXT(name, NOSPLIT, "func(dst *float32, src *byte, base, step float32, n int)")
		Pragma("noescape")
		Doc(name + " is Dequantize for n elements, a multiple of 32.")
	}
	dst, src, n := param("dst"), param("src"), param("n")
	advance := map[Register]int{dst: 128, src: 32}
	var baseAt, stepAt GPVirtual
	var base, step VecVirtual
	if row {
		baseAt, stepAt = param("base"), param("step")
		advance[baseAt], advance[stepAt] = 128, 128
	} else {
		base, step = broadcastParam("base"), broadcastParam("step")
	}
	loop(32, advance, n, func() {
		for i := range 4 {
			v := YMM()
			VPMOVZXBD(Mem{Base: src, Disp: 8 * i}, v)
			VCVTDQ2PS(v, v)
			if row {
				VMULPS(Mem{Base: stepAt, Disp: 32 * i}, v, v)
				VADDPS(Mem{Base: baseAt, Disp: 32 * i}, v, v)
			} else {
				VMULPS(step, v, v)
				VADDPS(base, v, v)
			}
			VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
		}
	})
	VZEROUPPER()
	RET()
}

func folder() {
	TEXT("foldAVX2", NOSPLIT, "func(dst *byte, src *float32, inv, round float32, n int)")
	Pragma("noescape")
	Doc("foldAVX2 is Fold for n elements, a multiple of 32.")
	dst, src, n := param("dst"), param("src"), param("n")
	inv, round := broadcastParam("inv"), broadcastParam("round")
	abs, top := broadcast(0x7fffffff), broadcast(0x42fe0000) // 127
	zero, perm := YMM(), YMM()
	VPXOR(zero, zero, zero)
	VMOVDQU(lanes, perm)
	loop(32, map[Register]int{dst: 32, src: 128}, n, func() {
		var v [4]VecVirtual
		for i := range v {
			v[i] = YMM()
			sign := YMM()
			VMOVUPS(Mem{Base: src, Disp: 32 * i}, sign)
			VANDPS(abs, sign, v[i])
			VPSRAD(Imm(31), sign, sign)
			VMULPS(inv, v[i], v[i])
			VADDPS(round, v[i], v[i])
			VMINPS(top, v[i], v[i])
			VCVTTPS2DQ(v[i], v[i])
			VPADDD(v[i], v[i], v[i])
			VPADDD(sign, v[i], v[i])
			VPMAXSD(zero, v[i], v[i])
		}
		VPACKUSDW(v[1], v[0], v[0])
		VPACKUSDW(v[3], v[2], v[2])
		VPACKUSWB(v[2], v[0], v[0])
		VPERMD(v[0], perm, v[0])
		VMOVDQU(v[0], Mem{Base: dst})
	})
	VZEROUPPER()
	RET()
}
