package suite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// sharedModels are the cases beside the repository, in the folder that CLEAVE_SHARED names.
func sharedModels(t *testing.T) []Case {
	t.Helper()
	dir := os.Getenv("CLEAVE_SHARED")
	if dir == "" || testing.Short() {
		t.Skip("set CLEAVE_SHARED to the folder that holds models/ to run this test")
	}
	cases, err := Find(filepath.Join(dir, "models"))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// ready is a case's graph for its first data set, and that set.
func ready(c Case) (*split.Graph, Set, error) {
	g, err := onnx.Load(filepath.Join(c.Dir, "model.onnx"))
	if err != nil {
		return nil, Set{}, err
	}
	sets, err := Sets(c, g)
	if err != nil {
		return nil, Set{}, err
	}
	shapes := map[string]tensor.Shape{}
	for i, id := range g.Inputs {
		if v, ok := sets[0].In[i].(*tensor.Tensor); ok {
			shapes[g.Values[id].Name] = v.Shape()
		}
	}
	g, err = backends.Prepare(g, shapes)
	return g, sets[0], err
}

// TestSharedModels compares every shared model with ONNX Runtime's outputs. The largest ones are left to `cleave suite`.
func TestSharedModels(t *testing.T) {
	for _, c := range sharedModels(t) {
		if strings.HasPrefix(c.Name, "light-") {
			continue
		}
		if r := Run(context.Background(), native.New(native.Config{}), c, engine.Options{}); !r.Pass {
			t.Errorf("%s: %s", r.Name, r.Error)
		}
	}
}

// TestSharedCuts holds split runs of the smaller shared models to the bits of the uncut run, at every legal cut. With
// CLEAVE_CUTS=all it takes every model.
func TestSharedCuts(t *testing.T) {
	small := []string{"dscnn-kws", "dtln-1", "dtln-2", "resnet8-cifar10", "vww-96", "gtcrn-simple", "use-lite", "magika", "stories260K", "silero-vad-16k", "ppocr-v2-cls"}
	for _, c := range sharedModels(t) {
		if os.Getenv("CLEAVE_CUTS") != "all" && !strings.Contains(strings.Join(small, " ")+" ", c.Name+" ") {
			continue
		}
		g, set, err := ready(c)
		if err != nil {
			t.Fatal(err)
		}
		n, err := CheckCuts(context.Background(), native.New(native.Config{}), g, set.In, engine.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		t.Logf("%s: %d cuts equal", c.Name, n)
	}
}

// TestSuiteCuts does the same for the cases of an ONNX test suite in the folder that CLEAVE_SUITE names.
func TestSuiteCuts(t *testing.T) {
	dir := os.Getenv("CLEAVE_SUITE")
	if dir == "" {
		t.Skip("set CLEAVE_SUITE to a folder of ONNX backend tests to run this test")
	}
	cases, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	cuts, models := 0, 0
	for _, c := range cases {
		if r := Run(context.Background(), native.New(native.Config{}), c, engine.Options{}); !r.Pass {
			continue
		}
		g, set, err := ready(c)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		n, err := CheckCuts(context.Background(), native.New(native.Config{}), g, set.In, engine.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		cuts += n
		models++
	}
	t.Logf("%d cuts of %d cases equal", cuts, models)
}
