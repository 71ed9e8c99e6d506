package native

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// stepCase is one op whose vectorised step is held to its reference implementation.
type stepCase struct {
	op     string
	attrs  map[string]split.Attr
	inputs []tensor.Shape // of computed inputs
	consts []tensor.Shape // of float32 constants, after the inputs
	ints   [][]int64      // of int64 constants, after those
}

func ints(v ...int64) []int64 { return v }

func stepCases() []stepCase {
	s := func(d ...int) tensor.Shape { return d }
	attrs := func(kv ...any) map[string]split.Attr {
		m := map[string]split.Attr{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	return []stepCase{
		{op: "Conv", inputs: []tensor.Shape{s(1, 3, 9, 7)}, consts: []tensor.Shape{s(5, 3, 3, 3), s(5)}, attrs: attrs("pads", ints(1, 1, 1, 1), "strides", ints(2, 1))},
		{op: "Conv", inputs: []tensor.Shape{s(2, 8, 6, 6)}, consts: []tensor.Shape{s(8, 1, 3, 3), s(8)}, attrs: attrs("group", int64(8), "pads", ints(0, 1, 2, 1))},
		{op: "Conv", inputs: []tensor.Shape{s(1, 4, 17)}, consts: []tensor.Shape{s(6, 2, 3)}, attrs: attrs("group", int64(2), "dilations", ints(2))},
		{op: "ConvTranspose", inputs: []tensor.Shape{s(1, 4, 5, 6)}, consts: []tensor.Shape{s(4, 3, 2, 2), s(3)}, attrs: attrs("strides", ints(2, 2))},
		{op: "Gemm", inputs: []tensor.Shape{s(3, 10)}, consts: []tensor.Shape{s(7, 10), s(7)}, attrs: attrs("transB", int64(1))},
		{op: "MatMul", inputs: []tensor.Shape{s(2, 3, 10)}, consts: []tensor.Shape{s(10, 7)}},
		{op: "MatMul", inputs: []tensor.Shape{s(2, 1, 4, 6), s(3, 6, 5)}},
		{op: "MaxPool", inputs: []tensor.Shape{s(1, 3, 8, 9)}, attrs: attrs("kernel_shape", ints(3, 2), "strides", ints(2, 2), "pads", ints(1, 0, 1, 1))},
		{op: "AveragePool", inputs: []tensor.Shape{s(1, 3, 8, 9)}, attrs: attrs("kernel_shape", ints(3, 3), "pads", ints(1, 1, 1, 1))},
		{op: "GlobalAveragePool", inputs: []tensor.Shape{s(2, 5, 4, 4)}},
		{op: "Add", inputs: []tensor.Shape{s(2, 3, 4), s(3, 1)}},
		{op: "Sub", inputs: []tensor.Shape{s(1), s(2, 3, 4)}},
		{op: "Div", inputs: []tensor.Shape{s(2, 1, 4), s(2, 3, 1)}},
		{op: "Mul", inputs: []tensor.Shape{s(1, 8, 5, 5), s(1, 8, 1, 1)}},
		{op: "Max", inputs: []tensor.Shape{s(4, 5), s(5)}},
		{op: "Concat", inputs: []tensor.Shape{s(1, 2, 3, 3), s(1, 4, 3, 3)}, attrs: attrs("axis", int64(1))},
		{op: "Transpose", inputs: []tensor.Shape{s(2, 3, 4, 5)}, attrs: attrs("perm", ints(0, 3, 1, 2))},
		{op: "Transpose", inputs: []tensor.Shape{s(2, 3, 4, 5)}, attrs: attrs("perm", ints(3, 1, 0, 2))},
		{op: "Softmax", inputs: []tensor.Shape{s(3, 11)}, attrs: attrs("axis", int64(-1))},
		{op: "LayerNormalization", inputs: []tensor.Shape{s(3, 4, 16)}, consts: []tensor.Shape{s(16), s(16)}},
		{op: "InstanceNormalization", inputs: []tensor.Shape{s(2, 3, 5, 5)}, consts: []tensor.Shape{s(3), s(3)}},
		{op: "LRN", inputs: []tensor.Shape{s(1, 7, 3, 3)}, attrs: attrs("size", int64(5))},
		{op: "PRelu", inputs: []tensor.Shape{s(1, 6, 4, 4)}, consts: []tensor.Shape{s(6, 1, 1)}},
		{op: "ReduceMean", inputs: []tensor.Shape{s(2, 6, 4, 4)}, ints: [][]int64{{2, 3}}},
		{op: "ReduceSum", inputs: []tensor.Shape{s(2, 6, 5)}, ints: [][]int64{{1}}},
		{op: "ReduceMax", inputs: []tensor.Shape{s(4, 9)}, ints: [][]int64{{-1}}, attrs: attrs("keepdims", int64(0))},
		{op: "Slice", inputs: []tensor.Shape{s(3, 8, 5)}, ints: [][]int64{{6, 0}, {0, 4}, {1, 2}, {-2, 3}}},
		{op: "Gather", inputs: []tensor.Shape{s(3, 8, 5)}, ints: [][]int64{{7, -8, 2}}, attrs: attrs("axis", int64(1))},
		{op: "LSTM", inputs: []tensor.Shape{s(4, 2, 3)}, consts: []tensor.Shape{s(2, 20, 3), s(2, 20, 5), s(2, 40)}, attrs: attrs("hidden_size", int64(5), "direction", "bidirectional")},
		{op: "GRU", inputs: []tensor.Shape{s(4, 2, 3)}, consts: []tensor.Shape{s(1, 15, 3), s(1, 15, 5), s(1, 30)}, attrs: attrs("hidden_size", int64(5), "linear_before_reset", int64(1))},
		{op: "GRU", inputs: []tensor.Shape{s(4, 2, 3)}, consts: []tensor.Shape{s(1, 15, 3), s(1, 15, 5), s(1, 30)}, attrs: attrs("hidden_size", int64(5), "direction", "reverse")},
		{op: "Sigmoid", inputs: []tensor.Shape{s(3, 33)}},
		{op: "Erf", inputs: []tensor.Shape{s(3, 33)}},
		{op: "Gelu", inputs: []tensor.Shape{s(3, 33)}},
		{op: "Clip", inputs: []tensor.Shape{s(3, 33)}},
	}
}

// TestSteps holds every kind of vectorised step to the reference implementation, which computes in float64.
func TestSteps(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	random := func(s tensor.Shape) *tensor.Tensor {
		v, err := tensor.New(tensor.Float32, s)
		if err != nil {
			t.Fatal(err)
		}
		for i := range tensor.Data[float32](v) {
			tensor.Data[float32](v)[i] = rng.Float32()*2 - 1
		}
		return v
	}
	for _, c := range stepCases() {
		t.Run(c.op, func(t *testing.T) {
			b := split.NewBuilder(c.op, 21)
			op := split.Op{Name: c.op, Type: c.op, Attrs: c.attrs}
			var in []tensor.Value
			for _, s := range c.inputs {
				in = append(in, random(s))
				op.Inputs = append(op.Inputs, b.Input("", split.Type{DType: tensor.Float32, Shape: s}))
			}
			for _, s := range c.consts {
				op.Inputs = append(op.Inputs, b.Const("", random(s)))
			}
			for _, v := range c.ints {
				op.Inputs = append(op.Inputs, b.Const("", tensor.Of(tensor.Int64, tensor.Shape{len(v)}, v...)))
			}
			y := b.Value("y", split.Type{})
			op.Outputs = []split.ValueID{y}
			b.Add(op)
			b.Output(y)
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
				if i == 0 {
					allocates(t, exe, in...)
				}
				res, err := exe.Run(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				out[i] = floats(res[0].(*tensor.Tensor))
			}
			for i, v := range out[1] {
				const tolerance = 1e-5 // float32 sums of up to a hundred terms of size 1, vector functions of a few ulp
				if math.Abs(out[0][i]-v) > tolerance*max(1, math.Abs(v)) {
					t.Fatalf("element %d is %g, the reference has %g", i, out[0][i], v)
				}
			}
		})
	}
}
