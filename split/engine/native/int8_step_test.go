package native

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// int8Model builds one small model of integer products.
type int8Model struct {
	t   *testing.T
	rng *rand.Rand
	*split.Builder
	in []tensor.Value
}

// of makes a tensor of random elements; floats are from -1 to 1.
func (m *int8Model) of(d tensor.DType, s ...int) *tensor.Tensor {
	v, err := tensor.New(d, s)
	if err != nil {
		m.t.Fatal(err)
	}
	if d == tensor.Float32 {
		for i := range tensor.Data[float32](v) {
			tensor.Data[float32](v)[i] = m.rng.Float32()*2 - 1
		}
		return v
	}
	for i := range v.Bytes() {
		v.Bytes()[i] = byte(m.rng.Uint32())
	}
	return v
}

func (m *int8Model) input(d tensor.DType, s ...int) split.ValueID {
	v := m.of(d, s...)
	m.in = append(m.in, v)
	return m.Input("", split.Type{DType: d, Shape: s})
}

func (m *int8Model) weights(d tensor.DType, s ...int) split.ValueID { return m.Const("", m.of(d, s...)) }

// scales are n positive scales near v, or one as a scalar when n is 0.
func (m *int8Model) scales(v float32, n int) split.ValueID {
	s := tensor.Shape{n}
	if n == 0 {
		s, n = nil, 1
	}
	t, _ := tensor.New(tensor.Float32, s)
	for i := range n {
		tensor.Data[float32](t)[i] = v * (1 + m.rng.Float32())
	}
	return m.Const("", t)
}

func (m *int8Model) zero(d tensor.DType, v int8) split.ValueID {
	t, _ := tensor.New(d, nil)
	t.Bytes()[0] = byte(v)
	return m.Const("", t)
}

func (m *int8Model) int32s(n int) split.ValueID {
	t, _ := tensor.New(tensor.Int32, tensor.Shape{n})
	for i := range n {
		tensor.Data[int32](t)[i] = int32(m.rng.IntN(2000) - 1000)
	}
	return m.Const("", t)
}

