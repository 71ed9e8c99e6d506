//go:build noasm || (!amd64 && !arm64)

package kernel

// Without assembly the vector entry points decline and the Go loops run.

func vecBinary(int, []float32, []float32, []float32) bool       { return false }
func vecScalar(int, []float32, []float32, float32) bool         { return false }
func vecMulAdd(_, _, _, _ []float32) bool                       { return false }
func vecClip(_, _ []float32, _, _ float32) bool                 { return false }
func vecUnary(int, []float32, []float32, float32, float32) bool { return false }
func vecSum([]float32) (float32, bool)                          { return 0, false }
func vecMaxOf([]float32) (float32, bool)                        { return 0, false }
func vecExpSum(_, _ []float32, _ float32) (float32, bool)       { return 0, false }
func vecSumSquares([]float32, float32) (float32, bool)          { return 0, false }

// The conversions return how many elements they did.

func vecFromFloat16([]float32, []uint16) int { return 0 }
func vecToFloat16([]uint16, []float32) int   { return 0 }

func vecQuantize(*uint8, []float32, float32, int32, int32, int32) int        { return 0 }
func vecDequantize([]float32, *uint8, float32, int32, bool) int              { return 0 }
func vecInt8Scale(_ []float32, _, _, _ []int32, _, _ []float32, _ int32) int { return 0 }
