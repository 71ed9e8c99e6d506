package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// product is a model of one matrix product with a matrix of the given side.
func product(t *testing.T, side int) *split.Graph {
	t.Helper()
	w, err := tensor.New(tensor.Float32, tensor.Shape{side, side})
	if err != nil {
		t.Fatal(err)
	}
	b := split.NewBuilder("product", onnx.ModernOpset)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{tensor.Unknown, side}})
	b.Output(b.Op("MatMul", nil, x, b.Const("w", w)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGraphsMapTheirFile: a model's weights are not read into memory, and a damaged file is noticed.
func TestGraphsMapTheirFile(t *testing.T) {
	folder, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	file, err := onnx.Encode(product(t, 256))
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := folder.AddModel(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	cache := newGraphs(folder)
	c, err := cache.get(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	weights := 0
	for i := range c.graph.Values {
		if w := c.graph.Values[i].Const; w != nil && w.Len() == 256*256 {
			weights++
			if mapped := runtime.GOOS != "windows" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"); w.Mapped() != mapped {
				t.Errorf("weights are mapped: %v", w.Mapped())
			}
		}
	}
	if weights != 1 {
		t.Errorf("%d matrices", weights)
	}
	cache.forget(d)
	if err := folder.RemoveModel(d); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder.Path(), "models", string(d)+".onnx"), file[:len(file)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.get(t.Context(), d, nil); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a damaged file gives %v", err)
	}
}
