//go:build !noasm

#include "textflag.h"
#include "neon_arm64.h"

// ZERO clears the sixteen sums in V4 to V7.
#define ZERO \
	VEOR V4.B16, V4.B16, V4.B16 \
	VEOR V5.B16, V5.B16, V5.B16 \
	VEOR V6.B16, V6.B16, V6.B16 \
	VEOR V7.B16, V7.B16, V7.B16

// func sumNEON(lane *[16]float32, x *float32, n int)
TEXT ·sumNEON(SB), NOSPLIT, $0-24
	MOVD lane+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R3
	ZERO

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	FADD(0, 4, 4)
	FADD(1, 5, 5)
	FADD(2, 6, 6)
	FADD(3, 7, 7)
	SUBS   $1, R3
	BNE    loop
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET

// func sumSquaresNEON(lane *[16]float32, x *float32, n int, mean float32)
TEXT ·sumSquaresNEON(SB), NOSPLIT, $0-28
	MOVD  lane+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  n+16(FP), R3
	MOVWU mean+24(FP), R4
	VDUP  R4, V8.S4
	ZERO

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	FSUB(8, 0, 0)
	FSUB(8, 1, 1)
	FSUB(8, 2, 2)
	FSUB(8, 3, 3)
	VFMLA  V0.S4, V0.S4, V4.S4
	VFMLA  V1.S4, V1.S4, V5.S4
	VFMLA  V2.S4, V2.S4, V6.S4
	VFMLA  V3.S4, V3.S4, V7.S4
	SUBS   $1, R3
	BNE    loop
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET

// func dotNEON(lane *[16]float32, a, b *float32, n int)
TEXT ·dotNEON(SB), NOSPLIT, $0-32
	MOVD lane+0(FP), R0
	MOVD a+8(FP), R1
	MOVD b+16(FP), R2
	MOVD n+24(FP), R3
	ZERO

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VFMLA  V0.S4, V16.S4, V4.S4
	VFMLA  V1.S4, V17.S4, V5.S4
	VFMLA  V2.S4, V18.S4, V6.S4
	VFMLA  V3.S4, V19.S4, V7.S4
	SUBS   $1, R3
	BNE    loop
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET

// func maxOfNEON(lane *[16]float32, x *float32, n int)
TEXT ·maxOfNEON(SB), NOSPLIT, $0-24
	MOVD lane+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R3
	VLD1 (R1), [V4.S4, V5.S4, V6.S4, V7.S4]

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMAX(0, 4, 4)
	FMAX(1, 5, 5)
	FMAX(2, 6, 6)
	FMAX(3, 7, 7)
	SUBS   $1, R3
	BNE    loop
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET
