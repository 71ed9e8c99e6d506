package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// boundary is the float tensors that cross one cut.
type boundary struct {
	model  string
	front  int
	values []*tensor.Tensor
	bytes  int
}

// boundaries runs a model on its first data set and returns what crosses each of at most limit cuts: cuts that computed
// float values cross, each set of values once.
func boundaries(ctx context.Context, dir string, limit int) ([]boundary, error) {
	g, err := onnx.Load(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return nil, err
	}
	in := make([]tensor.Value, len(g.Inputs))
	shapes := map[string]tensor.Shape{}
	for i, id := range g.Inputs {
		b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
		if err != nil {
			return nil, err
		}
		t, err := onnx.ReadTensor(b)
		if err != nil {
			return nil, err
		}
		in[i], shapes[g.Values[id].Name] = t, t.Shape()
	}
	if g, err = backends.Prepare(g, shapes); err != nil {
		return nil, err
	}
	cuts := chosen(g, limit)
	tapped := *g
	tapped.Outputs = append([]split.ValueID(nil), g.Outputs...)
	place := map[split.ValueID]int{}
	for i, id := range tapped.Outputs {
		place[id] = i
	}
	for _, c := range cuts {
		for _, id := range c.Values {
			if _, there := place[id]; !there && computed(g, id) {
				place[id] = len(tapped.Outputs)
				tapped.Outputs = append(tapped.Outputs, id)
			}
		}
	}
	exe, err := native.New(native.Config{}).Compile(ctx, &tapped, engine.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	out, err := exe.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	var list []boundary
	for _, c := range cuts {
		b := boundary{model: filepath.Base(dir), front: c.Front}
		for _, id := range c.Values {
			if computed(g, id) {
				t := out[place[id]].(*tensor.Tensor).Clone()
				b.values = append(b.values, t)
				b.bytes += len(t.Bytes())
			}
		}
		list = append(list, b)
	}
	return list, nil
}

// computed reports whether a value is a float32 tensor that an op has computed.
func computed(g *split.Graph, id split.ValueID) bool {
	v := &g.Values[id]
	return v.Producer >= 0 && v.DType == tensor.Float32 && v.Kind == split.TensorKind
}

func chosen(g *split.Graph, limit int) []split.Cut {
	var all []split.Cut
	last := ""
	for _, c := range split.Cuts(g) {
		any := false
		for _, id := range c.Values {
			any = any || computed(g, id)
		}
		if key := fmt.Sprint(c.Values); any && c.Bytes > 0 && c.Front < len(g.Groups) && key != last {
			all, last = append(all, c), key
		}
	}
	if limit <= 0 || len(all) <= limit {
		return all
	}
	picked := make([]split.Cut, limit)
	for i := range picked {
		picked[i] = all[i*len(all)/limit+len(all)/limit/2]
	}
	return picked
}