func attrs(kv ...any) map[string]split.Attr {
	m := map[string]split.Attr{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

// int8Cases are models whose every op has a vectorised step. exact says that the reference's bits are expected; otherwise
// integers may be one step off where the float32 reference rounds each operand, and floats within a stated bound.
var int8Cases = []struct {
	name  string
	exact bool
	build func(m *int8Model) split.ValueID
}{
	{"QLinearConv", true, func(m *int8Model) split.ValueID {
		return m.Op("QLinearConv", attrs("pads", ints(1, 1, 1, 1), "strides", ints(2, 1)), m.input(tensor.Uint8, 1, 6, 9, 7), m.scales(.02, 0), m.zero(tensor.Uint8, 7),
			m.weights(tensor.Int8, 20, 6, 3, 3), m.scales(.01, 20), m.Const("", tensor.Of(tensor.Int8, tensor.Shape{20}, make([]int8, 20)...)), m.scales(.7, 0),
			m.zero(tensor.Uint8, 100), m.int32s(20))
	}},
	{"QLinearConv signed, groups, one dimension", true, func(m *int8Model) split.ValueID {
		return m.Op("QLinearConv", attrs("group", int64(2)), m.input(tensor.Int8, 2, 6, 17), m.scales(.02, 0), m.zero(tensor.Int8, -3),
			m.weights(tensor.Uint8, 8, 3, 3), m.scales(.01, 0), m.zero(tensor.Uint8, 120), m.scales(.5, 0), m.zero(tensor.Int8, 5))
	}},
	{"QLinearConv depthwise, twice", true, func(m *int8Model) split.ValueID {
		x := m.input(tensor.Uint8, 1, 8, 6, 6)
		for range 2 {
			x = m.Op("QLinearConv", attrs("group", int64(8), "pads", ints(1, 1, 1, 1)), x, m.scales(.02, 0), m.zero(tensor.Uint8, 9),
				m.weights(tensor.Int8, 8, 1, 3, 3), m.scales(.01, 8), m.zero(tensor.Int8, 1), m.scales(.3, 0), m.zero(tensor.Uint8, 80), m.int32s(8))
		}
		return x
	}},
	{"QLinearMatMul", true, func(m *int8Model) split.ValueID {
		return m.Op("QLinearMatMul", nil, m.input(tensor.Uint8, 2, 5, 33), m.scales(.02, 0), m.zero(tensor.Uint8, 8), m.weights(tensor.Int8, 33, 37),
			m.scales(.01, 37), m.Const("", tensor.Of(tensor.Int8, tensor.Shape{37}, make([]int8, 37)...)), m.scales(.6, 0), m.zero(tensor.Int8, 4))
	}},
	{"MatMulInteger", true, func(m *int8Model) split.ValueID {
		return m.Op("MatMulInteger", nil, m.input(tensor.Int8, 7, 21), m.weights(tensor.Uint8, 21, 19), m.zero(tensor.Int8, -4), m.zero(tensor.Uint8, 99))
	}},
	{"ConvInteger", true, func(m *int8Model) split.ValueID {
		return m.Op("ConvInteger", attrs("pads", ints(0, 1, 2, 1)), m.input(tensor.Uint8, 1, 3, 8, 8), m.weights(tensor.Int8, 5, 3, 3, 3), m.zero(tensor.Uint8, 30))
	}},
	{"dynamic", false, func(m *int8Model) split.ValueID {
		x := m.input(tensor.Float32, 6, 40)
		q, scale, zero := m.Value("", split.Type{}), m.Value("", split.Type{}), m.Value("", split.Type{})
		m.Add(split.Op{Type: "DynamicQuantizeLinear", Inputs: []split.ValueID{x}, Outputs: []split.ValueID{q, scale, zero}})
		sums := m.Op("MatMulInteger", nil, q, m.weights(tensor.Int8, 40, 24), zero)
		return m.Op("Mul", nil, m.Op("Cast", attrs("to", int64(tensor.Float32)), sums), scale)
	}},
	{"DequantizeLinear and QuantizeLinear", true, func(m *int8Model) split.ValueID {
		x := m.Op("DequantizeLinear", nil, m.input(tensor.Uint8, 1, 3, 5, 5), m.scales(.05, 0), m.zero(tensor.Uint8, 11))
		y := m.Op("MaxPool", attrs("kernel_shape", ints(2, 2)), x)
		return m.Op("QuantizeLinear", nil, y, m.scales(.04, 0), m.zero(tensor.Int8, -3))
	}},
	{"words of a convolution", false, func(m *int8Model) split.ValueID {
		x := m.Op("DequantizeLinear", nil, m.input(tensor.Uint8, 1, 6, 7, 7), m.scales(.02, 0), m.zero(tensor.Uint8, 7))
		w := m.Op("DequantizeLinear", attrs("axis", int64(0)), m.weights(tensor.Int8, 20, 6, 3, 3), m.scales(.01, 20))
		b := m.Op("DequantizeLinear", nil, m.int32s(20), m.scales(.0002, 0))
		y := m.Op("Clip", nil, m.Op("Conv", nil, x, w, b), m.Const("", tensor.Of(tensor.Float32, nil, float32(-1))), m.Const("", tensor.Of(tensor.Float32, nil, float32(9))))
		return m.Op("QuantizeLinear", nil, y, m.scales(.05, 0), m.zero(tensor.Uint8, 20))
	}},
	{"words of a product", false, func(m *int8Model) split.ValueID {
		x := m.Op("DequantizeLinear", nil, m.input(tensor.Int8, 3, 30), m.scales(.02, 0), m.zero(tensor.Int8, 7))
		w := m.Op("DequantizeLinear", attrs("axis", int64(0)), m.weights(tensor.Int8, 20, 30), m.scales(.01, 20))
		return m.Op("Relu", nil, m.Op("Gemm", attrs("transB", int64(1)), x, w, m.weights(tensor.Float32, 20)))
	}},
	{"byte weights of a convolution", false, func(m *int8Model) split.ValueID {
		w := m.Op("DequantizeLinear", attrs("axis", int64(0)), m.weights(tensor.Int8, 20, 6, 3, 3), m.scales(.01, 20))
		return m.Op("Relu", nil, m.Op("Conv", nil, m.input(tensor.Float32, 1, 6, 7, 7), w, m.weights(tensor.Float32, 20)))
	}},
	{"byte weights of a product", false, func(m *int8Model) split.ValueID {
		w := m.Op("DequantizeLinear", nil, m.weights(tensor.Uint8, 33, 21), m.scales(.01, 0), m.zero(tensor.Uint8, -128))
		return m.Op("MatMul", nil, m.input(tensor.Float32, 2, 3, 33), w)
	}},
	{"4-bit weights in blocks", false, func(m *int8Model) split.ValueID {
		st := m.of(tensor.Float32, 3, 21)
		w := m.Op("DequantizeLinear", attrs("axis", int64(0), "block_size", int64(32)), m.weights(tensor.Uint4, 96, 21), m.Const("", st), m.weights(tensor.Uint4, 3, 21))
		return m.Op("MatMul", nil, m.input(tensor.Float32, 5, 96), w)
	}},
	{"4-bit weights per channel", false, func(m *int8Model) split.ValueID {
		w := m.Op("DequantizeLinear", attrs("axis", int64(0)), m.weights(tensor.Int4, 21, 35), m.scales(.1, 21))
		return m.Op("Gemm", attrs("transB", int64(1)), m.input(tensor.Float32, 5, 35), w, m.weights(tensor.Float32, 21))
	}},
	{"MatMulNBits", false, func(m *int8Model) split.ValueID {
		y := m.Value("", split.Type{})
		m.Add(split.Op{Domain: microsoft, Type: "MatMulNBits", Attrs: attrs("K", int64(70), "N", int64(37), "bits", int64(4), "block_size", int64(32)), Outputs: []split.ValueID{y},
			Inputs: []split.ValueID{m.input(tensor.Float32, 2, 3, 70), m.weights(tensor.Uint8, 37, 3, 16), m.weights(tensor.Float32, 37*3), m.weights(tensor.Uint8, 37*2)}})
		return y
	}},
}

// TestInt8Steps holds every step on integers to the reference implementation.
func TestInt8Steps(t *testing.T) {
	for _, c := range int8Cases {
		t.Run(c.name, func(t *testing.T) {
			const seed = 11
			t.Logf("seed %d", seed)
			m := &int8Model{t: t, rng: rand.New(rand.NewPCG(seed, 0)), Builder: split.NewBuilder(c.name, 21)}
			m.Domain(microsoft, 1)
			m.Output(c.build(m))
			g, err := m.Graph()
			if err != nil {
				t.Fatal(err)
			}
			if g, err = split.Specialize(g, nil); err != nil {
				t.Fatal(err)
			}
			if g, err = split.Canonicalize(g); err != nil {
				t.Fatal(err)
			}
			got := runInt8(t, g, m.in, false)
			want := runInt8(t, g, m.in, true)
			if got.DType() != want.DType() || !got.Shape().Equal(want.Shape()) {
				t.Fatalf("got %s, the reference has %s", got, want)
			}
			a, b := floats(got), floats(want)
			span := 0.0
			for _, v := range b {
				span = max(span, math.Abs(v))
			}
			for i, v := range b {
				const tolerance = 2e-6 // of the largest element: float32 sums of up to a hundred terms
				bound := tolerance * span
				switch {
				case c.exact:
					bound = 0
				case isByte(got.DType()):
					bound = 1
				}
				if !(math.Abs(a[i]-v) <= bound) {
					t.Fatalf("element %d is %g, the reference has %g", i, a[i], v)
				}
			}
		})
	}
}

// runInt8 compiles and runs g. With vectorised steps there must be no reference step and no allocation.
func runInt8(t *testing.T, g *split.Graph, in []tensor.Value, reference bool) *tensor.Tensor {
	t.Helper()
	exe, err := New(Config{Reference: reference}).Compile(t.Context(), g, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exe.Close() })
	if !reference {
		for _, s := range exe.(*executable).main.steps {
			if e, ok := s.(*evalStep); ok {
				t.Errorf("%s took the reference step", e.c.op.Type)
			}
		}
		if n := testing.AllocsPerRun(3, func() { _, err = exe.Run(t.Context(), in) }); n != 0 && !raceEnabled || err != nil {
			t.Errorf("%g allocations per run, error %v", n, err)
		}
	}
	out, err := exe.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].(*tensor.Tensor)
}
