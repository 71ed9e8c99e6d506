package native

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// graphCase is a few ops whose steps depend on each other.
type graphCase struct {
	name  string
	input *tensor.Tensor
	build func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID
	check func(t *testing.T, p *program)
}

func graphCases(image, bytes *tensor.Tensor) []graphCase {
	axis := map[string]split.Attr{"axis": int64(1)}
	same := map[string]split.Attr{"pads": []int64{1, 1, 1, 1}}
	return []graphCase{
		{"concatenation in place", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			left := b.Op("Relu", nil, b.Op("Conv", same, x, random(3, 4, 3, 3)))
			right := b.Op("Sigmoid", nil, b.Op("Conv", nil, x, random(5, 4, 1, 1)))
			return b.Op("Concat", axis, left, x, right)
		}, func(t *testing.T, p *program) {
			for _, s := range p.steps {
				if c, ok := s.(*concatStep); ok && len(c.in) != 1 {
					t.Errorf("%d inputs are copied, only the image has to be", len(c.in))
				}
			}
		}},
		{"concatenation of one value twice", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			v := b.Op("Conv", nil, x, random(3, 4, 1, 1))
			return b.Op("Concat", axis, v, v)
		}, nil},
		{"a factor per channel", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			v := b.Op("Conv", nil, x, random(7, 4, 1, 1))
			return b.Op("Mul", nil, v, b.Op("Sigmoid", nil, b.Op("GlobalAveragePool", nil, v)))
		}, nil},
		{"one-hot code", bytes, func(b *split.Builder, x split.ValueID, _ func(...int) split.ValueID) split.ValueID {
			codes := b.Const("", tensor.Of(tensor.Int32, tensor.Shape{1, 1, 5}, int32(0), 1, 2, 3, 4))
			return b.Op("Cast", map[string]split.Attr{"to": int64(tensor.Float32)}, b.Op("Equal", nil, x, codes))
		}, nil},
		{"an input in another shape", image, func(b *split.Builder, x split.ValueID, _ func(...int) split.ValueID) split.ValueID {
			return b.Op("Reshape", nil, x, sizes(b, 2, -1, 7))
		}, nil},
		{"mirrored border of channels-last", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			v := b.Op("Pad", map[string]split.Attr{"mode": "reflect"}, b.Op("Conv", nil, x, random(3, 4, 1, 1)), sizes(b, 0, 0, 2, 1, 0, 0, 3, 4))
			return b.Op("Conv", nil, v, random(2, 3, 3, 3))
		}, nil},
		{"mirrored channels", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			v := b.Op("Conv", nil, x, random(3, 4, 1, 1))
			return b.Op("Conv", nil, b.Op("Pad", map[string]split.Attr{"mode": "reflect"}, v, sizes(b, 0, 1, 0, 0, 0, 2, 0, 0)), random(2, 6, 3, 3))
		}, nil},
		{"repeated border, cropped on the other side", image, func(b *split.Builder, x split.ValueID, _ func(...int) split.ValueID) split.ValueID {
			return b.Op("Pad", map[string]split.Attr{"mode": "edge"}, x, sizes(b, 0, 1, 2, -3, 0, -1, 1, 2))
		}, nil},
		{"wrapped border", image, func(b *split.Builder, x split.ValueID, _ func(...int) split.ValueID) split.ValueID {
			return b.Op("Pad", map[string]split.Attr{"mode": "wrap"}, x, sizes(b, 0, 0, 0, 8, 0, 0, 0, 9))
		}, nil},
		{"border of a value along one axis", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			return b.Op("Pad", nil, x, sizes(b, 2, 1), b.Const("", tensor.Of(tensor.Float32, nil, float32(.5))), sizes(b, -2))
		}, nil},
		{"rows that are looked up", bytes, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			index := b.Op("Max", nil, x, b.Const("", tensor.Of(tensor.Int32, nil, int32(-2))))
			return b.Op("Gather", axis, random(2, 10, 3), index)
		}, nil},
		{"positions and their mask", bytes, func(b *split.Builder, x split.ValueID, _ func(...int) split.ValueID) split.ValueID {
			v := b.Op("Div", nil, b.Op("Mul", nil, x, b.Const("", tensor.Of(tensor.Int32, tensor.Shape{3}, int32(1), -2, 3))), b.Const("", tensor.Of(tensor.Int32, nil, int32(2))))
			less := b.Op("LessOrEqual", nil, v, b.Op("Sub", nil, x, b.Const("", tensor.Of(tensor.Int32, nil, int32(1)))))
			return b.Op("Cast", map[string]split.Attr{"to": int64(tensor.Float32)}, less)
		}, nil},
		{"heads that share keys and values", image, func(b *split.Builder, x split.ValueID, random func(...int) split.ValueID) split.ValueID {
			q := b.Op("Relu", nil, b.Op("Reshape", nil, x, sizes(b, 1, 2, 2, 9, 7)))
			scores := b.Op("Mul", nil, b.Op("MatMul", nil, q, random(1, 2, 1, 7, 5)), b.Const("", tensor.Of(tensor.Float32, nil, float32(.25))))
			p := b.Op("Softmax", map[string]split.Attr{"axis": int64(-1)}, b.Op("Add", nil, scores, random(9, 5)))
			return b.Op("MatMul", nil, p, random(1, 2, 1, 5, 6))
		}, func(t *testing.T, p *program) {
			for _, s := range p.steps {
				if _, ok := s.(*attentionStep); ok {
					return
				}
			}
			t.Error("it is not computed as one attention")
		}},
	}
}

