package ort_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/engine/ort"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// languageModel builds one op of a language model.
type languageModel struct {
	*split.Builder
	rng *rand.Rand
	in  []tensor.Value
}

// input is a computed float32 value with elements from -1 to 1.
func (m *languageModel) input(s ...int) split.ValueID {
	t := m.floats(s...)
	m.in = append(m.in, t)
	return m.Input("", split.Type{DType: tensor.Float32, Shape: s})
}

func (m *languageModel) floats(s ...int) *tensor.Tensor {
	t, _ := tensor.New(tensor.Float32, s)
	for i := range tensor.Data[float32](t) {
		tensor.Data[float32](t)[i] = m.rng.Float32()*2 - 1
	}
	return t
}

func (m *languageModel) weights(s ...int) split.ValueID { return m.Const("", m.floats(s...)) }

func (m *languageModel) bytes(s ...int) split.ValueID {
	t, _ := tensor.New(tensor.Uint8, s)
	for i := range t.Bytes() {
		t.Bytes()[i] = byte(m.rng.Uint32())
	}
	return m.Const("", t)
}

func (m *languageModel) int32s(s tensor.Shape, v ...int32) split.ValueID {
	return m.Const("", tensor.Of(tensor.Int32, s, v...))
}

// op adds an op of com.microsoft and returns its outputs.
func (m *languageModel) op(typ string, outs int, attrs map[string]split.Attr, in ...split.ValueID) []split.ValueID {
	return m.opOf("com.microsoft", typ, outs, attrs, in)
}

func (m *languageModel) opOf(domain, typ string, outs int, attrs map[string]split.Attr, in []split.ValueID) []split.ValueID {
	var out []split.ValueID
	for range outs {
		out = append(out, m.Value("", split.Type{}))
	}
	m.Add(split.Op{Domain: domain, Type: typ, Attrs: attrs, Inputs: in, Outputs: out})
	return out
}

// skip adds an op of com.microsoft whose outputs are the result and, as the fourth, the sum with the skipped value.
func (m *languageModel) skip(typ string, attrs map[string]split.Attr, in ...split.ValueID) []split.ValueID {
	y, sum := m.Value("", split.Type{}), m.Value("", split.Type{})
	m.Add(split.Op{Domain: "com.microsoft", Type: typ, Attrs: attrs, Inputs: in, Outputs: []split.ValueID{y, split.None, split.None, sum}})
	return []split.ValueID{y, sum}
}

type attrs = map[string]split.Attr

