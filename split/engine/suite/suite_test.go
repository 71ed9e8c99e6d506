package suite

import (
	"context"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

const blazeface = "../../../internal/demo/assets/blazeface-front.onnx"

func prepared(t *testing.T, path string) (*split.Graph, []tensor.Value) {
	t.Helper()
	g, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	g, err = backends.Prepare(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	in, err := engine.SynthesizeInputs(g)
	if err != nil {
		t.Fatal(err)
	}
	return g, in
}

func TestSplitEqualsUnsplit(t *testing.T) {
	g, in := prepared(t, blazeface)
	cuts, err := CheckCuts(context.Background(), native.New(native.Config{}), g, in, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if cuts < 20 {
		t.Errorf("only %d cuts", cuts)
	}
}

// TestThreads holds a run on one core to the bits of a run on all.
func TestThreads(t *testing.T) {
	g, in := prepared(t, blazeface)
	var outs [2][]tensor.Value
	for i, threads := range []int{1, 0} {
		exe, err := native.New(native.Config{}).Compile(context.Background(), g, engine.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer exe.Close()
		if outs[i], err = exe.Run(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	}
	for i := range outs[0] {
		if err := identical(outs[0][i], outs[1][i]); err != nil {
			t.Error(err)
		}
	}
}

// TestReferenceAgrees holds the vectorised steps to the reference implementation, which sums in float64.
func TestReferenceAgrees(t *testing.T) {
	g, in := prepared(t, blazeface)
	var outs [2][]tensor.Value
	for i, cfg := range []native.Config{{}, {Reference: true}} {
		exe, err := native.New(cfg).Compile(context.Background(), g, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer exe.Close()
		if outs[i], err = exe.Run(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	}
	for i := range outs[0] {
		const tolerance = 1e-5 // of the range: float32 sums of a few thousand terms over 30 layers
		if d, err := Compare(outs[0][i], outs[1][i]); err != nil || d > tolerance {
			t.Errorf("output %d: difference %g of the range, %v", i, d, err)
		}
	}
}
