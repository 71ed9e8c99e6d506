//go:build noasm || (!amd64 && !arm64)

package simd

func f32ToF16(dst []byte, src []float32)                  { f32ToF16Generic(dst, src) }
func f16ToF32(dst []float32, src []byte)                  { f16ToF32Generic(dst, src) }
func f32ToBF16(dst []byte, src []float32)                 { f32ToBF16Generic(dst, src) }
func bf16ToF32(dst []float32, src []byte)                 { bf16ToF32Generic(dst, src) }
func maxAbs(src []float32) uint32                         { return maxAbsGeneric(src) }
func rangeOf(src []float32) (lo, hi float32, finite bool) { return rangeGeneric(src) }
func rangeRow(lo, hi, src []float32)                      { rangeRowGeneric(lo, hi, src) }
func quantize(dst []byte, src []float32, base, inv, top float32) {
	quantizeGeneric(dst, src, base, inv, top)
}

func dequantize(dst []float32, src []byte, base, step float32) {
	dequantizeGeneric(dst, src, base, step)
}

func quantizeRow(dst []byte, src, base, inv []float32, top float32) {
	quantizeRowGeneric(dst, src, base, inv, top)
}

func dequantizeRow(dst []float32, src []byte, base, step []float32) {
	dequantizeRowGeneric(dst, src, base, step)
}
func split4([]byte, []byte, int, bool) int                   { return 0 }
func merge4([]byte, []byte, int, bool) int                   { return 0 }
func compact4(mask, dst, src []byte, n int) (done, kept int) { return 0, 0 }
func spread4(dst, mask, src []byte, n int) (done, used int)  { return 0, 0 }
