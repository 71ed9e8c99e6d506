package engine_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

func TestProfile(t *testing.T) {
	g, err := onnx.Load("../../internal/demo/assets/blazeface-front.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if g, err = backends.Prepare(g, nil); err != nil {
		t.Fatal(err)
	}
	p, err := engine.NewProfile(context.Background(), native.New(native.Config{}), g, engine.ProfileOptions{Runs: 3, Cuts: 3, Budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	n := len(g.Groups)
	sum := 0.0
	for _, s := range p.Groups {
		sum += s
	}
	if math.Abs(sum-p.Whole) > 1e-9 {
		t.Errorf("groups add up to %g s, the whole is %g s", sum, p.Whole)
	}
	if p.Front[0] != 0 || p.Back[n] != 0 || math.Abs(p.Front[n]-p.Whole) > 1e-9 || math.Abs(p.Back[0]-p.Whole) > 1e-9 {
		t.Errorf("ends: front %g and %g, back %g and %g, whole %g", p.Front[0], p.Front[n], p.Back[0], p.Back[n], p.Whole)
	}
	if len(p.Timed) < 1 || len(p.Timed) > 3 || p.Memory.Weights <= 0 || p.Memory.Activations <= 0 {
		t.Errorf("timed %v, memory %+v", p.Timed, p.Memory)
	}
	if s := p.Segment(0, n); math.Abs(s-p.Whole) > 1e-9 {
		t.Errorf("the whole as a segment takes %g s, not %g s", s, p.Whole)
	}
}

func TestProfileRefusesOpenShapes(t *testing.T) {
	b := split.NewBuilder("open", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{tensor.Unknown}})
	b.Output(b.Op("Relu", nil, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.NewProfile(context.Background(), native.New(native.Config{}), g, engine.ProfileOptions{}); !errors.Is(err, engine.ErrDynamic) {
		t.Errorf("got %v", err)
	}
}

// TestProfileWithoutWeights profiles a model whose external data is not there.
func TestProfileWithoutWeights(t *testing.T) {
	memory := map[bool]engine.Memory{}
	for _, gone := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "m.onnx")
		writeExternal(t, path)
		if gone {
			if err := os.Remove(path + ".data"); err != nil {
				t.Fatal(err)
			}
		}
		g, err := onnx.LoadSkeleton(path)
		if err != nil {
			t.Fatal(err)
		}
		if g, err = backends.Prepare(g, nil); err != nil {
			t.Fatal(err)
		}
		p, err := engine.NewProfile(t.Context(), native.New(native.Config{}), g, engine.ProfileOptions{Runs: 3})
		if err != nil {
			t.Fatal(err)
		}
		if p.Whole <= 0 || len(p.Groups) != len(g.Groups) {
			t.Errorf("weights gone %v: %g s in %d groups of %d", gone, p.Whole, len(p.Groups), len(g.Groups))
		}
		memory[gone] = p.Memory
	}
	if memory[false] != memory[true] {
		t.Errorf("memory %+v without weights, %+v with them", memory[true], memory[false])
	}
}

// writeExternal writes a model of a convolution and a product whose weights lie in path.data.
func writeExternal(t *testing.T, path string) {
	t.Helper()
	var data []byte
	outside := func(name string, dims ...int64) *onnxpb.TensorProto {
		n := int64(4)
		for _, d := range dims {
			n *= d
		}
		p := &onnxpb.TensorProto{Name: name, DataType: 1, Dims: dims, DataLocation: onnxpb.TensorProto_EXTERNAL, ExternalData: []*onnxpb.StringStringEntryProto{
			{Key: "location", Value: filepath.Base(path) + ".data"}, {Key: "offset", Value: strconv.Itoa(len(data))},
		}}
		data = append(data, make([]byte, n)...)
		return p
	}
	b := split.NewBuilder("external", onnx.ModernOpset)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 3, 16, 16}})
	w := b.Input("w", split.Type{DType: tensor.Float32, Shape: tensor.Shape{8, 3, 3, 3}})
	f := b.Input("f", split.Type{DType: tensor.Float32, Shape: tensor.Shape{8 * 14 * 14, 10}})
	y := b.Op("Flatten", nil, b.Op("Relu", nil, b.Op("Conv", nil, x, w)))
	b.Output(b.Op("MatMul", nil, y, f))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	model, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(model, m); err != nil {
		t.Fatal(err)
	}
	m.Graph.Input = m.Graph.Input[:1]
	m.Graph.Initializer = []*onnxpb.TensorProto{outside("w", 8, 3, 3, 3), outside("f", 8*14*14, 10)}
	if model, err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{path: model, path + ".data": data} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
