package ort_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/ort"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// TestExportsLoad has ONNX Runtime load models that state more than it likes, whole as they are and canonical, and both sides of
// some cuts.
func TestExportsLoad(t *testing.T) {
	b, err := ort.New(ort.Config{})
	if err != nil {
		t.Skip(err)
	}
	dir := os.Getenv("CLEAVE_SHARED")
	if dir == "" {
		t.Skip("set CLEAVE_SHARED to the folder that holds models/ to run this test")
	}
	for _, name := range []string{"silero-vad", "silero-vad-16k", "stories260K"} {
		t.Run(name, func(t *testing.T) {
			c := suite.Case{Name: name, Dir: filepath.Join(dir, "models", name)}
			g, err := onnx.Load(filepath.Join(c.Dir, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			sets, err := suite.Sets(c, g)
			if err != nil {
				t.Fatal(err)
			}
			shapes := map[string]tensor.Shape{}
			for i, id := range g.Inputs {
				shapes[g.Values[id].Name] = sets[0].In[i].(*tensor.Tensor).Shape()
			}
			bound, err := split.Specialize(g, shapes)
			if err != nil {
				t.Fatal(err)
			}
			load(t, b, bound, "as it is", sets[0].In)
			canonical, err := split.Canonicalize(bound)
			if err != nil {
				t.Fatal(err)
			}
			load(t, b, canonical, "canonical", sets[0].In)
			cuts := split.Cuts(canonical)
			const some = 10
			for i := 0; i < len(cuts); i += max(1, len(cuts)/some) {
				cut := cuts[i]
				for _, part := range [][2]int{{0, cut.Front}, {cut.Front, len(canonical.Groups)}} {
					var ids []split.GroupID
					for i := part[0]; i < part[1]; i++ {
						ids = append(ids, split.GroupID(i))
					}
					if len(ids) == 0 {
						continue
					}
					st, err := canonical.Stage(ids)
					if err != nil {
						t.Fatal(err)
					}
					load(t, b, st.Graph, "stage", nil)
				}
			}
		})
	}
}

// load compiles g and, when there are inputs, runs it.
func load(t *testing.T, b engine.Backend, g *split.Graph, what string, in []tensor.Value) {
	t.Helper()
	exe, err := b.Compile(t.Context(), g, engine.Options{Threads: 1})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer exe.Close()
	if in != nil {
		if _, err := exe.Run(t.Context(), in); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
