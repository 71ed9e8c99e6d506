//go:build !noasm

#include "textflag.h"
#include "neon_arm64.h"

// BINARY is a loop over n vectors of four: y = a op b. FMAX and FMIN return NaN when either side is.
#define BINARY(name, OP) \
TEXT name(SB), NOSPLIT, $0-32 \
	MOVD y+0(FP), R0 \
	MOVD a+8(FP), R1 \
	MOVD b+16(FP), R2 \
	MOVD n+24(FP), R3 \
loop: \
	VLD1.P 16(R1), [V0.S4] \
	VLD1.P 16(R2), [V1.S4] \
	OP(1, 0, 2) \
	VST1.P [V2.S4], 16(R0) \
	SUBS $1, R3 \
	BNE loop \
	RET

BINARY(·addNEON, FADD)
BINARY(·subNEON, FSUB)
BINARY(·mulNEON, FMUL)
BINARY(·divNEON, FDIV)
BINARY(·maxNEON, FMAX)
BINARY(·minNEON, FMIN)

// func mulAddNEON(y, a, b, c *float32, n int)
TEXT ·mulAddNEON(SB), NOSPLIT, $0-40
	MOVD y+0(FP), R0
	MOVD a+8(FP), R1
	MOVD b+16(FP), R2
	MOVD c+24(FP), R4
	MOVD n+32(FP), R3

loop:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	VLD1.P 16(R4), [V2.S4]
	VFMLA  V0.S4, V1.S4, V2.S4
	VST1.P [V2.S4], 16(R0)
	SUBS   $1, R3
	BNE    loop
	RET

// func clipNEON(y, a *float32, n int, lo, hi float32)
TEXT ·clipNEON(SB), NOSPLIT, $0-32
	MOVD y+0(FP), R0
	MOVD a+8(FP), R1
	MOVD n+16(FP), R3
	MOVWU lo+24(FP), R4
	MOVWU hi+28(FP), R5
	VDUP R4, V4.S4
	VDUP R5, V5.S4

loop:
	VLD1.P 16(R1), [V0.S4]
	FMAX(4, 0, 1)
	FMIN(5, 1, 2)
	VST1.P [V2.S4], 16(R0)
	SUBS   $1, R3
	BNE    loop
	RET

// func depthwiseNEON(acc, x, w *float32, n int)
TEXT ·depthwiseNEON(SB), NOSPLIT, $0-32
	MOVD acc+0(FP), R0
	MOVD x+8(FP), R1
	MOVD w+16(FP), R2
	MOVD n+24(FP), R3

loop:
	VLD1   (R0), [V2.S4]
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	VFMLA  V0.S4, V1.S4, V2.S4
	VST1.P [V2.S4], 16(R0)
	SUBS   $1, R3
	BNE    loop
	RET
