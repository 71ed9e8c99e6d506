package codec

import (
	"errors"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// halfCodec rounds every element to a narrower float, ties to even.
//
// float16 and bfloat16 have no parameters. Their relative error is at most 2^-11 and 2^-8 for what they hold as a normal
// number; below, float16's absolute error is at most 2^-25. NaN and infinities stay. A chunk that has a finite value beyond
// the narrower range, and a chunk of a 16-bit type, is carried as it is.
//
// float8:format=e4m3 (the default) or e5m2 scales the tensor by a power of two so that its largest magnitude fits, and
// rounds with a relative error of at most 2^-4 or 2^-3 down to 2^-6 or 2^-14 of that scale's unit. A chunk that holds NaN,
// an infinity or a magnitude of 2^126 or more is carried as it is.
//
//	parameters = nothing, or for float8: format u8 | exponent i8
//	payload    = mode u8 (0 narrowed, 1 as it is) | elements
type halfCodec struct {
	id   ID
	name string
}

// The modes of a lossy chunk.
const (
	modeCoded = 0
	modeExact = 1
)

func (c halfCodec) ID() ID                          { return c.id }
func (c halfCodec) Name() string                    { return c.name }
func (c halfCodec) Lossless(map[string]string) bool { return false }

func (c halfCodec) check(p params) error {
	if c.id != Float8 {
		return p.only()
	}
	if _, err := p.choice("format", "e4m3", "e5m2"); err != nil {
		return err
	}
	return p.only("format")
}

func (c halfCodec) Accepts(d tensor.DType, _ tensor.Shape, p map[string]string) error {
	if err := c.check(p); err != nil {
		return err
	}
	return acceptsFloats(c.name, d)
}

func (c halfCodec) prepare(w *work, p params) error {
	if c.id != Float8 {
		return nil
	}
	name, err := p.choice("format", "e4m3", "e5m2")
	if err != nil {
		return err
	}
	format := simd.E4M3
	if name == "e5m2" {
		format = simd.E5M2
	}
	var peak uint32
	for i := range w.chunks {
		lo, hi := w.span(i)
		if m := simd.MaxAbs(w.floats(lo, hi)); m < tooLarge {
			peak = max(peak, m)
		}
	}
	exponent := 0
	if peak != 0 {
		_, e := math.Frexp(float64(math.Float32frombits(peak)) / format.Largest())
		exponent = max(min(e, 120), -120)
	}
	w.params = append(w.params, byte(format), byte(int8(exponent)))
	return c.parse(w)
}

func (c halfCodec) parse(w *work) error {
	if c.id != Float8 {
		return noParams(w)
	}
	if len(w.params) != 2 {
		return errParams
	}
	w.quant.format = simd.Float8(w.params[0])
	exponent := int8(w.params[1])
	if !w.quant.format.Valid() || exponent > 120 || exponent < -120 {
		return fmt.Errorf("float8 format %d, exponent %d", w.params[0], exponent)
	}
	w.quant.scale = float32(math.Ldexp(1, int(exponent)))
	return nil
}

func (c halfCodec) appendChunk(dst []byte, w *work, lo, hi int) ([]byte, error) {
	n := hi - lo
	src := w.floats(lo, hi)
	switch c.id {
	case Float16:
		if w.dtype != tensor.Float32 || overflows(src, halfLimit) {
			return append(append(dst, modeExact), w.bytesOf(lo, hi)...), nil
		}
		dst = append(dst, modeCoded)
		dst = grow(dst, 2*n)
		simd.F32ToF16(dst[len(dst):len(dst)+2*n], src)
		return dst[:len(dst)+2*n], nil
	case BFloat16:
		if w.dtype != tensor.Float32 || overflows(src, bfloatLimit) {
			return append(append(dst, modeExact), w.bytesOf(lo, hi)...), nil
		}
		dst = append(dst, modeCoded)
		dst = grow(dst, 2*n)
		simd.F32ToBF16(dst[len(dst):len(dst)+2*n], src)
		return dst[:len(dst)+2*n], nil
	default:
		if simd.MaxAbs(src) >= tooLarge {
			return append(append(dst, modeExact), w.bytesOf(lo, hi)...), nil
		}
		dst = append(dst, modeCoded)
		dst = grow(dst, n)
		simd.F32ToF8(dst[len(dst):len(dst)+n], src, w.quant.format, 1/w.quant.scale)
		return dst[:len(dst)+n], nil
	}
}

// Bits of the smallest values that narrowing turns into an infinity.
const (
	halfLimit   = 0x477ff000 // 65520
	bfloatLimit = 0x7f7f8000
)

// overflows reports whether src has a finite value at or beyond the one with bits limit.
func overflows(src []float32, limit uint32) bool {
	if simd.MaxAbs(src) < limit {
		return false
	}
	for _, x := range src {
		if b := math.Float32bits(x) & 0x7fffffff; b >= limit && b < 0x7f800000 {
			return true
		}
	}
	return false
}

var errMode = errors.New("unknown mode")

func (c halfCodec) decodeChunk(w *work, payload []byte, lo, hi int) error {
	if len(payload) == 0 {
		return errors.New("payload is empty")
	}
	mode, body := payload[0], payload[1:]
	if mode == modeExact {
		return copyExactly(w.bytesOf(lo, hi), body)
	}
	if mode != modeCoded {
		return errMode
	}
	width := 2
	if c.id == Float8 {
		width = 1
	}
	if len(body) != width*(hi-lo) {
		return fmt.Errorf("%d bytes of elements, want %d", len(body), width*(hi-lo))
	}
	dst := w.target(lo, hi)
	switch c.id {
	case Float16:
		simd.F16ToF32(dst, body)
	case BFloat16:
		simd.BF16ToF32(dst, body)
	default:
		simd.F8ToF32(dst, body, w.quant.format, w.quant.scale)
	}
	w.store(lo, hi)
	return nil
}
