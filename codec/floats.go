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

// store narrows what was written to target(lo, hi) to the tensor's type.
func (w *work) store(lo, hi int) {
	switch w.dtype {
	case tensor.Float16:
		simd.F32ToF16(w.bytesOf(lo, hi), w.quant.wide[:hi-lo])
	case tensor.BFloat16:
		simd.F32ToBF16(w.bytesOf(lo, hi), w.quant.wide[:hi-lo])
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
