package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// simple is y = Relu(x), which each case of TestRefused spoils in one way.
func simple() *onnxpb.ModelProto {
	return model(13, &onnxpb.GraphProto{
		Name: "g", Input: []*onnxpb.ValueInfoProto{info("x", 2, 3)}, Output: []*onnxpb.ValueInfoProto{info("y", 2, 3)},
		Node: []*onnxpb.NodeProto{node("Relu", list("x"), list("y"))},
	})
}

func TestRefused(t *testing.T) {
	nested := &onnxpb.GraphProto{Output: []*onnxpb.ValueInfoProto{info("x")}}
	for range MaxDepth + 1 {
		nested = &onnxpb.GraphProto{
			Node:   []*onnxpb.NodeProto{node("If", list("x"), list("o"), graphAttr("then_branch", nested))},
			Output: []*onnxpb.ValueInfoProto{info("o")},
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(m *onnxpb.ModelProto)
		is    error
		says  []string
	}{
		{"cycle", func(m *onnxpb.ModelProto) {
			m.Graph.Node = []*onnxpb.NodeProto{node("Add", list("x", "b"), list("a")), node("Mul", list("a", "a"), list("b")), node("Relu", list("b"), list("y"))}
		}, split.ErrInvalid, []string{"Add_1", "cycle"}},
		{"missing input", func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input[0] = "nowhere" }, split.ErrInvalid, []string{"Relu_1", `"nowhere"`}},
		{"missing output", func(m *onnxpb.ModelProto) { m.Graph.Output[0].Name = "z" }, split.ErrInvalid, []string{`"z"`}},
		{"defined twice", func(m *onnxpb.ModelProto) {
			m.Graph.Node = append(m.Graph.Node, node("Tanh", list("x"), list("y")))
		}, split.ErrInvalid, []string{"Tanh_1", `"y"`, "twice"}},
		{"unknown op", func(m *onnxpb.ModelProto) { m.Graph.Node[0].OpType = "Frobnicate" }, split.ErrUnknownOp, []string{"Frobnicate"}},
		{"unknown domain", func(m *onnxpb.ModelProto) { m.Graph.Node[0].Domain = "com.example" }, split.ErrUnknownOp, []string{"com.example.Relu"}},
		{"opset from the future", func(m *onnxpb.ModelProto) { m.OpsetImport[0].Version = 99 }, split.ErrInvalid, []string{"99", "26"}},
		{"no graph", func(m *onnxpb.ModelProto) { m.Graph = nil }, ErrFormat, []string{"no graph"}},
		{"short weights", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 1, Dims: []int64{4}, RawData: make([]byte, 8)}}
		}, split.ErrInvalid, []string{`"w"`, "8 bytes"}},
		{"short typed weights", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 10, Dims: []int64{4}, Int32Data: make([]int32, 3)}}
		}, split.ErrInvalid, []string{`"w"`, "3 elements"}},
		{"huge weights", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 1, Dims: []int64{1 << 40, 1 << 40}}}
		}, tensor.ErrShape, []string{`"w"`}},
		{"negative size", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 1, Dims: []int64{-1}}}
		}, tensor.ErrShape, []string{`"w"`}},
		{"unknown type", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 77, Dims: []int64{1}}}
		}, split.ErrInvalid, []string{`"w"`, "77"}},
		{"dense form too large", func(m *onnxpb.ModelProto) {
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{
				Values:  &onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{1}, FloatData: []float32{1}},
				Indices: &onnxpb.TensorProto{DataType: 7, Dims: []int64{1}, Int64Data: []int64{0}}, Dims: []int64{1 << 30},
			}}
		}, split.ErrLimit, []string{`"w"`}},
		{"nested too deep", func(m *onnxpb.ModelProto) {
			m.Graph.Node[0] = node("If", list("x"), list("y"), graphAttr("then_branch", nested))
		}, nil, []string{"deep"}},
		{"function that calls itself", func(m *onnxpb.ModelProto) {
			m.Functions = []*onnxpb.FunctionProto{{
				Name: "F", Domain: "d", Input: list("a"), Output: list("b"), Node: []*onnxpb.NodeProto{{OpType: "F", Domain: "d", Input: list("a"), Output: list("b")}},
			}}
			m.Graph.Node[0].OpType, m.Graph.Node[0].Domain = "F", "d"
		}, split.ErrLimit, []string{"themselves"}},
		{"external data without a directory", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = []*onnxpb.TensorProto{external("w", "weights.bin", "", "")}
		}, split.ErrInvalid, []string{`"w"`, "weights.bin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := simple()
			c.spoil(m)
			_, err := Decode(marshal(t, m), "")
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("error %v, want one that is %v", err, c.is)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	whole := marshal(t, simple())
	for _, c := range []struct {
		name string
		data []byte
	}{{"text", []byte("this is no model at all, but a sentence")}, {"empty", nil}, {"cut short", whole[:len(whole)-7]}} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, ErrFormat) && !errors.Is(err, split.ErrInvalid) {
			t.Errorf("%s: error %v", c.name, err)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %q does not name the file", c.name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "absent.onnx")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a directory is no model")
	}
}

