package enginetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// tolerance is how far a backend's float32 results may be from those that the tests state: sums of a handful of terms.
const tolerance = 1e-5

// Run holds a backend to what engine.Backend and engine.Executable promise.
func Run(t *testing.T, b engine.Backend) {
	t.Run("names", func(t *testing.T) {
		if b.Name() == "" || b.Version() == "" {
			t.Errorf("name %q, version %q", b.Name(), b.Version())
		}
	})
	t.Run("computes", func(t *testing.T) { computes(t, b) })
	t.Run("runs again", func(t *testing.T) { runsAgain(t, b) })
	t.Run("keeps inputs", func(t *testing.T) { keepsInputs(t, b) })
	t.Run("open shapes", func(t *testing.T) { openShapes(t, b) })
	t.Run("integers", func(t *testing.T) { integers(t, b) })
	t.Run("refuses", func(t *testing.T) { refuses(t, b) })
	t.Run("memory limit", func(t *testing.T) { memoryLimit(t, b) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, b) })
	t.Run("stages", func(t *testing.T) { stages(t, b) })
}

// network is conv 1x1 (weights 1, 2; bias .5), Relu, sum with the input, and a softmax over the pixels: small enough to compute by hand.
func network(t *testing.T, sizes tensor.Shape) *split.Graph {
	t.Helper()
	b := split.NewBuilder("network", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: sizes})
	w := b.Const("w", tensor.Of(tensor.Float32, tensor.Shape{1, 1, 1, 1}, float32(2)))
	bias := b.Const("b", tensor.Of(tensor.Float32, tensor.Shape{1}, float32(.5)))
	conv := b.Op("Conv", nil, x, w, bias)
	relu := b.Op("Relu", nil, conv)
	sum := b.Op("Add", nil, relu, x)
	b.Output(b.Op("Softmax", map[string]split.Attr{"axis": int64(-1)}, sum))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return canonical(t, g)
}

func canonical(t *testing.T, g *split.Graph) *split.Graph {
	t.Helper()
	g, err := split.Specialize(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = split.Canonicalize(g); err != nil {
		t.Fatal(err)
	}
	return g
}

func compile(t *testing.T, b engine.Backend, g *split.Graph, opts engine.Options) engine.Executable {
	t.Helper()
	exe, err := b.Compile(t.Context(), g, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := exe.Close(); err != nil {
			t.Error(err)
		}
	})
	return exe
}

