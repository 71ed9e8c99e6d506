package host

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine/backends"
)

// chain is x -> Relu -> Exp -> Neg -> y.
func chain(t *testing.T) *split.Graph {
	t.Helper()
	b := split.NewBuilder("chain", 17)
	v := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 64}})
	for _, op := range []string{"Relu", "Exp", "Neg"} {
		v = b.Op(op, nil, v)
	}
	b.Output(v)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = split.Specialize(g, map[string]tensor.Shape{"x": {1, 64}}); err != nil {
		t.Fatal(err)
	}
	if g, err = split.Canonicalize(g); err != nil {
		t.Fatal(err)
	}
	return g
}

func newHost(t *testing.T, cfg Config) *Host {
	t.Helper()
	cfg.Backends = backends.Backends()[:1]
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func all(g *split.Graph) (ids []split.GroupID) {
	for i := range g.Groups {
		ids = append(ids, split.GroupID(i))
	}
	return ids
}

func TestStagesRunAndAreKept(t *testing.T) {
	h, g := newHost(t, Config{}), chain(t)
	st, err := h.Prepare(t.Context(), g, "g", all(g), "", 0, false)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Prepare(t.Context(), g, "g", all(g), "", 0, false)
	if err != nil || again != st {
		t.Errorf("prepared twice: %v", err)
	}
	in, err := Sample(g)
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := st.Run(t.Context(), []*tensor.Tensor{in[0].(*tensor.Tensor)})
	if err != nil {
		t.Fatal(err)
	}
	kept := first[0].Clone()
	zero := tensor.Of(tensor.Float32, tensor.Shape{1, 64}, make([]float32, 64)...)
	if _, _, err := st.Run(t.Context(), []*tensor.Tensor{zero}); err != nil {
		t.Fatal(err)
	}
	if !first[0].Equal(kept) {
		t.Error("a later run changed the result of an earlier one")
	}
}

func TestStagesMakeRoom(t *testing.T) {
	h, g := newHost(t, Config{MaxStages: 1}), chain(t)
	first, err := h.Prepare(t.Context(), g, "g", all(g)[:1], "", 0, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Prepare(t.Context(), g, "g", all(g)[1:2], "", 0, true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.Run(t.Context(), nil); !errors.Is(err, ErrEvicted) {
		t.Errorf("the evicted stage gives %v", err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	h, g := newHost(t, Config{}), chain(t)
	for _, groups := range [][]split.GroupID{{99}, {-1}, {1, 0}, {0, 0}} {
		if _, err := h.Prepare(t.Context(), g, "g", groups, "", 0, true); err == nil {
			t.Errorf("groups %v are accepted", groups)
		}
	}
	if _, err := h.Prepare(t.Context(), g, "g", all(g), "abacus", 0, true); err == nil {
		t.Error("an unknown backend is accepted")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a host without backends is accepted")
	}
	for _, speed := range []float64{-1, 1.5} {
		if _, err := New(Config{Backends: backends.Backends(), Speed: speed}); err == nil {
			t.Errorf("speed %g is accepted", speed)
		}
	}
}

// TestEmulatedStageTakesItsTime checks the least time alone: how much longer it takes depends on what else the machine does.
func TestEmulatedStageTakesItsTime(t *testing.T) {
	h, g := newHost(t, Config{Speed: 0.1}), chain(t)
	const real = 2 * time.Millisecond
	st, err := h.Prepare(t.Context(), g, "g", all(g), "", real, true)
	if err != nil {
		t.Fatal(err)
	}
	in, err := Sample(g)
	if err != nil {
		t.Fatal(err)
	}
	args := []*tensor.Tensor{in[0].(*tensor.Tensor)}
	_, took, err := st.Run(t.Context(), args)
	if err != nil || took < 10*real {
		t.Errorf("took %v, want at least %v: %v", took, 10*real, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := st.Run(ctx, args); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run gives %v", err)
	}
}

func TestMeasureAndSurvey(t *testing.T) {
	h, g := newHost(t, Config{Speed: 0.5}), chain(t)
	timings, err := h.Measure(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, s := range timings[0].Groups {
		sum += s
	}
	// The groups are scaled to the total: what is left is rounding.
	if got := timings[0]; len(got.Groups) != len(g.Groups) || got.Total <= 0 || sum < 0.999*got.Total || sum > 1.001*got.Total {
		t.Errorf("timing %+v, groups add up to %g", got, sum)
	}
	found, err := h.Survey(t.Context(), g, func(split.ValueID) []codec.Spec { return []codec.Spec{{}, {ID: codec.JPEG}} })
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append([]split.ValueID{g.Groups[0].Out[0]}, g.Inputs...) {
		if c := found[v]; len(c) != 1 || c[0].Codec != "raw" || c[0].Bytes < 256 || c[0].Error != 0 {
			t.Errorf("value %d: %+v", v, c)
		}
	}
}
