package demo

import (
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// difference is how far outputs are from the unsplit run's.
type difference struct {
	equal bool
	// worst is the largest difference of an element relative to its output's range.
	worst  float64
	faces  int
	minIoU float64
}

// compare holds outputs against the reference, both keyed by output name.
func compare(reference, got map[string]*tensor.Tensor) (difference, error) {
	d := difference{equal: true, minIoU: 1}
	for name, want := range reference {
		have, ok := got[name]
		if !ok {
			return d, fmt.Errorf("the answer has no output %q", name)
		}
		if !have.Shape().Equal(want.Shape()) || have.DType() != want.DType() || want.DType() != tensor.Float32 {
			return d, fmt.Errorf("output %q is %v, want %v", name, have, want)
		}
		d.equal = d.equal && have.Equal(want)
		d.worst = max(d.worst, relativeError(tensor.Data[float32](want), tensor.Data[float32](have)))
	}
	wantFaces, err := faces(values(reference))
	if err != nil {
		return d, err
	}
	haveFaces, err := faces(values(got))
	if err != nil {
		return d, err
	}
	d.faces = len(haveFaces)
	if len(haveFaces) != len(wantFaces) {
		d.minIoU = 0
		return d, nil
	}
	for i := range wantFaces {
		d.minIoU = min(d.minIoU, wantFaces[i].iou(haveFaces[i]))
	}
	return d, nil
}

// relativeError is the largest absolute difference over the range of want; NaN anywhere counts as infinite.
func relativeError(want, have []float32) float64 {
	low, high, worst := math.Inf(1), math.Inf(-1), 0.0
	for i, w := range want {
		low, high = min(low, float64(w)), max(high, float64(w))
		diff := math.Abs(float64(have[i]) - float64(w))
		if math.IsNaN(diff) {
			return math.Inf(1)
		}
		worst = max(worst, diff)
	}
	if worst == 0 {
		return 0
	}
	return worst / (high - low)
}

func values(m map[string]*tensor.Tensor) []*tensor.Tensor {
	var out []*tensor.Tensor
	for _, t := range m {
		out = append(out, t)
	}
	return out
}
