//go:build arm64 && !noasm

#include "textflag.h"

// expandWords<> has, for each set of four lanes, the table lookup that gives every lane of the set the next 16-bit word,
// and zeros to the others; wordBytes<> the bytes that those words take.
DATA expandWords<>+0x00(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x08(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x10(SB)/8, $0xffffffffffff0100
DATA expandWords<>+0x18(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x20(SB)/8, $0xffff0100ffffffff
DATA expandWords<>+0x28(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x30(SB)/8, $0xffff0302ffff0100
DATA expandWords<>+0x38(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x40(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x48(SB)/8, $0xffffffffffff0100
DATA expandWords<>+0x50(SB)/8, $0xffffffffffff0100
DATA expandWords<>+0x58(SB)/8, $0xffffffffffff0302
DATA expandWords<>+0x60(SB)/8, $0xffff0100ffffffff
DATA expandWords<>+0x68(SB)/8, $0xffffffffffff0302
DATA expandWords<>+0x70(SB)/8, $0xffff0302ffff0100
DATA expandWords<>+0x78(SB)/8, $0xffffffffffff0504
DATA expandWords<>+0x80(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0x88(SB)/8, $0xffff0100ffffffff
DATA expandWords<>+0x90(SB)/8, $0xffffffffffff0100
DATA expandWords<>+0x98(SB)/8, $0xffff0302ffffffff
DATA expandWords<>+0xa0(SB)/8, $0xffff0100ffffffff
DATA expandWords<>+0xa8(SB)/8, $0xffff0302ffffffff
DATA expandWords<>+0xb0(SB)/8, $0xffff0302ffff0100
DATA expandWords<>+0xb8(SB)/8, $0xffff0504ffffffff
DATA expandWords<>+0xc0(SB)/8, $0xffffffffffffffff
DATA expandWords<>+0xc8(SB)/8, $0xffff0302ffff0100
DATA expandWords<>+0xd0(SB)/8, $0xffffffffffff0100
DATA expandWords<>+0xd8(SB)/8, $0xffff0504ffff0302
DATA expandWords<>+0xe0(SB)/8, $0xffff0100ffffffff
DATA expandWords<>+0xe8(SB)/8, $0xffff0504ffff0302
DATA expandWords<>+0xf0(SB)/8, $0xffff0302ffff0100
DATA expandWords<>+0xf8(SB)/8, $0xffff0706ffff0504
GLOBL expandWords<>(SB), RODATA|NOPTR, $256
DATA wordBytes<>+0(SB)/8, $0x0604040204020200
DATA wordBytes<>+8(SB)/8, $0x0806060406040402
GLOBL wordBytes<>(SB), RODATA|NOPTR, $16

// laneBits<> has a bit for each of four lanes.
DATA laneBits<>+0(SB)/8, $0x0000000200000001
DATA laneBits<>+8(SB)/8, $0x0000000800000004
GLOBL laneBits<>(SB), RODATA|NOPTR, $16

// magnitudeClass<> is the class of every symbol.
DATA magnitudeClass<>+0(SB)/8, $0x0302020202010100
DATA magnitudeClass<>+8(SB)/8, $0x0303030303030303
DATA magnitudeClass<>+16(SB)/8, $0x0303030303030303
DATA magnitudeClass<>+24(SB)/8, $0x0303030303030303
GLOBL magnitudeClass<>(SB), RODATA|NOPTR, $32

// LOOKUP loads the table's entries of the four indices in V0 to E.
#define LOOKUP(E) \
	VMOV V0.D[0], R10               \
	VMOV V0.D[1], R11               \
	LSR  $32, R10, R12              \
	LSR  $32, R11, R13              \
	MOVWU R10, R10                  \
	MOVWU R11, R11                  \
	MOVWU (R0)(R10<<2), R10         \
	MOVWU (R0)(R12<<2), R12         \
	MOVWU (R0)(R11<<2), R11         \
	MOVWU (R0)(R13<<2), R13         \
	ORR  R12<<32, R10, R10          \
	ORR  R13<<32, R11, R11          \
	VMOV R10, E.D[0]                \
	VMOV R11, E.D[1]

// ADVANCE takes the symbols of the entries E off the states X, of which MUL is "mul v1.4s, v1.4s, X.4s", and fills up those
// below 2^16 with the next words.
#define ADVANCE(E, X, SCALE, MUL) \
	VUSHR $8, E.S4, V1.S4               \
	VAND  V17.B16, V1.B16, V1.B16       \
	VUSHR $SCALE, X.S4, X.S4            \
	WORD  $MUL                          \
	VUSHR $20, E.S4, X.S4               \
	VADD  V1.S4, X.S4, X.S4             \
	VUSHR $16, X.S4, V2.S4              \
	VCMEQ V18.S4, V2.S4, V2.S4          \
	VAND  V19.B16, V2.B16, V3.B16       \
	VADDV V3.S4, V3                     \
	VMOV  V3.S[0], R14                  \
	ADD   R14<<4, R20, R15              \
	VLD1  (R15), [V4.B16]               \
	VLD1  (R2), [V5.B8]                 \
	VTBL  V4.B16, [V5.B16], V5.B16      \
	VSHL  $16, X.S4, V6.S4              \
	VORR  V5.B16, V6.B16, V6.B16        \
	VBIT  V2.B16, V6.B16, X.B16         \
	MOVBU (R21)(R14), R15               \
	ADD   R15, R2, R2

// SYMBOLS stores the low bytes of the entries in V24 to V27 at R1.
#define SYMBOLS \
	VUZP1  V25.B16, V24.B16, V24.B16 \
	VUZP1  V27.B16, V26.B16, V26.B16 \
	VUZP1  V26.B16, V24.B16, V24.B16 \
	VST1.P [V24.B16], 16(R1)

// BEGIN loads what both decoders share; SLOTS is the mask of a slot.
#define BEGIN(SLOTS) \
	MOVD dec+0(FP), R0                            \
	MOVD states+8(FP), R19                        \
	MOVD dst+16(FP), R1                           \
	MOVD src+24(FP), R2                           \
	MOVD rounds+32(FP), R3                        \
	MOVD size+40(FP), R4                          \
	ADD  R2, R4, R4                               \
	SUB  $64, R4, R4                              \
	MOVD $0, R5                                   \
	MOVD $expandWords<>(SB), R20                  \
	MOVD $wordBytes<>(SB), R21                    \
	MOVD $SLOTS, R10                              \
	VDUP R10, V16.S4                              \
	MOVD $0xfff, R10                              \
	VDUP R10, V17.S4                              \
	VEOR V18.B16, V18.B16, V18.B16                \
	MOVD $laneBits<>(SB), R10                     \
	VLD1 (R10), [V19.B16]                         \
	VLD1.P 64(R19), [V8.B16, V9.B16, V10.B16, V11.B16] \
	VLD1 (R19), [V12.B16, V13.B16, V14.B16, V15.B16]   \
	SUB  $64, R19, R19

// END stores the states.
#define END \
	VST1.P [V8.B16, V9.B16, V10.B16, V11.B16], 64(R19) \
	VST1 [V12.B16, V13.B16, V14.B16, V15.B16], (R19)

// func decodeManyNEON(dec *uint32, states *uint32, dst, src *byte, rounds, size int) (done, used int)
TEXT ·decodeManyNEON(SB), NOSPLIT, $0-64
	BEGIN(0xfff)

loop:
	CMP R3, R5
	BGE out
	CMP R4, R2
	BHI out
	VAND V16.B16, V8.B16, V0.B16
	LOOKUP(V24)
	ADVANCE(V24, V8, 12, 0x4ea89c21)
	VAND V16.B16, V9.B16, V0.B16
	LOOKUP(V25)
	ADVANCE(V25, V9, 12, 0x4ea99c21)
	VAND V16.B16, V10.B16, V0.B16
	LOOKUP(V26)
	ADVANCE(V26, V10, 12, 0x4eaa9c21)
	VAND V16.B16, V11.B16, V0.B16
	LOOKUP(V27)
	ADVANCE(V27, V11, 12, 0x4eab9c21)
	SYMBOLS
	VAND V16.B16, V12.B16, V0.B16
	LOOKUP(V24)
	ADVANCE(V24, V12, 12, 0x4eac9c21)
	VAND V16.B16, V13.B16, V0.B16
	LOOKUP(V25)
	ADVANCE(V25, V13, 12, 0x4ead9c21)
	VAND V16.B16, V14.B16, V0.B16
	LOOKUP(V26)
	ADVANCE(V26, V14, 12, 0x4eae9c21)
	VAND V16.B16, V15.B16, V0.B16
	LOOKUP(V27)
	ADVANCE(V27, V15, 12, 0x4eaf9c21)
	SYMBOLS
	ADD $1, R5, R5
	B   loop

out:
	END
	MOVD src+24(FP), R10
	SUB  R10, R2, R2
	MOVD R5, done+48(FP)
	MOVD R2, used+56(FP)
	RET

// CONTEXTS computes the contexts of 16 lanes to V22 and advances by 16 bytes; V20 and V21 are the classes of symbols.
#define CONTEXTS \
	VLD1.P 16(R6), [V22.B16]                   \
	VLD1.P 16(R7), [V23.B16]                   \
	VTBL V22.B16, [V20.B16, V21.B16], V22.B16  \
	VTBL V23.B16, [V20.B16, V21.B16], V23.B16  \
	VSHL $2, V22.B16, V22.B16                  \
	VADD V23.B16, V22.B16, V22.B16

// func decodeContextNEON(dec *uint32, states *uint32, dst, src *byte, rounds, size int, near, far *byte, nearStep, farStep int) (done, used int)
TEXT ·decodeContextNEON(SB), NOSPLIT, $0-96
	BEGIN(0x7ff)
	MOVD near+48(FP), R6
	MOVD far+56(FP), R7
	MOVD nearStep+64(FP), R8
	MOVD farStep+72(FP), R9
	SUB  $32, R8, R8
	SUB  $32, R9, R9
	MOVD $magnitudeClass<>(SB), R10
	VLD1 (R10), [V20.B16, V21.B16]

loop:
	CMP R3, R5
	BGE out
	CMP R4, R2
	BHI out
	CONTEXTS
	VUSHLL  $0, V22.B8, V28.H8
	VUSHLL2 $0, V22.B16, V29.H8
	VAND V16.B16, V8.B16, V0.B16
	VUSHLL  $11, V28.H4, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V24)
	ADVANCE(V24, V8, 11, 0x4ea89c21)
	VAND V16.B16, V9.B16, V0.B16
	VUSHLL2 $11, V28.H8, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V25)
	ADVANCE(V25, V9, 11, 0x4ea99c21)
	VAND V16.B16, V10.B16, V0.B16
	VUSHLL  $11, V29.H4, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V26)
	ADVANCE(V26, V10, 11, 0x4eaa9c21)
	VAND V16.B16, V11.B16, V0.B16
	VUSHLL2 $11, V29.H8, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V27)
	ADVANCE(V27, V11, 11, 0x4eab9c21)
	SYMBOLS
	CONTEXTS
	VUSHLL  $0, V22.B8, V28.H8
	VUSHLL2 $0, V22.B16, V29.H8
	VAND V16.B16, V12.B16, V0.B16
	VUSHLL  $11, V28.H4, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V24)
	ADVANCE(V24, V12, 11, 0x4eac9c21)
	VAND V16.B16, V13.B16, V0.B16
	VUSHLL2 $11, V28.H8, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V25)
	ADVANCE(V25, V13, 11, 0x4ead9c21)
	VAND V16.B16, V14.B16, V0.B16
	VUSHLL  $11, V29.H4, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V26)
	ADVANCE(V26, V14, 11, 0x4eae9c21)
	VAND V16.B16, V15.B16, V0.B16
	VUSHLL2 $11, V29.H8, V7.S4
	VORR V7.B16, V0.B16, V0.B16
	LOOKUP(V27)
	ADVANCE(V27, V15, 11, 0x4eaf9c21)
	SYMBOLS
	ADD R8, R6, R6
	ADD R9, R7, R7
	ADD $1, R5, R5
	B   loop

