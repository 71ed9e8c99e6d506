package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// roundTrip writes g, reads it back and writes that: both files must be equal, and both graphs infer.
func roundTrip(t *testing.T, g *split.Graph) {
	t.Helper()
	first, err := Encode(g)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	back, err := Decode(first, "")
	if err != nil {
		t.Fatalf("decode what Encode wrote: %v", err)
	}
	second, err := Encode(back)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("%q changed on its way: %d bytes, then %d", g.Name, len(first), len(second))
	}
	if _, err := split.Specialize(back, nil); err != nil {
		t.Errorf("what Encode wrote does not infer: %v", err)
	}
}

// TestEncodeTensors sends a tensor of every element type there and back, as raw and as typed data.
func TestEncodeTensors(t *testing.T) {
	for d := tensor.Float32; d.Valid(); d++ {
		var want *tensor.Tensor
		var err error
		if d == tensor.String {
			want, err = tensor.FromStrings(tensor.Shape{2}, []string{"a", "b\xff"})
		} else if want, err = tensor.New(d, tensor.Shape{3, 5}); err == nil {
			for i := range want.Bytes() {
				want.Bytes()[i] = byte(i * 7 & 1) // also a valid bool
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		pb, err := WriteTensor("x", want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadTensor(pb); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, error %v", d, got, err)
		}
	}
}

func TestTypedData(t *testing.T) {
	for _, c := range []struct {
		p    *onnxpb.TensorProto
		want *tensor.Tensor
	}{
		{&onnxpb.TensorProto{DataType: 1, FloatData: []float32{1, -2}}, tensor.Of(tensor.Float32, tensor.Shape{2}, float32(1), -2)},
		{&onnxpb.TensorProto{DataType: 2, Int32Data: []int32{1, 255}}, tensor.Of(tensor.Uint8, tensor.Shape{2}, uint8(1), 255)},
		{&onnxpb.TensorProto{DataType: 3, Int32Data: []int32{1, -1}}, tensor.Of(tensor.Int8, tensor.Shape{2}, int8(1), -1)},
		{&onnxpb.TensorProto{DataType: 4, Int32Data: []int32{1, 65535}}, tensor.Of(tensor.Uint16, tensor.Shape{2}, uint16(1), 65535)},
		{&onnxpb.TensorProto{DataType: 5, Int32Data: []int32{1, -2}}, tensor.Of(tensor.Int16, tensor.Shape{2}, int16(1), -2)},
		{&onnxpb.TensorProto{DataType: 6, Int32Data: []int32{1, -2}}, tensor.Of(tensor.Int32, tensor.Shape{2}, int32(1), -2)},
		{&onnxpb.TensorProto{DataType: 7, Int64Data: []int64{1, -2}}, tensor.Of(tensor.Int64, tensor.Shape{2}, int64(1), -2)},
		{&onnxpb.TensorProto{DataType: 9, Int32Data: []int32{1, 0}}, tensor.Of(tensor.Bool, tensor.Shape{2}, true, false)},
		{&onnxpb.TensorProto{DataType: 10, Int32Data: []int32{0x3c00, 0xc000}}, tensor.Of(tensor.Float16, tensor.Shape{2}, uint16(0x3c00), 0xc000)},
		{&onnxpb.TensorProto{DataType: 11, DoubleData: []float64{1, -2}}, tensor.Of(tensor.Float64, tensor.Shape{2}, 1.0, -2)},
		{&onnxpb.TensorProto{DataType: 12, Uint64Data: []uint64{1, 1<<32 - 1}}, tensor.Of(tensor.Uint32, tensor.Shape{2}, uint32(1), 1<<32-1)},
		{&onnxpb.TensorProto{DataType: 13, Uint64Data: []uint64{1, 1 << 63}}, tensor.Of(tensor.Uint64, tensor.Shape{2}, uint64(1), 1<<63)},
		{&onnxpb.TensorProto{DataType: 14, FloatData: []float32{1, 2, 3, 4}}, tensor.Of(tensor.Complex64, tensor.Shape{2}, complex64(1+2i), 3+4i)},
		{&onnxpb.TensorProto{DataType: 17, Int32Data: []int32{0x38, 0xff}}, tensor.Of(tensor.Float8E4M3FN, tensor.Shape{2}, uint8(0x38), 0xff)},
	} {
		c.p.Dims = []int64{2}
		if got, err := (&reader{}).tensor(c.p); err != nil || !got.Equal(c.want) {
			t.Errorf("%s: error %v", c.want, err)
		}
	}
	// Two 4-bit and four 2-bit elements share a byte, and so an int32.
	for _, d := range []tensor.DType{tensor.Int4, tensor.Uint4, tensor.Float4E2M1, tensor.Int2, tensor.Uint2} {
		p := &onnxpb.TensorProto{DataType: int32(d), Dims: []int64{5}, Int32Data: []int32{0x21, 0x43, 0x05}[:(5*d.Bits()+7)/8]}
		if got, err := (&reader{}).tensor(p); err != nil || got.Bytes()[0] != 0x21 {
			t.Errorf("%s: error %v", d, err)
		}
	}
}

func TestSparse(t *testing.T) {
	want := tensor.Of(tensor.Float32, tensor.Shape{2, 3}, float32(0), 7, 0, 0, 0, 9)
	values := &onnxpb.TensorProto{DataType: 1, Dims: []int64{2}, FloatData: []float32{7, 9}}
	for _, index := range []*onnxpb.TensorProto{
		{DataType: 7, Dims: []int64{2}, Int64Data: []int64{1, 5}},
		{DataType: 7, Dims: []int64{2, 2}, Int64Data: []int64{0, 1, 1, 2}},
	} {
		got, err := (&reader{}).sparse(&onnxpb.SparseTensorProto{Values: values, Indices: index, Dims: []int64{2, 3}})
		if err != nil || !got.Equal(want) {
			t.Errorf("indices %v: %v, error %v", index.Dims, got, err)
		}
	}
	far := &onnxpb.TensorProto{DataType: 7, Dims: []int64{2}, Int64Data: []int64{1, 6}}
	if _, err := (&reader{}).sparse(&onnxpb.SparseTensorProto{Values: values, Indices: far, Dims: []int64{2, 3}}); err == nil {
		t.Error("an index out of range was taken")
	}
}

// TestAlignInPlace: constants of a loaded file share its buffer, wherever in it they lie.
func TestAlignInPlace(t *testing.T) {
	dir := t.TempDir()
	for pad := range 9 {
		m := simple()
		m.ProducerName = "123456789"[:pad]
		w := tensor.Of(tensor.Float32, tensor.Shape{5}, float32(1), 2, 3, 4, 5)
		n := tensor.Of(tensor.Int64, tensor.Shape{2}, int64(10), 20)
		h := tensor.Of(tensor.Float16, tensor.Shape{3}, uint16(1), 2, 3)
		m.Graph.Initializer = []*onnxpb.TensorProto{TensorProto("w", w), TensorProto("n", n), TensorProto("h", h)}
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, marshal(t, m), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []*tensor.Tensor{w, n, h} {
			if got := g.Values[i].Const; !got.Equal(want) {
				t.Errorf("pad %d: %s differs", pad, want)
			}
		}
	}
}

// TestSharedModels reads, infers, canonicalises and writes every model of the shared folder, and extracts stages.
func TestSharedModels(t *testing.T) {
	dir := os.Getenv("CLEAVE_SHARED")
	if dir == "" {
		t.Skip("CLEAVE_SHARED is not set: it names the folder with models/")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "models", "*", "model.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models in %s: %v", dir, err)
	}
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "light-vgg19" {
				t.Skip("half a gigabyte of weights")
			}
			g, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := split.Specialize(g, nil)
			if err != nil {
				t.Fatal(err)
			}
			if name == "light-vgg19" || name == "light-alexnet" { // their constants are generated, and large
				return
			}
			roundTrip(t, s)
			c, err := split.Canonicalize(s)
			if err != nil {
				t.Fatal(err)
			}
			cuts := split.Cuts(c)
			if len(cuts) < 2 {
				t.Fatalf("%d cuts", len(cuts))
			}
			middle := cuts[len(cuts)/2]
			var front, back []split.GroupID
			for id := range c.Groups {
				if id < middle.Front {
					front = append(front, split.GroupID(id))
				} else {
					back = append(back, split.GroupID(id))
				}
			}
			for _, side := range [][]split.GroupID{front, back} {
				stage, err := c.Stage(side)
				if err != nil {
					t.Fatal(err)
				}
				roundTrip(t, stage.Graph)
			}
		})
	}
}

