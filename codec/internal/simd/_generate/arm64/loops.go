package main

func load(args ...string) {
	for i := 0; i < len(args); i += 2 {
		line("\tMOVD %s, %s", args[i], args[i+1])
	}
}

func halves() {
	text("f32ToF16NEON", "24")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+16(FP)", "R8")
	loop(8, func() {
		line("\tVLD1.P 32(R1), [V0.S4, V1.S4]")
		fcvtn(2, 0)
		fcvtn2(2, 1)
		line("\tVST1.P [V2.B16], 16(R0)")
	})

	text("f16ToF32NEON", "24")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+16(FP)", "R8")
	loop(8, func() {
		line("\tVLD1.P 16(R1), [V2.B16]")
		fcvtl(0, 2)
		fcvtl2(1, 2)
		line("\tVST1.P [V0.S4, V1.S4], 32(R0)")
	})

	text("f32ToBF16NEON", "24")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+16(FP)", "R8")
	constant(16, 0x7fff)
	constant(17, 1)
	constant(18, 0x7fffffff)
	constant(19, 0x7f800000)
	constant(20, 0x400000)
	loop(8, func() {
		line("\tVLD1.P 32(R1), [V0.S4, V1.S4]")
		for i := range 2 {
			and(4, i, 18)
			cmhi(4, 4, 19) // not a number
			orr(5, i, 20)  // made quiet
			ushr(6, i, 16)
			and(6, 6, 17)
			add(7, i, 16)
			add(7, 7, 6)
			bsl(4, 5, 7)
			if i == 0 {
				shrn(2, 4, 16)
			} else {
				shrn2(2, 4, 16)
			}
		}
		line("\tVST1.P [V2.B16], 16(R0)")
	})

	text("bf16ToF32NEON", "24")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+16(FP)", "R8")
	loop(8, func() {
		line("\tVLD1.P 16(R1), [V2.B16]")
		uxtlh(0, 2)
		uxtlh2(1, 2)
		shl(0, 0, 16)
		shl(1, 1, 16)
		line("\tVST1.P [V0.S4, V1.S4], 32(R0)")
	})
}

func ranges() {
	text("maxAbsNEON", "24")
	load("src+0(FP)", "R1", "n+8(FP)", "R8", "out+16(FP)", "R0")
	constant(16, 0x7fffffff)
	line("\tVEOR V4.B16, V4.B16, V4.B16")
	line("loop:")
	line("\tVLD1.P 32(R1), [V0.S4, V1.S4]")
	for i := range 2 {
		and(i, i, 16)
		umax(4, 4, i)
	}
	line("\tSUBS $8, R8, R8\n\tBNE loop\n\tVST1 [V4.S4], (R0)\n\tRET")

	text("rangeRowNEON", "32")
	load("lo+0(FP)", "R0", "hi+8(FP)", "R2", "src+16(FP)", "R1", "n+24(FP)", "R8")
	loop(8, func() {
		line("\tVLD1.P 32(R1), [V0.S4, V1.S4]\n\tVLD1 (R0), [V2.S4, V3.S4]\n\tVLD1 (R2), [V4.S4, V5.S4]")
		for i := range 2 {
			fmin(2+i, 2+i, i)
			fmax(4+i, 4+i, i)
		}
		line("\tVST1.P [V2.S4, V3.S4], 32(R0)\n\tVST1.P [V4.S4, V5.S4], 32(R2)")
	})

	text("rangeNEON", "40")
	load("src+0(FP)", "R1", "n+8(FP)", "R8", "lo+16(FP)", "R0", "hi+24(FP)", "R2", "abs+32(FP)", "R3")
	constant(16, 0x7fffffff)
	line("\tVLD1 (R1), [V4.S4]\n\tVLD1 (R1), [V5.S4]\n\tVEOR V6.B16, V6.B16, V6.B16")
	line("loop:")
	line("\tVLD1.P 32(R1), [V0.S4, V1.S4]")
	for i := range 2 {
		fmin(4, 4, i)
		fmax(5, 5, i)
		and(i, i, 16)
		umax(6, 6, i)
	}
	line("\tSUBS $8, R8, R8\n\tBNE loop\n\tVST1 [V4.S4], (R0)\n\tVST1 [V5.S4], (R2)\n\tVST1 [V6.S4], (R3)\n\tRET")
}

// narrow packs the 32-bit lanes of v0 to v3 to sixteen bytes in v4.
func narrow() {
	xtnh(4, 0)
	xtnh2(4, 1)
	xtnh(5, 2)
	xtnh2(5, 3)
	xtnb(4, 4)
	xtnb2(4, 5)
}