out:
	END
	MOVD src+24(FP), R10
	SUB  R10, R2, R2
	MOVD R5, done+80(FP)
	MOVD R2, used+88(FP)
	RET

// ZIP interleaves the bytes of rows I and I+4 of A to B: three times bring the eight bytes of a column together.
#define ZIP(A0, A1, A2, A3, A4, A5, A6, A7, B0, B1, B2, B3, B4, B5, B6, B7) \
	VZIP1 A4.B16, A0.B16, B0.B16 \
	VZIP2 A4.B16, A0.B16, B1.B16 \
	VZIP1 A5.B16, A1.B16, B2.B16 \
	VZIP2 A5.B16, A1.B16, B3.B16 \
	VZIP1 A6.B16, A2.B16, B4.B16 \
	VZIP2 A6.B16, A2.B16, B5.B16 \
	VZIP1 A7.B16, A3.B16, B6.B16 \
	VZIP2 A7.B16, A3.B16, B7.B16

// COLUMNS stores two columns.
#define COLUMNS(V) \
	VST1 V.D[0], (R5)  \
	ADD  R2, R5, R5    \
	VST1 V.D[1], (R5)  \
	ADD  R2, R5, R5

// func transposeNEON(dst, src *byte, length, blocks int)
TEXT ·transposeNEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD length+16(FP), R2
	MOVD blocks+24(FP), R3
	MOVD $32, R7