var languageOps = []struct {
	name  string
	build func(m *languageModel) []split.ValueID
}{
	{"MultiHeadAttention", func(m *languageModel) []split.ValueID {
		return m.op("MultiHeadAttention", 1, attrs{"num_heads": int64(4)}, m.input(2, 5, 32), m.input(2, 7, 32), m.input(2, 7, 32))
	}},
	{"MultiHeadAttention with bias and attention bias", func(m *languageModel) []split.ValueID {
		return m.op("MultiHeadAttention", 1, attrs{"num_heads": int64(4), "scale": float32(.3)}, m.input(2, 5, 32), m.input(2, 5, 32), m.input(2, 5, 32),
			m.weights(96), split.None, m.input(2, 4, 5, 5))
	}},
	{"MultiHeadAttention causal with past", func(m *languageModel) []split.ValueID {
		return m.op("MultiHeadAttention", 3, attrs{"num_heads": int64(2), "unidirectional": int64(1)}, m.input(1, 3, 16), m.input(1, 3, 16), m.input(1, 3, 16),
			split.None, split.None, split.None, m.input(1, 2, 4, 8), m.input(1, 2, 4, 8))
	}},
	{"GroupQueryAttention prompt", func(m *languageModel) []split.ValueID {
		return m.op("GroupQueryAttention", 3, attrs{"num_heads": int64(4), "kv_num_heads": int64(2)}, m.input(1, 5, 32), m.input(1, 5, 16), m.input(1, 5, 16),
			m.input(1, 2, 0, 8), m.input(1, 2, 0, 8), m.int32s(tensor.Shape{1}, 4), m.int32s(nil, 5))
	}},
	{"GroupQueryAttention with past and rotary", func(m *languageModel) []split.ValueID {
		return m.op("GroupQueryAttention", 3, attrs{"num_heads": int64(4), "kv_num_heads": int64(2), "do_rotary": int64(1)}, m.input(1, 1, 64), m.input(1, 1, 32), m.input(1, 1, 32),
			m.input(1, 2, 6, 16), m.input(1, 2, 6, 16), m.int32s(tensor.Shape{1}, 6), m.int32s(nil, 7), m.weights(12, 8), m.weights(12, 8))
	}},
	{"GroupQueryAttention window", func(m *languageModel) []split.ValueID {
		return m.op("GroupQueryAttention", 3, attrs{"num_heads": int64(4), "kv_num_heads": int64(4), "local_window_size": int64(3)}, m.input(1, 6, 32), m.input(1, 6, 32), m.input(1, 6, 32),
			m.input(1, 4, 0, 8), m.input(1, 4, 0, 8), m.int32s(tensor.Shape{1}, 5), m.int32s(nil, 6))
	}},
	{"RotaryEmbedding", func(m *languageModel) []split.ValueID {
		pos := m.Const("", tensor.Of(tensor.Int64, tensor.Shape{2, 3}, 0, 1, 2, 3, 4, int64(5)))
		return m.op("RotaryEmbedding", 1, nil, m.input(2, 4, 3, 8), pos, m.weights(9, 4), m.weights(9, 4))
	}},
	{"RotaryEmbedding interleaved", func(m *languageModel) []split.ValueID {
		pos := m.Const("", tensor.Of(tensor.Int64, tensor.Shape{1}, int64(2)))
		return m.op("RotaryEmbedding", 1, attrs{"interleaved": int64(1)}, m.input(2, 4, 3, 8), pos, m.weights(9, 4), m.weights(9, 4))
	}},
	{"SkipLayerNormalization", func(m *languageModel) []split.ValueID {
		return m.skip("SkipLayerNormalization", attrs{"epsilon": float32(1e-5)}, m.input(2, 3, 16), m.input(2, 3, 16), m.weights(16), m.weights(16), m.weights(16))
	}},
	{"SkipSimplifiedLayerNormalization", func(m *languageModel) []split.ValueID {
		return m.skip("SkipSimplifiedLayerNormalization", attrs{"epsilon": float32(1e-5)}, m.input(2, 3, 16), m.input(2, 3, 16), m.weights(16))
	}},
	{"SimplifiedLayerNormalization", func(m *languageModel) []split.ValueID {
		return m.opOf("", "SimplifiedLayerNormalization", 1, attrs{"epsilon": float32(1e-5), "axis": int64(-1)}, []split.ValueID{m.input(2, 3, 16), m.weights(16)})
	}},
	{"MatMulNBits", func(m *languageModel) []split.ValueID {
		return m.op("MatMulNBits", 1, attrs{"K": int64(64), "N": int64(24), "bits": int64(4), "block_size": int64(32)}, m.input(2, 3, 64), m.bytes(24, 2, 16), m.weights(48))
	}},
	{"MatMulNBits with zero points", func(m *languageModel) []split.ValueID {
		return m.op("MatMulNBits", 1, attrs{"K": int64(70), "N": int64(9), "bits": int64(4), "block_size": int64(16)}, m.input(5, 70), m.bytes(9, 5, 8), m.weights(45), m.bytes(27))
	}},
	{"FusedMatMul", func(m *languageModel) []split.ValueID {
		return m.op("FusedMatMul", 1, attrs{"transB": int64(1), "alpha": float32(.5)}, m.input(2, 3, 16), m.input(2, 5, 16))
	}},
	{"MatMulNBits one row", func(m *languageModel) []split.ValueID {
		return m.op("MatMulNBits", 1, attrs{"K": int64(64), "N": int64(24), "bits": int64(4), "block_size": int64(32)}, m.input(1, 64), m.bytes(24, 2, 16), m.weights(48))
	}},
	{"MatMulNBits with bias", func(m *languageModel) []split.ValueID {
		return m.op("MatMulNBits", 1, attrs{"K": int64(32), "N": int64(10), "bits": int64(4), "block_size": int64(16)}, m.input(4, 32), m.bytes(10, 2, 8), m.weights(20), split.None, split.None, m.weights(10))
	}},
	{"FusedMatMul transposed batches", func(m *languageModel) []split.ValueID {
		return m.op("FusedMatMul", 1, attrs{"transA": int64(1), "alpha": float32(2)}, m.input(2, 4, 3), m.input(2, 4, 6))
	}},
	{"GroupQueryAttention softcap and scale", func(m *languageModel) []split.ValueID {
		return m.op("GroupQueryAttention", 3, attrs{"num_heads": int64(4), "kv_num_heads": int64(1), "softcap": float32(.5), "scale": float32(.7)}, m.input(1, 4, 32), m.input(1, 4, 8), m.input(1, 4, 8),
			m.input(1, 1, 0, 8), m.input(1, 1, 0, 8), m.int32s(tensor.Shape{1}, 3), m.int32s(nil, 4))
	}},
	{"Gelu", func(m *languageModel) []split.ValueID { return m.op("Gelu", 1, nil, m.input(3, 16)) }},
	{"BiasGelu", func(m *languageModel) []split.ValueID {
		return m.op("BiasGelu", 1, nil, m.input(3, 16), m.weights(16))
	}},
	{"QuickGelu", func(m *languageModel) []split.ValueID { return m.op("QuickGelu", 1, nil, m.input(3, 16)) }},
	{"FastGelu", func(m *languageModel) []split.ValueID { return m.op("FastGelu", 1, nil, m.input(3, 16)) }},
}