// expected is what network computes.
func expected(x []float32) []float64 {
	y, sum := make([]float64, len(x)), 0.0
	for i, v := range x {
		y[i] = math.Exp(max(2*float64(v)+.5, 0) + float64(v))
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
	return y
}

func check(t *testing.T, out []tensor.Value, x []float32) {
	t.Helper()
	if len(out) != 1 {
		t.Fatalf("%d outputs", len(out))
	}
	y, ok := out[0].(*tensor.Tensor)
	if !ok || y.Len() != len(x) {
		t.Fatalf("output is %v", out[0])
	}
	want := expected(x)
	for i, v := range tensor.Data[float32](y) {
		if math.Abs(float64(v)-want[i]) > tolerance {
			t.Errorf("element %d is %g, expected %g", i, v, want[i])
		}
	}
}

func image(x ...float32) *tensor.Tensor {
	return tensor.Of(tensor.Float32, tensor.Shape{1, 1, 1, len(x)}, x...)
}

func computes(t *testing.T, b engine.Backend) {
	for _, threads := range []int{0, 1, 2} {
		exe := compile(t, b, network(t, tensor.Shape{1, 1, 1, 3}), engine.Options{Threads: threads})
		x := []float32{-1, .25, 1}
		out, err := exe.Run(t.Context(), []tensor.Value{image(x...)})
		if err != nil {
			t.Fatal(err)
		}
		check(t, out, x)
		if m := exe.Memory(); m.Weights < 8 || m.Activations <= 0 {
			t.Errorf("memory is %+v", m)
		}
	}
}

func runsAgain(t *testing.T, b engine.Backend) {
	exe := compile(t, b, network(t, tensor.Shape{1, 1, 1, 3}), engine.Options{})
	in := image(0, 0, 0)
	for i := range 5 {
		x := []float32{float32(i), -float32(i), 1}
		copy(tensor.Data[float32](in), x) // the same buffer with other contents
		out, err := exe.Run(t.Context(), []tensor.Value{in})
		if err != nil {
			t.Fatal(err)
		}
		check(t, out, x)
		if out, err = exe.Run(t.Context(), []tensor.Value{image(x...)}); err != nil { // another buffer
			t.Fatal(err)
		}
		check(t, out, x)
	}
}

func keepsInputs(t *testing.T, b engine.Backend) {
	exe := compile(t, b, network(t, tensor.Shape{1, 1, 1, 3}), engine.Options{})
	in := image(-2, 3, .5)
	before := in.Clone()
	if _, err := exe.Run(t.Context(), []tensor.Value{in}); err != nil {
		t.Fatal(err)
	}
	if !in.Equal(before) {
		t.Error("the run changed its input")
	}
}

func openShapes(t *testing.T, b engine.Backend) {
	exe := compile(t, b, network(t, tensor.Shape{1, 1, 1, tensor.Unknown}), engine.Options{})
	for _, x := range [][]float32{{1, 2}, {1, -1, 3, .5}, {2}, {1, 2}} {
		out, err := exe.Run(t.Context(), []tensor.Value{image(x...)})
		if err != nil {
			t.Fatal(err)
		}
		check(t, out, x)
	}
}

func integers(t *testing.T, b engine.Backend) {
	bd := split.NewBuilder("integers", 21)
	x := bd.Input("x", split.Type{DType: tensor.Int64, Shape: tensor.Shape{4}})
	idx := bd.Const("i", tensor.Of(tensor.Int64, tensor.Shape{2}, int64(3), 0))
	bd.Output(bd.Op("Gather", nil, x, idx))
	g, err := bd.Graph()
	if err != nil {
		t.Fatal(err)
	}
	exe := compile(t, b, canonical(t, g), engine.Options{})
	out, err := exe.Run(t.Context(), []tensor.Value{tensor.Of(tensor.Int64, tensor.Shape{4}, int64(1<<60), 2, 3, -4)})
	if err != nil {
		t.Fatal(err)
	}
	if want := tensor.Of(tensor.Int64, tensor.Shape{2}, int64(-4), 1<<60); !out[0].(*tensor.Tensor).Equal(want) {
		t.Errorf("got %v", tensor.Data[int64](out[0].(*tensor.Tensor)))
	}
}

func refuses(t *testing.T, b engine.Backend) {
	exe := compile(t, b, network(t, tensor.Shape{1, 1, 1, 3}), engine.Options{})
	for name, in := range map[string][]tensor.Value{
		"no input":    nil,
		"nil input":   {nil},
		"wrong type":  {tensor.Of(tensor.Int64, tensor.Shape{1, 1, 1, 3}, int64(1), 2, 3)},
		"wrong shape": {image(1, 2)},
		"two inputs":  {image(1, 2, 3), image(1, 2, 3)},
	} {
		if _, err := exe.Run(t.Context(), in); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	x := []float32{1, 2, 3} // and it still works
	out, err := exe.Run(t.Context(), []tensor.Value{image(x...)})
	if err != nil {
		t.Fatal(err)
	}
	check(t, out, x)
}

func memoryLimit(t *testing.T, b engine.Backend) {
	g := network(t, tensor.Shape{1, 1, 64, 64})
	_, err := b.Compile(t.Context(), g, engine.Options{MemoryLimit: 100})
	if !errors.Is(err, engine.ErrMemory) || !strings.Contains(err.Error(), "100") {
		t.Errorf("got %v", err)
	}
	compile(t, b, g, engine.Options{MemoryLimit: 1 << 30})
}

func cancelled(t *testing.T, b engine.Backend) {
	g := network(t, tensor.Shape{1, 1, 1, 3})
	exe := compile(t, b, g, engine.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := exe.Run(ctx, []tensor.Value{image(1, 2, 3)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if _, err := b.Compile(ctx, g, engine.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Compile: %v", err)
	}
}

// stages runs every two-way cut of a graph and compares with the uncut run.
func stages(t *testing.T, b engine.Backend) {
	g := network(t, tensor.Shape{1, 1, 1, 3})
	x := []float32{.5, -.25, 2}
	for _, cut := range split.Cuts(g) {
		if cut.Front == 0 || cut.Front == len(g.Groups) {
			continue
		}
		known := map[split.ValueID]tensor.Value{g.Inputs[0]: image(x...)}
		for _, half := range [][2]int{{0, cut.Front}, {cut.Front, len(g.Groups)}} {
			var ids []split.GroupID
			for i := half[0]; i < half[1]; i++ {
				ids = append(ids, split.GroupID(i))
			}
			st, err := g.Stage(ids)
			if err != nil {
				t.Fatal(err)
			}
			var in []tensor.Value
			for _, id := range st.In {
				in = append(in, known[id])
			}
			out, err := compile(t, b, st.Graph, engine.Options{}).Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range st.Out {
				known[id] = out[i].(*tensor.Tensor).Clone()
			}
		}
		check(t, []tensor.Value{known[g.Outputs[0]]}, x)
	}
}
