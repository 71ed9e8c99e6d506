package onnx

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/split"
)

// Other engines infer shapes from what a model states, and refuse what does not fit. Two things that a model may do as long as
// its shapes are open, and that no longer fit when they are stated, are written in another way:
//
//   - a branch that is not taken at these sizes may not fit them (a model for two sampling rates): a model with an If states no
//     sizes, only ranks;
//   - Range takes scalars, and vectors of one element when nobody looks: such a bound gets a Squeeze in front.

// hasBranches reports whether g has an If, in subgraphs too.
func hasBranches(g *split.Graph) bool {
	return slices.ContainsFunc(g.Ops, func(o split.Op) bool {
		found := o.Is("If")
		o.Subgraphs(func(_ string, sub *split.Graph) { found = found || hasBranches(sub) })
		return found
	})
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