loop:
	MOVD R0, R5
	MOVD R1, R6
	MOVD $2, R4

half:
	VLD1.P (R6)(R7), [V0.B16]
	VLD1.P (R6)(R7), [V1.B16]
	VLD1.P (R6)(R7), [V2.B16]
	VLD1.P (R6)(R7), [V3.B16]
	VLD1.P (R6)(R7), [V4.B16]
	VLD1.P (R6)(R7), [V5.B16]
	VLD1.P (R6)(R7), [V6.B16]
	VLD1.P (R6)(R7), [V7.B16]
	ZIP(V0, V1, V2, V3, V4, V5, V6, V7, V16, V17, V18, V19, V20, V21, V22, V23)
	ZIP(V16, V17, V18, V19, V20, V21, V22, V23, V0, V1, V2, V3, V4, V5, V6, V7)
	ZIP(V0, V1, V2, V3, V4, V5, V6, V7, V16, V17, V18, V19, V20, V21, V22, V23)
	COLUMNS(V16)
	COLUMNS(V17)
	COLUMNS(V18)
	COLUMNS(V19)
	COLUMNS(V20)
	COLUMNS(V21)
	COLUMNS(V22)
	COLUMNS(V23)
	ADD  $16, R1, R6
	SUBS $1, R4, R4
	BNE  half
	ADD  $8, R0, R0
	ADD  $256, R1, R1
	SUBS $1, R3, R3
	BNE  loop
	RET
