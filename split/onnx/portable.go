package onnx

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// Other engines infer shapes from what a model states, and refuse what does not fit. Two things that a model may do as long as
// its shapes are open, and that no longer fit when they are stated, are written in another way:
//
//   - a branch that is not taken at these sizes may not fit them (a model for two sampling rates): a model with an If states no
//     sizes, only ranks. Those of its inputs, from which the others follow, are metadata (shapesKey), which Decode puts back;
//   - Range takes scalars, and vectors of one element when nobody looks: such a bound gets a Squeeze in front.

// hasBranches reports whether g has an If, in subgraphs too.
func hasBranches(g *split.Graph) bool {
	return slices.ContainsFunc(g.Ops, func(o split.Op) bool {
		found := o.Is("If")
		o.Subgraphs(func(_ string, sub *split.Graph) { found = found || hasBranches(sub) })
		return found
	})
}

// shapesKey is the metadata with the shapes of the inputs of a model that states no sizes: a JSON object of sizes by name, -1 for one that
// is open.
const shapesKey = "cleave.input_shapes"

// inputShapes is that metadata of g.
func inputShapes(g *split.Graph) (string, error) {
	shapes := map[string]tensor.Shape{}
	for _, id := range g.Inputs {
		if v := &g.Values[id]; v.Shape != nil {
			shapes[v.Name] = v.Shape
		}
	}
	text, err := json.Marshal(shapes)
	return string(text), err
}

// takeShapes gives the inputs of g the shapes that its metadata states.
func takeShapes(g *split.Graph) error {
	text, ok := g.Metadata[shapesKey]
	if !ok {
		return nil
	}
	if g.Metadata = maps.Clone(g.Metadata); len(g.Metadata) == 1 {
		g.Metadata = nil
	}
	delete(g.Metadata, shapesKey)
	var shapes map[string]tensor.Shape
	if err := json.Unmarshal([]byte(text), &shapes); err != nil {
		return fmt.Errorf("%w: metadata %s: %v", split.ErrInvalid, shapesKey, err)
	}
	for _, id := range g.Inputs {
		v := &g.Values[id]
		s, ok := shapes[v.Name]
		if !ok {
			continue
		}
		fits := func(was, n int) bool { return n >= tensor.Unknown && (was < 0 || was == n) }
		if len(s) != len(v.Shape) || v.Shape == nil || !slices.EqualFunc(v.Shape, s, fits) {
			return fmt.Errorf("%w: metadata %s: input %q is %v, not %v", split.ErrInvalid, shapesKey, v.Name, v.Shape, s)
		}
		v.Shape = s
	}
	return nil
}

// scalars are the nodes that make scalars of o's inputs where it is a Range with bounds of one dimension; n, o's node, reads
// their outputs.
func (e *encoder) scalars(g *split.Graph, o *split.Op, n *onnxpb.NodeProto) []*onnxpb.NodeProto {
	if !o.Is("Range") {
		return nil
	}
	var nodes []*onnxpb.NodeProto
	for i, v := range o.Inputs {
		if v == split.None || len(g.Values[v].Shape) == 0 {
			continue
		}
		name := n.Output[0] + "/bound/" + n.Input[i]
		if !slices.ContainsFunc(nodes, func(s *onnxpb.NodeProto) bool { return s.Name == name }) {
			nodes = append(nodes, &onnxpb.NodeProto{Name: name, OpType: "Squeeze", Input: []string{n.Input[i]}, Output: []string{name}})
		}
		n.Input[i] = name
	}
	return nodes
}
