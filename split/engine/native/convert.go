package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// floats is a copy of t's elements as float64, of any type but String and the complex ones.
func floats(t *tensor.Tensor) []float64 {
	out := make([]float64, t.Len())
	switch t.DType() {
	case tensor.Float32:
		widen(out, tensor.Data[float32](t))
	case tensor.Float64:
		copy(out, tensor.Data[float64](t))
	case tensor.Uint8:
		widen(out, tensor.Data[uint8](t))
	case tensor.Int8:
		widen(out, tensor.Data[int8](t))
	case tensor.Uint16:
		widen(out, tensor.Data[uint16](t))
	case tensor.Int16:
		widen(out, tensor.Data[int16](t))
	case tensor.Int32:
		widen(out, tensor.Data[int32](t))
	case tensor.Int64:
		widen(out, tensor.Data[int64](t))
	case tensor.Uint32:
		widen(out, tensor.Data[uint32](t))
	case tensor.Uint64:
		widen(out, tensor.Data[uint64](t))
	case tensor.Bool:
		widen(out, t.Bytes())
	case tensor.Float16:
		for i, b := range tensor.Data[uint16](t) {
			out[i] = float64(float16ToFloat32(b))
		}
	case tensor.BFloat16:
		for i, b := range tensor.Data[uint16](t) {
			out[i] = float64(math.Float32frombits(uint32(b) << 16))
		}
	case tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2:
		for i := range out {
			out[i] = float64(subByte(t, i))
		}
	case tensor.Float4E2M1:
		for i := range out {
			out[i] = float4Values[t.Bytes()[i/2]>>(4*(i%2))&15]
		}
	default:
		f := smallFloatOf(t.DType())
		for i, b := range t.Bytes() {
			out[i] = f.decode(b)
		}
	}
	return out
}

func widen[T tensor.Element](out []float64, in []T) {
	switch in := any(in).(type) {
	case []float32:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []uint8:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []int8:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []uint16:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []int16:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []int32:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []int64:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []uint32:
		for i, v := range in {
			out[i] = float64(v)
		}
	case []uint64:
		for i, v := range in {
			out[i] = float64(v)
		}
	}
}

// subByte is element i of a packed integer tensor.
func subByte(t *tensor.Tensor, i int) int {
	b := t.Bytes()
	switch t.DType() {
	case tensor.Uint4:
		return int(b[i/2] >> (4 * (i % 2)) & 15)
	case tensor.Int4:
		return int(int8(b[i/2]>>(4*(i%2))<<4) >> 4)
	case tensor.Uint2:
		return int(b[i/4] >> (2 * (i % 4)) & 3)
	default:
		return int(int8(b[i/4]>>(2*(i%4))<<6) >> 6)
	}
}

// setSubByte stores the low bits of v as element i of a packed tensor of 4-bit or 2-bit elements.
func setSubByte(t *tensor.Tensor, i int, v byte) {
	b := t.Bytes()
	if t.DType().Bits() == 4 {
		shift := 4 * (i % 2)
		b[i/2] = b[i/2]&^(15<<shift) | v&15<<shift
		return
	}
	shift := 2 * (i % 4)
	b[i/4] = b[i/4]&^(3<<shift) | v&3<<shift
}

// setFloats stores values into t, rounding floats to nearest even and converting to integers as Go does after
// truncation towards zero; a value outside of an integer type wraps through int64 (uint64 for Uint64).
func setFloats(t *tensor.Tensor, values []float64) {
	switch t.DType() {
	case tensor.Float32:
		d := tensor.Data[float32](t)
		for i, v := range values {
			d[i] = float32(v)
		}
	case tensor.Float64:
		copy(tensor.Data[float64](t), values)
	case tensor.Uint8:
		narrow(tensor.Data[uint8](t), values)
	case tensor.Int8:
		narrow(tensor.Data[int8](t), values)
	case tensor.Uint16:
		narrow(tensor.Data[uint16](t), values)
	case tensor.Int16:
		narrow(tensor.Data[int16](t), values)
	case tensor.Int32:
		narrow(tensor.Data[int32](t), values)
	case tensor.Int64:
		narrow(tensor.Data[int64](t), values)
	case tensor.Uint32:
		narrow(tensor.Data[uint32](t), values)
	case tensor.Uint64:
		d := tensor.Data[uint64](t)
		for i, v := range values {
			if v < 0 {
				d[i] = uint64(int64(v))
			} else {
				d[i] = uint64(v)
			}
		}
	case tensor.Bool:
		b := t.Bytes()
		for i, v := range values {
			b[i] = 0
			if v != 0 {
				b[i] = 1
			}
		}
	case tensor.Float16:
		d := tensor.Data[uint16](t)
		for i, v := range values {
			d[i] = float64ToFloat16(v)
		}
	case tensor.BFloat16:
		d := tensor.Data[uint16](t)
		for i, v := range values {
			d[i] = float32ToBFloat16(float32(v))
		}
	case tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2:
		for i, v := range values {
			setSubByte(t, i, byte(int64(v)))
		}
	case tensor.Float4E2M1:
		for i, v := range values {
			setSubByte(t, i, encodeFloat4(v))
		}
	default:
		f := smallFloatOf(t.DType())
		b := t.Bytes()
		for i, v := range values {
			b[i] = f.encode(v, true)
		}
	}
}

func narrow[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](out []T, values []float64) {
	for i, v := range values {
		out[i] = T(int64(v))
	}
}

func isInteger(d tensor.DType) bool {
	switch d {
	case tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64,
		tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2:
		return true
	}
	return false
}

func isSigned(d tensor.DType) bool {
	switch d {
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Int4, tensor.Int2:
		return true
	}
	return false
}

func isFloat(d tensor.DType) bool {
	switch d {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16:
		return true
	}
	return false
}

// float16ToFloat32 converts an IEEE 754 binary16.
func float16ToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 31
	man := uint32(h & 0x3ff)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
	case man == 0:
		return math.Float32frombits(sign)
	}
	v := float32(man) * (1.0 / (1 << 24))
	return math.Float32frombits(sign | math.Float32bits(v))
}

// float64ToFloat16 rounds to the nearest binary16, ties to even, in one step.
func float64ToFloat16(v float64) uint16 {
	b := math.Float64bits(v)
	sign := uint16(b>>48) & 0x8000
	switch a := math.Abs(v); {
	case a != a:
		return sign | 0x7e00
	case a >= 65520: // half-way between the largest finite value and the next power
		return sign | 0x7c00
	case a < 1.0/(1<<14): // subnormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(a*(1<<24)))
	default:
		exp := int(b>>52)&0x7ff - 1023
		man := math.RoundToEven(math.Ldexp(a, 10-exp)) // 1024..2048
		return sign | uint16((exp+15)<<10+int(man)-1024)
	}
}

// float32ToBFloat16 rounds to the nearest bfloat16, ties to even.
func float32ToBFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// Floats is a copy of t's elements as float64; a complex element is two. It is nil for strings.
func Floats(t *tensor.Tensor) []float64 {
	switch t.DType() {
	case tensor.String:
		return nil
	case tensor.Complex64, tensor.Complex128:
		var out []float64
		for _, v := range complexes(t) {
			out = append(out, real(v), imag(v))
		}
		return out
	}
	return floats(t)
}
