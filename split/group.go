package split

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// Group patterns. Ops stay as they are; a group says which of them belong together, so that no cut comes between ops that
// an engine computes in one go.
//
//	pattern  = composite | { "DequantizeLinear+" } anchor { "+" epilogue } [ "+QuantizeLinear" ] | op type
//	composite= "LayerNorm" | "RMSNorm" | "Gelu" | "HardSwish" | "Silu" | "HardSigmoid" | "Attention"
//	anchor   = "Conv" | "ConvTranspose" | "ConvInteger" | "Gemm" | "MatMul" | "MatMulInteger" | "MatMulNBits" | "FusedMatMul"
//	         | "BatchNormalization" | "InstanceNormalization" | "Add" | "Mul" | pools
//	epilogue = "Add" (a constant that stretches, or one residual of the output's shape) | "Mul" (by a constant)
//	         | activation (at most one) | "Gelu" | "HardSwish" | "Silu" | "HardSigmoid" (written out in several ops)
//
// In such a group the ops stand in the order of the pattern, those of a written-out activation together; each one's result is
// read by the next alone. The leading DequantizeLinear ops give weights or inputs their real values.
//
// Group.Fused has the ops that stand for the composites: LayerNormalization, RMSNormalization, Gelu, HardSwish, Swish,
// HardSigmoid and Attention as ONNX defines them (up to opset 24), with the other ops of the group unchanged.

// Pattern names of composites.
const (
	PatternLayerNorm   = "LayerNorm"
	PatternRMSNorm     = "RMSNorm"
	PatternGelu        = "Gelu"
	PatternHardSwish   = "HardSwish"
	PatternHardSigmoid = "HardSigmoid"
	PatternSilu        = "Silu"
	PatternAttention   = "Attention"
)

// unit is ops that compute one thing: one op, or a composite that the model writes out.
type unit struct {
	pattern string
	ops     []OpID // ascending
	in, out ValueID
	fused   *Op // nil for one op
}

// grouping assigns ops to groups.
type grouping struct {
	c       *canonicalizer
	g       *Graph
	outputs map[ValueID]bool
	// units holds each composite under every op of it; taken says that an op is in a group.
	units []*unit
	taken []bool
	list  []Group
}

// group fills Groups, then puts ops and groups into one topological order.
func (c *canonicalizer) group() error {
	if err := c.infer(); err != nil {
		return err
	}
	g := c.g
	b := &grouping{c: c, g: g, outputs: g.outputSet(), units: make([]*unit, len(g.Ops)), taken: make([]bool, len(g.Ops))}
	b.findComposites()
	// Later anchors choose first: of two convolutions that an Add joins, the second takes it, when the first's result is there.
	for _, anchors := range []map[string]bool{productAnchors, plainAnchors} {
		for i := len(g.Ops) - 1; i >= 0; i-- {
			if o := &g.Ops[i]; !b.taken[i] && b.units[i] == nil && anchors[o.Type] {
				b.grow(OpID(i))
			}
		}
	}
	for i := range g.Ops {
		if b.taken[i] {
			continue
		}
		if u := b.units[i]; u != nil {
			b.add(u.pattern, u.ops, []Op{*u.fused})
			continue
		}
		b.add(g.Ops[i].Type, []OpID{OpID(i)}, nil)
	}
	if err := b.order(); err != nil {
		return err
	}
	g.nameGroups()
	g.fillGroupBorders()
	return nil
}

func (b *grouping) add(pattern string, ops []OpID, fused []Op) {
	for _, op := range ops {
		b.taken[op] = true
	}
	if len(fused) >= len(ops) {
		fused = nil
	}
	b.list = append(b.list, Group{Pattern: pattern, Ops: ops, Fused: fused})
}

// order sorts the groups topologically, as near as possible to the order of their last ops, and the ops with them.
func (b *grouping) order() error {
	g := b.g
	slices.SortFunc(b.list, func(x, y Group) int { return int(slices.Max(x.Ops)) - int(slices.Max(y.Ops)) })
	owner := make([]int, len(g.Ops))
	for i := range b.list {
		for _, op := range b.list[i].Ops {
			owner[op] = i
		}
	}
	waiting := make([]int, len(b.list))
	next := make([][]int, len(b.list))
	for i := range b.list {
		seen := map[int]bool{i: true}
		for _, op := range b.list[i].Ops {
			for v := range g.Ops[op].reads() {
				p := g.Values[v].Producer
				if p < 0 || seen[owner[p]] {
					continue
				}
				seen[owner[p]] = true
				waiting[i]++
				next[owner[p]] = append(next[owner[p]], i)
			}
		}
	}
	ready := &opHeap{}
	for i := range waiting {
		if waiting[i] == 0 {
			heap.Push(ready, i)
		}
	}
	ops := make([]Op, 0, len(g.Ops))
	groups := make([]Group, 0, len(b.list))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		gr := b.list[i]
		ids := make([]OpID, len(gr.Ops))
		for j, op := range gr.Ops {
			ids[j] = OpID(len(ops))
			ops = append(ops, g.Ops[op])
		}
		gr.Ops = ids
		groups = append(groups, gr)
		for _, n := range next[i] {
			if waiting[n]--; waiting[n] == 0 {
				heap.Push(ready, n)
			}
		}
	}
	if len(groups) < len(b.list) {
		return invalid("fused groups depend on each other in a circle")
	}
	g.Ops, g.Groups = ops, groups
	return g.link()
}

// nameGroups names every group after its last op; groups whose op has no name or a name that is taken get one from type and
// position.
func (g *Graph) nameGroups() {
	used := map[string]bool{}
	for i := range g.Groups {
		gr := &g.Groups[i]
		gr.Name = g.Ops[gr.Ops[len(gr.Ops)-1]].Name
		if gr.Name == "" || used[gr.Name] {
			gr.Name = fmt.Sprintf("%s_%d", strings.ReplaceAll(gr.Pattern, "+", "_"), i)
			for used[gr.Name] {
				gr.Name += "_"
			}
		}
		used[gr.Name] = true
	}
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

// DomainFused is the domain of ops that occur in Group.Fused only and that ONNX has no operator for. There is one,
// "Attention": inputs q (... x L x d), k transposed (... x d x S), v (... x S x e) and, where there is one, a mask that stretches to
// ... x L x S and is added; attribute scale (float32). Its output is Softmax(q k scale + mask) v, with numpy's broadcasting of the
// leading dimensions.
const DomainFused = "cleave"
