package demo

import (
	"context"
	"fmt"
	"image"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// oracle is the whole model's answer, computed in the demo's own process without mesh, plan or codec.
type oracle struct {
	inputName string
	outputs   map[string]*tensor.Tensor
	found     []face
	flops     int64
	groups    int
}

// newOracle runs the embedded model unsplit.
func newOracle(ctx context.Context, input *tensor.Tensor) (*oracle, error) {
	graph, err := onnx.Decode(modelFile, "")
	if err != nil {
		return nil, err
	}
	if len(graph.Inputs) != 1 {
		return nil, fmt.Errorf("the demo's model has %d inputs, want 1", len(graph.Inputs))
	}
	name := graph.Values[graph.Inputs[0]].Name
	if graph, err = backends.Prepare(graph, map[string]tensor.Shape{name: input.Shape()}); err != nil {
		return nil, err
	}
	exe, err := native.New(native.Config{}).Compile(ctx, graph, engine.Options{})
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	outputs, err := exe.Run(ctx, []tensor.Value{input})
	if err != nil {
		return nil, err
	}
	o := &oracle{inputName: name, outputs: map[string]*tensor.Tensor{}, groups: len(graph.Groups)}
	for i, id := range graph.Outputs {
		t, ok := outputs[i].(*tensor.Tensor)
		if !ok {
			return nil, fmt.Errorf("output %q is not a tensor", graph.Values[id].Name)
		}
		o.outputs[graph.Values[id].Name] = t.Clone()
	}
	for g := range graph.Groups {
		o.flops += graph.GroupCost(split.GroupID(g)).FLOPs
	}
	o.found, err = faces(values(o.outputs))
	return o, err
}

// facesInPixels scales boxes to a picture.
func facesInPixels(found []face, b image.Rectangle) []Face {
	var out []Face
	for _, f := range found {
		out = append(out, Face{
			f.Score, int(f.Left * float64(b.Dx())), int(f.Top * float64(b.Dy())),
			int(f.Right * float64(b.Dx())), int(f.Bottom * float64(b.Dy())),
		})
	}
	return out
}
