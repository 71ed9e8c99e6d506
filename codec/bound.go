package codec

import (
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// ErrorBound says how far a decoded finite element may be from the encoded one: Absolute plus Relative times the
// element's magnitude. Both are 0 for a lossless frame and infinite where there is no bound. Elements that are not
// finite decode to themselves, any NaN to a NaN.
type ErrorBound struct{ Absolute, Relative float64 }

// Of is the bound at an element of value x.
func (b ErrorBound) Of(x float64) float64 { return b.Absolute + b.Relative*math.Abs(x) }

// Bound reads the bound that a frame states, from its header alone.
func Bound(frame []byte) (ErrorBound, error) { return (*Coder)(nil).Bound(frame) }

// Bound is the package's Bound with the Coder's tables.
func (c *Coder) Bound(frame []byte) (ErrorBound, error) {
	w := works.Get().(*work)
	defer w.release()
	if _, err := w.parse(frame, Limits{MaxBytes: math.MaxInt64}); err != nil {
		return ErrorBound{}, err
	}
	k := coders[w.codec]
	if err := k.Accepts(w.dtype, w.shape, nil); err != nil {
		return ErrorBound{}, headerError(5, ErrCorrupt, "%v", err)
	}
	w.tables = c
	if err := k.parse(w); err != nil {
		return ErrorBound{}, headerError(prefixBytes, cause(err), "parameters of %s: %v", k.Name(), err)
	}
	b := k.bound(w)
	if !(b.Absolute >= 0) {
		return ErrorBound{}, headerError(prefixBytes, ErrCorrupt, "error bound %g", b.Absolute)
	}
	// What is decoded to a 16-bit type is rounded once more; elements of a normal size by at most half a unit.
	if !k.Lossless(nil) {
		switch w.dtype {
		case tensor.Float16:
			b.Absolute, b.Relative = b.Absolute*(1+1.0/1024)+1.0/(1<<25), b.Relative+1.0/2048
		case tensor.BFloat16:
			b.Absolute, b.Relative = b.Absolute*(1+1.0/128)+math.Ldexp(1, -134), b.Relative+1.0/256
		}
	}
	return b, nil
}

func (rawCodec) bound(*work) ErrorBound      { return ErrorBound{} }
func (losslessCodec) bound(*work) ErrorBound { return ErrorBound{} }
func (imageCodec) bound(*work) ErrorBound {
	return ErrorBound{Absolute: math.Inf(1)}
}

func (c quantCodec) bound(w *work) ErrorBound { return ErrorBound{Absolute: float64(w.quant.bound)} }

func (c halfCodec) bound(w *work) ErrorBound {
	switch {
	case c.id == Float16:
		return ErrorBound{Absolute: 1.0 / (1 << 25), Relative: 1.0 / (1 << 11)}
	case c.id == BFloat16:
		return ErrorBound{Absolute: math.Ldexp(1, -134), Relative: 1.0 / (1 << 8)}
	case w.quant.format == simd.E4M3:
		return ErrorBound{Absolute: math.Ldexp(float64(w.quant.scale), -10), Relative: 1.0 / (1 << 4)}
	default:
		return ErrorBound{Absolute: math.Ldexp(float64(w.quant.scale), -17), Relative: 1.0 / (1 << 3)}
	}
}
