package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// acceptsFloats is the Accepts of the lossy codecs: they carry float32, float16 and bfloat16.
func acceptsFloats(name string, d tensor.DType) error {
	switch d {
	case tensor.Float32, tensor.Float16, tensor.BFloat16:
		return nil
	}
	return fmt.Errorf("%w: %s carries float32, float16 and bfloat16, not %v", ErrUnsuitable, name, d)
}

// tooLarge is the bits of 2^126. A chunk with a larger magnitude, an infinity or a NaN is carried as it is: the codecs that
// compute with a tensor's range would overflow.
const tooLarge = 0x7e800000

// floats is elements [lo, hi) as float32: the tensor's own memory when it is float32, else a conversion into scratch that
// is valid until the next call.
func (w *work) floats(lo, hi int) []float32 {
	src := w.bytesOf(lo, hi)
	if w.dtype == tensor.Float32 {
		return floatView(src)
	}
	w.quant.wide = sized(w.quant.wide, hi-lo)
	if w.dtype == tensor.Float16 {
		simd.F16ToF32(w.quant.wide, src)
	} else {
		simd.BF16ToF32(w.quant.wide, src)
	}
	return w.quant.wide
}

// target is where decoded float32 elements [lo, hi) go; store must follow once they are written.
func (w *work) target(lo, hi int) []float32 {
	if w.dtype == tensor.Float32 {
		return floatView(w.bytesOf(lo, hi))
	}
	w.quant.wide = sized(w.quant.wide, hi-lo)
	return w.quant.wide
}

// largest is the largest finite value of a type that the lossy codecs carry.
func largest(d tensor.DType) float32 {
	switch d {
	case tensor.Float16:
		return 65504
	case tensor.BFloat16:
		return 0x1.fep127
	}
	return math.MaxFloat32
}

// store narrows what was written to target(lo, hi) to the tensor's type. Finite values beyond its range become its
// largest, which lies nearer to what was encoded.
func (w *work) store(lo, hi int) {
	switch w.dtype {
	case tensor.Float16:
		saturate(w.quant.wide[:hi-lo], largest(w.dtype))
		simd.F32ToF16(w.bytesOf(lo, hi), w.quant.wide[:hi-lo])
	case tensor.BFloat16:
		saturate(w.quant.wide[:hi-lo], largest(w.dtype))
		simd.F32ToBF16(w.bytesOf(lo, hi), w.quant.wide[:hi-lo])
	}
}

// saturate brings the finite elements of x into [-limit, limit].
func saturate(x []float32, limit float32) {
	if simd.MaxAbs(x) <= math.Float32bits(limit) {
		return
	}
	for i, v := range x {
		if size := float32(math.Abs(float64(v))); size > limit && size <= math.MaxFloat32 {
			x[i] = float32(math.Copysign(float64(limit), float64(v)))
		}
	}
}

// floatView is b, a part of a tensor's aligned buffer, as float32.
func floatView(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// newFloats returns the function that reads one element of a float type, or nil for other types.
func newFloats(d tensor.DType) func(b []byte) float64 {
	switch d {
	case tensor.Float32:
		return func(b []byte) float64 {
			return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	case tensor.Float64:
		return func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
	case tensor.Float16:
		return func(b []byte) float64 {
			return float64(simd.HalfToFloat(binary.LittleEndian.Uint16(b)))
		}
	case tensor.BFloat16:
		return func(b []byte) float64 {
			return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
		}
	}
	return nil
}

// float is element i as float32.
func (w *work) float(i int) float32 {
	switch w.dtype {
	case tensor.Float16:
		return simd.HalfToFloat(binary.LittleEndian.Uint16(w.data[2*i:]))
	case tensor.BFloat16:
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(w.data[2*i:])) << 16)
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(w.data[4*i:]))
}