// external is a float32 tensor of four elements that lies in another file.
func external(name, location, offset, length string) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{Name: name, DataType: 1, Dims: []int64{4}, DataLocation: onnxpb.TensorProto_EXTERNAL}
	for _, kv := range [][2]string{{"location", location}, {"offset", offset}, {"length", length}} {
		if kv[1] != "" {
			p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: kv[0], Value: kv[1]})
		}
	}
	return p
}

func TestExternalData(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "model")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := tensor.Of(tensor.Float32, tensor.Shape{4}, float32(1), 2, 3, 4)
	data := append(make([]byte, 5), want.Bytes()...)
	for _, path := range []string{filepath.Join(dir, "w.bin"), filepath.Join(dir, "sub", "w.bin"), filepath.Join(outside, "secret.bin")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret.bin"), filepath.Join(dir, "link.bin")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	load := func(w *onnxpb.TensorProto) (*tensor.Tensor, error) {
		m := simple()
		m.Graph.Initializer = []*onnxpb.TensorProto{w}
		m.Graph.Node[0] = node("Add", list("x", "w"), list("y"))
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, marshal(t, m), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := Load(path)
		if err != nil {
			return nil, err
		}
		return g.Values[g.Ops[0].Inputs[1]].Const, nil
	}
	for _, w := range []*onnxpb.TensorProto{external("w", "w.bin", "5", "16"), external("w", "w.bin", "5", ""), external("w", "sub/w.bin", "5", "16")} {
		if got, err := load(w); err != nil || !got.Equal(want) {
			t.Errorf("%v: %v, error %v", w.ExternalData, got, err)
		}
	}
	for _, c := range []struct {
		w    *onnxpb.TensorProto
		says string
	}{
		{external("w", "../secret.bin", "5", "16"), "secret.bin"},
		{external("w", filepath.Join(outside, "secret.bin"), "5", "16"), "secret.bin"},
		{external("w", "link.bin", "5", "16"), "link.bin"},
		{external("w", "sub/../../secret.bin", "5", "16"), "secret.bin"},
		{external("w", "sub", "", ""), "regular file"},
		{external("w", "gone.bin", "", ""), "gone.bin"},
		{external("w", "w.bin", "6", "16"), "cut short"},
		{external("w", "w.bin", "5", "17"), "needs 16 bytes"},
		{external("w", "w.bin", "-5", "16"), "offset -5"},
		{external("w", "w.bin", "9223372036854775807", "16"), "cut short"},
		{external("w", "w.bin", "five", "16"), "no number"},
		{external("w", "", "", ""), "location"},
	} {
		if _, err := load(c.w); !errors.Is(err, split.ErrInvalid) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `"w"`) {
			t.Errorf("%v: error %v, want one that says %q", c.w.ExternalData, err, c.says)
		}
	}
}

func TestTypeOfEveryKind(t *testing.T) {
	m := simple()
	m.Graph.Input[0].Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_MapType{MapType: &onnxpb.TypeProto_Map{KeyType: 7}}}
	if _, err := Decode(marshal(t, m), ""); !errors.Is(err, split.ErrInvalid) || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("a map input: %v", err)
	}
	deep := &onnxpb.TypeProto{}
	for range MaxDepth + 2 {
		deep = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: deep}}}
	}
	m.Graph.Input[0].Type = deep
	if _, err := Decode(marshal(t, m), ""); err == nil {
		t.Error("a type that nests too deep was taken")
	}
	if !proto.Equal(typeProto(split.Type{Kind: split.SequenceKind, Elem: &split.Type{Kind: split.OptionalKind}}),
		&onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{
			ElemType: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{}}},
		}}}) {
		t.Error("a sequence of optionals is written wrongly")
	}
}
