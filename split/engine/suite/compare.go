package suite

import (
	"fmt"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

// A float element agrees with the expected one within absolute + relative·|expected|, the tolerance of ONNX's own test
// runner, or within relative·range, where range is the distance between the smallest and largest finite element of the
// expected tensor: a model's small outputs are as exact as its large ones, not more.
const (
	relative = 1e-3
	absolute = 1e-7
)

// Of quantised tensors of at least quantisedElements elements, a share of quantisedShare may be one step off, since
// engines round halves differently in mid-model; smaller ones must agree exactly.
const (
	quantisedElements = 1000
	quantisedShare    = 1e-3
)

// Compare checks a value against the expected one and returns their largest distance relative to the expected range.
func Compare(got, want tensor.Value) (float64, error) {
	switch w := want.(type) {
	case *tensor.Tensor:
		g, ok := got.(*tensor.Tensor)
		if !ok {
			return 0, fmt.Errorf("is %T, expected %s", got, w)
		}
		return compareTensors(g, w)
	case *tensor.Sequence:
		g, ok := got.(*tensor.Sequence)
		if !ok || len(g.Items) != len(w.Items) {
			return 0, fmt.Errorf("is %T, expected a sequence of %d", got, len(w.Items))
		}
		worst := 0.0
		for i := range w.Items {
			d, err := Compare(g.Items[i], w.Items[i])
			if err != nil {
				return d, fmt.Errorf("item %d: %w", i, err)
			}
			worst = max(worst, d)
		}
		return worst, nil
	case *tensor.Optional:
		g, ok := got.(*tensor.Optional)
		if !ok {
			return Compare(got, w.Item)
		}
		if (g.Item == nil) != (w.Item == nil) {
			return 0, fmt.Errorf("empty: %v, expected %v", g.Item == nil, w.Item == nil)
		}
		if w.Item == nil {
			return 0, nil
		}
		return Compare(g.Item, w.Item)
	}
	return 0, fmt.Errorf("expected value is missing")
}

func compareTensors(g, w *tensor.Tensor) (float64, error) {
	if g.DType() != w.DType() || !g.Shape().Equal(w.Shape()) {
		return 0, fmt.Errorf("is %s, expected %s", g, w)
	}
	if w.DType() == tensor.String {
		for i, s := range w.Strings() {
			if g.Strings()[i] != s {
				return 0, fmt.Errorf("element %d is %q, expected %q", i, g.Strings()[i], s)
			}
		}
		return 0, nil
	}
	a, b := native.Floats(g), native.Floats(w)
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range b {
		if !math.IsInf(v, 0) && v == v {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	span := max(hi-lo, 0)
	switch w.DType() {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Complex64, tensor.Complex128:
		return compareFloats(a, b, span)
	}
	var off []int
	for i := range b {
		if a[i] != b[i] {
			off = append(off, i)
		}
	}
	if len(off) == 0 {
		return 0, nil
	}
	i := off[0]
	far := func(i int) bool { return math.Abs(a[i]-b[i]) > 1 }
	if quantised := w.DType().Bits() == 8 && w.DType() != tensor.Bool; quantised && len(b) >= quantisedElements &&
		float64(len(off)) <= quantisedShare*float64(len(b)) && !slices.ContainsFunc(off, far) {
		return 1 / span, nil
	}
	return math.Abs(a[i]-b[i]) / max(span, 1), fmt.Errorf("%d of %d elements differ: element %d is %g, expected %g", len(off), len(b), i, a[i], b[i])
}

func compareFloats(a, b []float64, span float64) (float64, error) {
	worst, bad, at := 0.0, 0, -1
	for i, v := range b {
		if a[i] == v || a[i] != a[i] && v != v {
			continue
		}
		d := math.Abs(a[i] - v)
		if rel := d / max(span, math.Abs(v), absolute); !(rel <= worst) {
			worst = rel
		}
		if !(d <= absolute+relative*math.Abs(v) || d <= relative*span) {
			if bad == 0 {
				at = i
			}
			bad++
		}
	}
	if bad > 0 {
		return worst, fmt.Errorf("%d of %d elements differ: element %d is %g, expected %g", bad, len(b), at, a[at], b[at])
	}
	return worst, nil
}
