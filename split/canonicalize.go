package split

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Evaluator computes one op of the ONNX domain on constants: in is parallel to op.Inputs, nil where an input is absent,
// and the result to op.Outputs. It must give the same bits on every node. It returns an error that wraps ErrUnknownOp for ops that it does not know.
type Evaluator func(op *Op, in []*tensor.Tensor) ([]*tensor.Tensor, error)

// Option changes what Canonicalize does.
type Option func(*canonicalizer)

// WithEvaluator makes Canonicalize also fold constant ops that package split cannot compute itself. The result, and so the digest,
// depends on which ops eval knows: all nodes of a mesh must use the same.
func WithEvaluator(eval Evaluator) Option {
	return func(c *canonicalizer) { c.eval = eval }
}

type canonicalizer struct {
	g    *Graph
	eval Evaluator
}

// Canonicalize rewrites a specialised graph into the form that is cut and executed, and fills Groups. It never changes g. Equal inputs give equal
// results, bit for bit, so that every node cuts the same graph.
func Canonicalize(g *Graph, opts ...Option) (*Graph, error) {
	c := &canonicalizer{g: g.clone()}
	for _, opt := range opts {
		opt(c)
	}
	c.g.Groups = nil
	c.group()
	if err := c.g.link(); err != nil {
		return nil, fmt.Errorf("canonicalize: %w", err)
	}
	return c.g, nil
}

// group makes every op a group of its own.
func (c *canonicalizer) group() {
	g := c.g
	used := map[string]bool{}
	for i := range g.Ops {
		o := &g.Ops[i]
		name := o.Name
		if name == "" || used[name] {
			name = fmt.Sprintf("%s_%d", o.Type, i)
		}
		used[name] = true
		g.Groups = append(g.Groups, Group{Name: name, Pattern: o.Type, Ops: []OpID{OpID(i)}})
	}
	g.fillGroupBorders()
}

// fillGroupBorders computes every group's In and Out.
func (g *Graph) fillGroupBorders() {
	owner := g.opGroups()
	isOutput := g.outputSet()
	for id := range g.Groups {
		gr := &g.Groups[id]
		gr.In, gr.Out = nil, nil
		seen := map[ValueID]bool{}
		for _, op := range gr.Ops {
			for v := range g.Ops[op].reads() {
				val := &g.Values[v]
				if seen[v] || val.Const != nil || val.Producer >= 0 && owner[val.Producer] == GroupID(id) {
					continue
				}
				seen[v] = true
				gr.In = append(gr.In, v)
			}
		}
		for _, op := range gr.Ops {
			for _, v := range g.Ops[op].Outputs {
				if v == None {
					continue
				}
				out := isOutput[v]
				for _, c := range g.Values[v].Consumers {
					out = out || owner[c] != GroupID(id)
				}
				if out {
					gr.Out = append(gr.Out, v)
				}
			}
		}
	}
}
