package backends

import (
	"runtime"
	"testing"

	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// TestMemoryPrediction holds the memory that a compiled model says it takes to what the heap has more of after a run.
func TestMemoryPrediction(t *testing.T) {
	live := func() int64 {
		runtime.GC()
		runtime.GC() // the first one only moves what pools hold aside
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	run := func() engine.Executable {
		g, err := onnx.Load("../../../internal/demo/assets/blazeface-front.onnx")
		if err != nil {
			t.Fatal(err)
		}
		if g, err = Prepare(g, nil); err != nil {
			t.Fatal(err)
		}
		exe, err := native.New(native.Config{}).Compile(t.Context(), g, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		in, err := engine.SynthesizeInputs(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exe.Run(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		return exe
	}
	if err := run().Close(); err != nil { // what the process sets up once
		t.Fatal(err)
	}
	before := live()
	exe := run()
	measured, predicted := live()-before, exe.Memory().Total()
	const inputs = 128 * 128 * 3 * 4 // the last run's, which its slot keeps
	if measured -= inputs; float64(predicted) < .9*float64(measured) || float64(predicted) > 1.1*float64(measured) {
		t.Errorf("predicted %d bytes, measured %d", predicted, measured)
	}
	if err := exe.Close(); err != nil {
		t.Fatal(err)
	}
}
