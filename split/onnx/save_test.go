package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// weighted is x times w plus a small constant, w of 64 by 32 float32.
func weighted(t *testing.T) *split.Graph {
	t.Helper()
	b := split.NewBuilder("weighted", ModernOpset)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 64}})
	w, err := tensor.New(tensor.Float32, tensor.Shape{64, 32})
	if err != nil {
		t.Fatal(err)
	}
	for i := range tensor.Data[float32](w) {
		tensor.Data[float32](w)[i] = float32(i)
	}
	y := b.Op("MatMul", nil, x, b.Const("w", w))
	b.Output(b.Op("Add", nil, y, b.Const("c", tensor.Of(tensor.Float32, nil, float32(2)))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSaveExternal(t *testing.T) {
	g := weighted(t)
	dir := t.TempDir()
	inside, outside := filepath.Join(dir, "inside.onnx"), filepath.Join(dir, "outside.onnx")
	if err := Save(inside, g); err != nil {
		t.Fatal(err)
	}
	if err := save(outside, g, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(inside + ".data"); err == nil {
		t.Error("a small model got external data")
	}
	if info, err := os.Stat(outside + ".data"); err != nil || info.Size() != 64*32*4 {
		t.Errorf("external data: %v, %v", info, err)
	}
	if info, err := os.Stat(outside); err != nil || info.Size() > 1000 {
		t.Errorf("the model itself: %v, %v", info, err)
	}
	var bytesOf [2][]byte
	for i, path := range []string{inside, outside} {
		back, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytesOf[i], err = Encode(back); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(bytesOf[0], bytesOf[1]) {
		t.Error("external data changed the model")
	}
	if _, err := LoadAlone(inside); err != nil {
		t.Error(err)
	}
	if _, err := LoadAlone(outside); !errors.Is(err, split.ErrInvalid) {
		t.Errorf("alone, external data gives %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestLoadSkeleton(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := save(path, weighted(t), 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".data"); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a model without its external data was loaded")
	}
	g, err := LoadSkeleton(path)
	if err != nil {
		t.Fatal(err)
	}
	w := g.Values[g.Ops[0].Inputs[1]].Const
	if w == nil || !w.Shape().Equal(tensor.Shape{64, 32}) || tensor.Data[float32](w)[5] <= 0 {
		t.Errorf("w is %v", w)
	}
}