// sizes is a constant of int64.
func sizes(b *split.Builder, v ...int64) split.ValueID {
	return b.Const("", tensor.Of(tensor.Int64, tensor.Shape{len(v)}, v...))
}

// TestGraphs holds steps that share memory, rows or layouts to the reference implementation.
func TestGraphs(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	random := func(shape ...int) *tensor.Tensor {
		v, err := tensor.New(tensor.Float32, shape)
		if err != nil {
			t.Fatal(err)
		}
		for i := range tensor.Data[float32](v) {
			tensor.Data[float32](v)[i] = rng.Float32()*2 - 1
		}
		return v
	}
	for _, c := range graphCases(random(1, 4, 9, 7), tensor.Of(tensor.Int32, tensor.Shape{1, 6, 1}, int32(3), 0, 4, 9, 3, -1)) {
		t.Run(c.name, func(t *testing.T) {
			b := split.NewBuilder("graph", 21)
			x := b.Input("x", split.Type{DType: c.input.DType(), Shape: c.input.Shape()})
			b.Output(c.build(b, x, func(shape ...int) split.ValueID { return b.Const("", random(shape...)) }))
			g, err := b.Graph()
			if err != nil {
				t.Fatal(err)
			}
			if g, err = split.Specialize(g, nil); err != nil {
				t.Fatal(err)
			}
			if g, err = split.Canonicalize(g); err != nil {
				t.Fatal(err)
			}
			var out [2][]float64
			for i, cfg := range []Config{{}, {Reference: true}} {
				exe, err := New(cfg).Compile(t.Context(), g, engine.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer exe.Close()
				res, err := exe.Run(t.Context(), []tensor.Value{c.input})
				if err != nil {
					t.Fatal(err)
				}
				out[i] = floats(res[0].(*tensor.Tensor))
				if i == 0 {
					allocates(t, exe, c.input)
				}
				if i == 0 && c.check != nil {
					c.check(t, exe.(*executable).main)
				}
			}
			for i, v := range out[1] {
				const tolerance = 1e-5 // float32 sums of some ten terms of size 1
				if math.Abs(out[0][i]-v) > tolerance*max(1, math.Abs(v)) {
					t.Fatalf("element %d is %g, the reference has %g", i, out[0][i], v)
				}
			}
		})
	}
}

// allocates reports steps that take the reference implementation, and runs that allocate memory.
func allocates(t *testing.T, exe engine.Executable, in ...tensor.Value) {
	t.Helper()
	for _, s := range exe.(*executable).main.steps {
		if e, ok := s.(*evalStep); ok && exe.(*executable).main.bodies == nil {
			t.Errorf("%s took the reference step", e.c.op.Type)
		}
	}
	var err error
	if n := testing.AllocsPerRun(3, func() { _, err = exe.Run(t.Context(), in) }); n != 0 && !raceEnabled || err != nil {
		t.Errorf("%g allocations per run, error %v", n, err)
	}
}