// TestEncodeBranches: a model with an If states no sizes for other engines, and keeps those of its inputs.
func TestEncodeBranches(t *testing.T) {
	pair := split.Type{DType: tensor.Float32, Shape: tensor.Shape{2}}
	branch := func(name, op string) *split.Graph {
		b := split.NewBuilder(name, ModernOpset)
		b.Prefix(name)
		b.Output(b.Op(op, nil, b.Capture("x", pair)))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	b := split.NewBuilder("branches", ModernOpset)
	x, cond := b.Input("x", pair), b.Input("cond", split.Type{DType: tensor.Bool, Shape: tensor.Shape{}})
	open := b.Input("open", split.Type{DType: tensor.Float32, Shape: tensor.Shape{tensor.Unknown, 3}, Params: []string{"n", ""}})
	y := b.Value("y", split.Type{})
	b.Add(split.Op{
		Type: "If", Inputs: []split.ValueID{cond}, Captures: []split.ValueID{x}, Outputs: []split.ValueID{y},
		Attrs: map[string]split.Attr{"then_branch": branch("then", "Relu"), "else_branch": branch("else", "Neg")},
	})
	b.Output(y)
	b.Output(b.Op("Relu", nil, open))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, g)
	file, err := Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if back.Metadata != nil {
		t.Errorf("metadata: %v", back.Metadata)
	}
	for i, id := range g.Inputs {
		if got, want := back.Values[back.Inputs[i]].Type().String(), g.Values[id].Type().String(); got != want {
			t.Errorf("input %d is %s, was %s", i, got, want)
		}
	}
	for _, bad := range []string{"[]", `{"x":[3,1]}`, `{"x":[-2]}`} {
		g.Metadata = map[string]string{shapesKey: bad}
		plain := *g
		plain.Ops = nil // no If, so that Encode writes the metadata as it stands
		plain.Outputs = plain.Inputs
		if file, err = Encode(&plain); err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(file, ""); !errors.Is(err, split.ErrInvalid) {
			t.Errorf("%s gives %v", bad, err)
		}
	}
}
