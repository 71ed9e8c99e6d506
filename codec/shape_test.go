package codec

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// shaped is a sample whose channels lie along axis 1 (planes) or the last axis, each with a scale of its own.
func shaped(t *testing.T, rng *rand.Rand, last bool) *tensor.Tensor {
	t.Helper()
	shape := tensor.Shape{1, 6, 16, 16}
	if last {
		shape = tensor.Shape{1, 16, 16, 6}
	}
	x, err := tensor.New(tensor.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	inner := 256
	if last {
		inner = 1
	}
	for i := range tensor.Data[float32](x) {
		tensor.Data[float32](x)[i] = float32(math.Max(rng.NormFloat64(), -0.2) * math.Ldexp(1, i/inner%6-3))
	}
	return x
}

func TestShapedTablesKeepTheirBound(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, last := range []bool{false, true} {
		samples := []*tensor.Tensor{shaped(t, rng, last), shaped(t, rng, last)}
		x := shaped(t, rng, last)
		var plain, zeros float64
		for _, shape := range []Shape{{}, {Zeros: true}, {Zeros: true, Factors: []float64{1, 2, 3, 4, 5, 6}}} {
			for _, rel := range []float64{0.1, 0.7, 3} {
				table, err := FitShape(samples, rel, shape)
				if err != nil {
					t.Fatal(err)
				}
				b, err := table.AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				again, err := ParseTable(b)
				if err != nil {
					t.Fatal(err)
				}
				if c, err := again.AppendBinary(nil); err != nil || !bytes.Equal(b, c) || again.ID() != table.ID() {
					t.Errorf("%+v: a table does not come back as it was: %v", shape, err)
				}
				coder := NewCoder(again)
				frame, err := coder.Append(nil, x, Spec{ID: Uniform}.With("table", table.ID().String()))
				if err != nil {
					t.Fatal(err)
				}
				got, err := coder.Decode(frame, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				relative, largest, err := Compare(x, got)
				if err != nil {
					t.Fatal(err)
				}
				if bound := float64(math.Float32frombits(boundOf(t, frame))); largest > bound {
					t.Errorf("seed %d, %+v at %g: an error of %g, bound %g", seed, shape, rel, largest, bound)
				}
				if shape.Factors == nil && rel == 0.7 {
					if shape.Zeros {
						zeros = relative
					} else {
						plain = relative
					}
				}
			}
		}
		if zeros >= plain {
			t.Errorf("seed %d: zeros at their means err by %g, at 0 by %g", seed, zeros, plain)
		}
	}
}

// boundOf is the bound that a uniform frame's parameters state, as float32 bits.
func boundOf(t *testing.T, frame []byte) uint32 {
	t.Helper()
	w := works.Get().(*work)
	defer w.release()
	if _, err := w.parse(frame, Limits{}); err != nil {
		t.Fatal(err)
	}
	r := reader{b: w.params}
	r.byte()
	return r.uint32()
}

func TestFactorsThatProbingChoosesCount(t *testing.T) {
	const seed = 6
	rng := rand.New(rand.NewPCG(seed, 1))
	samples := []*tensor.Tensor{shaped(t, rng, false)}
	table, err := FitShape(samples, 0.5, Shape{Factors: []float64{1, 1, 1, 1, 4, 1}})
	if err != nil {
		t.Fatal(err)
	}
	axis, factors := table.Channels()
	if axis != 1 || len(factors) != 6 || factors[4] < 3.9*factors[0] {
		t.Errorf("axis %d, factors %v", axis, factors)
	}
	wrong, err := FitShape(samples, 0.5, Shape{Factors: []float64{1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Fit(samples, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if wrong.ID() != plain.ID() {
		t.Error("a wrong number of factors does not count as none")
	}
}
