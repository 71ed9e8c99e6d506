package main

import "fmt"

// compactions moves elements that are not zero together and back, four at a time, by table lookups that a set of lanes chooses.
func compactions() {
	var compact, expand, sizes [256]byte
	for set := range 16 {
		kept := 0
		for i := range 16 {
			compact[16*set+i], expand[16*set+i] = 0xff, 0xff
		}
		for lane := range 4 {
			if set>>lane&1 == 0 {
				continue
			}
			for i := range 4 {
				compact[16*set+4*kept+i] = byte(4*lane + i)
				expand[16*set+4*lane+i] = byte(4*kept + i)
			}
			kept++
		}
		sizes[set] = byte(4 * kept)
	}
	line("")
	table("compactLanes", compact[:])
	table("expandLanes", expand[:])
	table("laneBytes", sizes[:16])
	table("laneBits", []byte{1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0})

	text("compact4NEON", "40")
	load("mask+0(FP)", "R2", "dst+8(FP)", "R0", "src+16(FP)", "R1", "n+24(FP)", "R8")
	line("\tMOVD R0, R7\n\tMOVD $compactLanes<>(SB), R3\n\tMOVD $laneBytes<>(SB), R4\n\tMOVD $laneBits<>(SB), R5")
	line("\tVLD1 (R5), [V16.B16]\n\tVEOR V17.B16, V17.B16, V17.B16")
	line("loop:\n\tVLD1.P 32(R1), [V0.S4, V1.S4]")
	for i := range 2 {
		line("\tVCMEQ V17.S4, V%d.S4, V2.S4\n\tVAND V16.B16, V2.B16, V2.B16\n\tVADDV V2.S4, V2\n\tVMOV V2.S[0], R%d", i, 10+i)
		line("\tEOR $15, R%d, R%d\n\tADD R%d<<4, R3, R12\n\tVLD1 (R12), [V3.B16]", 10+i, 10+i, 10+i)
		line("\tVTBL V3.B16, [V%d.B16], V3.B16\n\tVST1 [V3.B16], (R0)\n\tMOVBU (R4)(R%d), R12\n\tADD R12, R0, R0", i, 10+i)
	}
	line("\tORR R11<<4, R10, R10\n\tMOVB.P R10, 1(R2)")
	line("\tSUBS $8, R8, R8\n\tBNE loop\n\tSUB R7, R0, R0\n\tLSR $2, R0, R0\n\tMOVD R0, ret+32(FP)\n\tRET")

	text("spread4NEON", "40")
	load("dst+0(FP)", "R0", "mask+8(FP)", "R2", "src+16(FP)", "R1", "n+24(FP)", "R8")
	line("\tMOVD R1, R7\n\tMOVD $expandLanes<>(SB), R3\n\tMOVD $laneBytes<>(SB), R4")
	line("loop:\n\tMOVBU.P 1(R2), R11\n\tAND $15, R11, R10\n\tLSR $4, R11, R11")
	for i := range 2 {
		line("\tVLD1 (R1), [V0.B16]\n\tADD R%d<<4, R3, R12\n\tVLD1 (R12), [V3.B16]\n\tVTBL V3.B16, [V0.B16], V3.B16", 10+i)
		line("\tVST1.P [V3.B16], 16(R0)\n\tMOVBU (R4)(R%d), R12\n\tADD R12, R1, R1", 10+i)
	}
	line("\tSUBS $8, R8, R8\n\tBNE loop\n\tSUB R7, R1, R1\n\tLSR $2, R1, R1\n\tMOVD R1, ret+32(FP)\n\tRET")
}

// table writes read-only bytes, a multiple of eight.
func table(name string, b []byte) {
	for i := 0; i < len(b); i += 8 {
		v := ""
		for j := 7; j >= 0; j-- {
			v += fmt.Sprintf("%02x", b[i+j])
		}
		line("DATA %s<>+%d(SB)/8, $0x%s", name, i, v)
	}
	line("GLOBL %s<>(SB), RODATA|NOPTR, $%d", name, len(b))
}
