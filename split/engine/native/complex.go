package native

import (
	"math/cmplx"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// complexes is a copy of a complex tensor's elements.
func complexes(t *tensor.Tensor) []complex128 {
	out := make([]complex128, t.Len())
	if t.DType() == tensor.Complex128 {
		copy(out, tensor.Data[complex128](t))
		return out
	}
	for i, v := range tensor.Data[complex64](t) {
		out[i] = complex128(v)
	}
	return out
}

// rotation is e^(i·angle).
func rotation(angle float64) complex128 { return cmplx.Exp(complex(0, angle)) }
