package native

import (
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

var (
	oneFlag   = split.Type{DType: tensor.Bool, Shape: tensor.Shape{}}
	oneNumber = split.Type{DType: tensor.Int64, Shape: tensor.Shape{}}
	pair      = split.Type{DType: tensor.Float32, Shape: tensor.Shape{2}}
)

func finished(t *testing.T, b *split.Builder) *split.Graph {
	t.Helper()
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// bodyRuns runs a graph twice on each input and wants these results, without allocations.
func bodyRuns(t *testing.T, b *split.Builder, in [][]tensor.Value, want [][]float32) {
	t.Helper()
	g, err := split.Specialize(finished(t, b), nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = split.Canonicalize(g); err != nil {
		t.Fatal(err)
	}
	exe, err := New(Config{}).Compile(t.Context(), g, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	for i := range 2 * len(in) {
		k := i % len(in)
		out, err := exe.Run(t.Context(), in[k])
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, v := range out {
			got = append(got, tensor.Data[float32](v.(*tensor.Tensor))...)
		}
		if !slices.Equal(got, want[k]) {
			t.Errorf("input %d gives %v, want %v", k, got, want[k])
		}
		allocates(t, exe, in[k]...)
	}
}

// TestLoopBuffers: carried values that change places, the number of the iteration as a carried value, and a stack of what passes.
func TestLoopBuffers(t *testing.T) {
	body := split.NewBuilder("body", 21)
	body.Prefix("in_")
	i := body.Input("i", oneNumber)
	cond := body.Input("more", oneFlag)
	a, b := body.Input("a", pair), body.Input("b", pair)
	last := body.Input("last", oneNumber)
	step := body.Capture("step", pair)
	body.Output(body.Op("Identity", nil, cond))
	body.Output(b)
	body.Output(body.Op("Add", nil, a, step))
	body.Output(i)
	body.Output(body.Op("Mul", nil, a, body.Op("Cast", map[string]split.Attr{"to": int64(tensor.Float32)}, last)))

	m := split.NewBuilder("main", 21)
	x := m.Input("x", pair)
	at := m.Input("step", pair)
	trips := m.Const("", tensor.Of(tensor.Int64, nil, int64(3)))
	first := m.Const("", tensor.Of(tensor.Int64, nil, int64(10)))
	zero := m.Const("", tensor.Of(tensor.Float32, tensor.Shape{2}, float32(0), 0))
	loop := split.Op{Type: "Loop", Inputs: []split.ValueID{trips, split.None, x, zero, first}, Captures: []split.ValueID{at}, Attrs: map[string]split.Attr{"body": finished(t, body)}}
	for range 4 {
		loop.Outputs = append(loop.Outputs, m.Value("", split.Type{}))
	}
	m.Add(loop)
	m.Output(loop.Outputs[0])
	m.Output(loop.Outputs[1])
	m.Output(m.Op("Cast", map[string]split.Attr{"to": int64(tensor.Float32)}, loop.Outputs[2]))
	m.Output(loop.Outputs[3])

	vec := func(v ...float32) tensor.Value { return tensor.Of(tensor.Float32, tensor.Shape{2}, v...) }
	bodyRuns(t, m, [][]tensor.Value{{vec(1, 2), vec(10, 20)}, {vec(0, 1), vec(1, 1)}}, [][]float32{
		// (a, b) is (x, 0), (0, x+s), (x+s, s), (s, x+2s); the stack is a times 10, 0 and 1.
		{10, 20, 21, 42, 2, 10, 20, 0, 0, 11, 22},
		{1, 1, 2, 3, 2, 0, 10, 0, 0, 1, 2},
	})
}

// TestBranches: what an If returns from around it and what it computes.
func TestBranches(t *testing.T) {
	branch := func(name string, f func(b *split.Builder, x split.ValueID) split.ValueID) *split.Graph {
		b := split.NewBuilder(name, 21)
		b.Prefix(name)
		b.Output(f(b, b.Capture("x", pair)))
		return finished(t, b)
	}
	m := split.NewBuilder("main", 21)
	x := m.Input("x", pair)
	cond := m.Input("cond", oneFlag)
	out := m.Value("", split.Type{})
	m.Add(split.Op{Type: "If", Inputs: []split.ValueID{cond}, Captures: []split.ValueID{x}, Outputs: []split.ValueID{out}, Attrs: map[string]split.Attr{
		"then_branch": branch("then", func(b *split.Builder, x split.ValueID) split.ValueID { return b.Op("Identity", nil, x) }),
		"else_branch": branch("else", func(b *split.Builder, x split.ValueID) split.ValueID {
			return b.Op("Gather", nil, b.Op("Add", nil, x, x), b.Const("", tensor.Of(tensor.Int64, tensor.Shape{2}, int64(1), 0)))
		}),
	}})
	m.Output(m.Op("Relu", nil, out))
	v := tensor.Of(tensor.Float32, tensor.Shape{2}, float32(3), 4)
	bodyRuns(t, m, [][]tensor.Value{{v, tensor.Of(tensor.Bool, nil, true)}, {v, tensor.Of(tensor.Bool, nil, false)}}, [][]float32{{3, 4}, {8, 6}})
}
