package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// fold turns outputs of ops that are known into constants: what follows from shapes, and ops of which every input is a constant.
func (c *canonicalizer) fold() bool {
	g := c.g
	changed := false
	for i := range g.Ops {
		o := &g.Ops[i]
		if keepDequantized(o, g) {
			continue
		}
		out := c.known(o)
		if out == nil {
			out = c.compute(o)
		}
		if out == nil {
			continue
		}
		for j, v := range o.Outputs {
			if v != None && out[j] != nil {
				c.makeConst(v, out[j])
			}
		}
		o.Type = ""
		changed = true
	}
	return changed
}

// keepDequantized reports whether o gives weights their real values: it stays, since quantised weights are a quarter of
// the size and engines compute with them.
func keepDequantized(o *Op, g *Graph) bool {
	return o.Is("DequantizeLinear") && g.elements(o.Input(0)) > 1
}

// known is the outputs of o when inference has found them all.
func (c *canonicalizer) known(o *Op) []*tensor.Tensor {
	out := make([]*tensor.Tensor, len(o.Outputs))
	for i, v := range o.Outputs {
		if v == None {
			continue
		}
		if out[i] = c.inf.consts[v]; out[i] == nil {
			return nil
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// compute is the outputs of o when all its inputs are constants and it can be evaluated within the limits.
func (c *canonicalizer) compute(o *Op) []*tensor.Tensor {
	if len(o.Captures) > 0 || random(o.Type) || len(o.Inputs) == 0 {
		return nil
	}
	in := make([]*tensor.Tensor, len(o.Inputs))
	for i, v := range o.Inputs {
		if v == None {
			continue
		}
		if in[i] = c.g.Values[v].Const; in[i] == nil {
			return nil
		}
	}
	left := MaxFoldedBytes - c.folded
	for _, v := range o.Outputs {
		if v == None {
			continue
		}
		n := c.g.Values[v].Bytes()
		if n < 0 {
			n = 0 // the evaluator's own limit counts
		}
		if left -= n; left < 0 {
			return nil
		}
	}
	out, err := evaluate(o, in, MaxFolded)
	if err != nil {
		hasGraph := false
		o.Subgraphs(func(string, *Graph) { hasGraph = true })
		if c.eval == nil || hasGraph {
			return nil
		}
		if out, err = c.eval(o, in); err != nil || len(out) < len(o.Outputs) {
			return nil
		}
	}
	for i, v := range o.Outputs {
		if v != None && (i >= len(out) || out[i] == nil) {
			return nil
		}
	}
	for _, t := range out {
		if t != nil {
			c.folded += int64(len(t.Bytes()))
		}
	}
	return out
}

// random reports whether an op gives another result each time.
func random(opType string) bool {
	switch opType {
	case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout":
		return true
	}
	return false
}

// makeConst turns v into a constant, in subgraphs that read it too.
func (c *canonicalizer) makeConst(v ValueID, t *tensor.Tensor) {
	val := &c.g.Values[v]
	val.Const, val.Producer = t, -1
	val.SetType(Type{DType: t.DType(), Shape: t.Shape().Clone()})
	for _, id := range val.Consumers {
		if o := &c.g.Ops[id]; slices.Contains(o.Captures, v) {
			o.Attrs = cloneAttrs(o.Attrs, func(g *Graph) *Graph { return renameCapture(g, val.Name, val) })
			o.Captures = slices.DeleteFunc(slices.Clone(o.Captures), func(x ValueID) bool { return x == v })
		}
	}
}