func quantizers() {
	text("quantizeNEON", "40")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+32(FP)", "R8")
	splat(16, "base+16(FP)")
	splat(17, "inv+20(FP)")
	splat(18, "top+24(FP)")
	constant(19, 0)
	loop(16, func() {
		line("\tVLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
		for i := range 4 {
			fsub(i, i, 16)
			fmul(i, i, 17)
			fmin(i, i, 18)
			fmax(i, i, 19)
			fcvtnu(i, i)
		}
		narrow()
		line("\tVST1.P [V4.B16], 16(R0)")
	})

	text("quantizeRowNEON", "48")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "base+16(FP)", "R2", "inv+24(FP)", "R3", "n+40(FP)", "R8")
	splat(18, "top+32(FP)")
	constant(19, 0)
	loop(16, func() {
		line("\tVLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
		line("\tVLD1.P 64(R2), [V20.S4, V21.S4, V22.S4, V23.S4]")
		line("\tVLD1.P 64(R3), [V24.S4, V25.S4, V26.S4, V27.S4]")
		for i := range 4 {
			fsub(i, i, 20+i)
			fmul(i, i, 24+i)
			fmin(i, i, 18)
			fmax(i, i, 19)
			fcvtnu(i, i)
		}
		narrow()
		line("\tVST1.P [V4.B16], 16(R0)")
	})

	widen := func() {
		line("\tVLD1.P 16(R1), [V4.B16]")
		uxtlb(5, 4)
		uxtlb2(6, 4)
		uxtlh(0, 5)
		uxtlh2(1, 5)
		uxtlh(2, 6)
		uxtlh2(3, 6)
	}
	text("dequantizeNEON", "32")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+24(FP)", "R8")
	splat(16, "base+16(FP)")
	splat(17, "step+20(FP)")
	loop(16, func() {
		widen()
		for i := range 4 {
			ucvtf(i, i)
			fmul(i, i, 17)
			fadd(i, i, 16)
		}
		line("\tVST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)")
	})

	text("dequantizeRowNEON", "40")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "base+16(FP)", "R2", "step+24(FP)", "R3", "n+32(FP)", "R8")
	loop(16, func() {
		widen()
		line("\tVLD1.P 64(R2), [V20.S4, V21.S4, V22.S4, V23.S4]")
		line("\tVLD1.P 64(R3), [V24.S4, V25.S4, V26.S4, V27.S4]")
		for i := range 4 {
			ucvtf(i, i)
			fmul(i, i, 24+i)
			fadd(i, i, 20+i)
		}
		line("\tVST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)")
	})

	text("foldNEON", "32")
	load("dst+0(FP)", "R0", "src+8(FP)", "R1", "n+24(FP)", "R8")
	splat(16, "inv+16(FP)")
	splat(17, "round+20(FP)")
	constant(18, 0x42fe0000) // 127
	constant(19, 0)
	loop(16, func() {
		line("\tVLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
		for i := range 4 {
			sshr(5, i, 31)
			fabs(i, i)
			fmul(i, i, 16)
			fadd(i, i, 17)
			fmin(i, i, 18)
			fcvtzs(i, i)
			add(i, i, i)
			add(i, i, 5)
			smax(i, i, 19)
		}
		narrow()
		line("\tVST1.P [V4.B16], 16(R0)")
	})
}

func planes() {
	for _, rotate := range []bool{false, true} {
		name := "split4NEON"
		if rotate {
			name = "split4RotateNEON"
		}
		text(name, "48")
		load("p0+0(FP)", "R0", "p1+8(FP)", "R2", "p2+16(FP)", "R3", "p3+24(FP)", "R4", "src+32(FP)", "R1", "n+40(FP)", "R8")
		loop(16, func() {
			line("\tVLD4.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]")
			at := 0
			if rotate {
				at = 4
				for p := range 4 {
					ushrb(4+p, (p+3)%4, 7)
					slib(4+p, p, 1)
				}
			}
			for p, r := range []string{"R0", "R2", "R3", "R4"} {
				line("\tVST1.P [V%d.B16], 16(%s)", at+p, r)
			}
		})
	}
	for _, rotate := range []bool{false, true} {
		name := "merge4NEON"
		if rotate {
			name = "merge4RotateNEON"
		}
		text(name, "48")
		load("dst+0(FP)", "R1", "p0+8(FP)", "R0", "p1+16(FP)", "R2", "p2+24(FP)", "R3", "p3+32(FP)", "R4", "n+40(FP)", "R8")
		loop(16, func() {
			for p, r := range []string{"R0", "R2", "R3", "R4"} {
				line("\tVLD1.P 16(%s), [V%d.B16]", r, p)
			}
			if !rotate {
				line("\tVST4.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R1)")
				return
			}
			for p := range 4 {
				ushrb(4+p, p, 1)
				slib(4+p, (p+1)%4, 7)
			}
			line("\tVST4.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(R1)")
		})
	}
}