var update = flag.Bool("update", false, "write the outputs of ONNX Runtime, whose library must be found, to testdata")

// TestLanguageOps holds the native engine's operators of exported language models, which ONNX's own test suite lacks, to the
// outputs of ONNX Runtime, whose they are. testdata/language has those of version 1.30; -update makes them anew.
func TestLanguageOps(t *testing.T) {
	for _, c := range languageOps {
		t.Run(c.name, func(t *testing.T) {
			const seed = 5
			t.Logf("seed %d", seed)
			m := &languageModel{Builder: split.NewBuilder(c.name, 21), rng: rand.New(rand.NewPCG(seed, 0))}
			m.Domain("com.microsoft", 1)
			for _, v := range c.build(m) {
				m.Output(v)
			}
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
			got, want := outputsOf(t, native.New(native.Config{}), g, m.in), golden(t, c.name, g, m.in)
			for i, b := range want {
				a := got[i].(*tensor.Tensor)
				if !a.Shape().Equal(b.Shape()) {
					t.Fatalf("output %d is %s, ONNX Runtime has %s", i, a, b)
				}
				const tolerance = 2e-5 // float32 sums of up to a hundred terms of size 1
				for k, v := range tensor.Data[float32](b) {
					if d := math.Abs(float64(tensor.Data[float32](a)[k] - v)); !(d <= tolerance*max(1, math.Abs(float64(v)))) {
						t.Fatalf("output %d: element %d is %g, ONNX Runtime has %g", i, k, tensor.Data[float32](a)[k], v)
					}
				}
			}
		})
	}
}

// golden is what ONNX Runtime makes of a case: each output in a file of its own.
func golden(t *testing.T, name string, g *split.Graph, in []tensor.Value) []*tensor.Tensor {
	t.Helper()
	dir := filepath.Join("testdata", "language", strings.ReplaceAll(strings.ToLower(name), " ", "-"))
	if *update {
		b, err := ort.New(ort.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i, v := range outputsOf(t, b, g, in) {
			pb, err := onnx.WriteTensor(fmt.Sprintf("output_%d", i), v.(*tensor.Tensor))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("output_%d.pb", i)), pb, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []*tensor.Tensor
	for i := range g.Outputs {
		pb, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("output_%d.pb", i)))
		if err != nil {
			t.Fatal(err)
		}
		v, err := onnx.ReadTensor(pb)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v)
	}
	return want
}

func outputsOf(t *testing.T, b engine.Backend, g *split.Graph, in []tensor.Value) []tensor.Value {
	t.Helper()
	exe, err := b.Compile(t.Context(), g, engine.Options{Threads: 1})
	if err != nil {
		t.Fatalf("%s: %v", b.Name(), err)
	}
	t.Cleanup(func() { exe.Close() })
	out, err := exe.Run(t.Context(), in)
	if err != nil {
		t.Fatalf("%s: %v", b.Name(), err)
	}
	return out
}
