package split

import "slices"

// productAnchors start a group and choose their epilogue first; plainAnchors take what is left.
var (
	productAnchors = map[string]bool{
		"Conv": true, "ConvTranspose": true, "ConvInteger": true, "Gemm": true, "MatMul": true, "MatMulInteger": true, "MatMulNBits": true,
		"FusedMatMul": true,
	}
	plainAnchors = map[string]bool{
		"BatchNormalization": true, "InstanceNormalization": true, "GroupNormalization": true, "Add": true, "Mul": true, "MaxPool": true,
		"AveragePool": true, "GlobalAveragePool": true,
	}
)

// activations are the ops of one input, with constant parameters, that end a group.
var activations = map[string]bool{
	"Relu": true, "LeakyRelu": true, "PRelu": true, "Clip": true, "Sigmoid": true, "Tanh": true, "HardSigmoid": true, "HardSwish": true,
	"Elu": true, "Selu": true, "Celu": true, "Softplus": true, "Softsign": true, "Gelu": true, "QuickGelu": true, "FastGelu": true,
	"Mish": true, "Swish": true, "ThresholdedRelu": true, "Erf": true, "Exp": true, "Neg": true, "Abs": true, "Sqrt": true,
}

// grow makes a group of the op id and what follows it, and of the DequantizeLinear ops in front that it alone reads.
func (b *grouping) grow(id OpID) {
	g := b.g
	anchor := &g.Ops[id]
	if len(anchor.Outputs) != 1 || anchor.Outputs[0] == None {
		return
	}
	var ops []OpID
	var fused []Op
	pattern := ""
	for v := range uniqueReads(anchor) {
		p := g.Values[v].Producer
		if p < 0 || b.taken[p] || !g.Ops[p].Is("DequantizeLinear") || b.c.only(v) == nil {
			continue
		}
		ops, fused = append(ops, p), append(fused, g.Ops[p])
		pattern += "DequantizeLinear+"
	}
	dequantized := len(ops)
	ops, fused = append(ops, id), append(fused, *anchor)
	pattern += anchor.Type
	out := anchor.Outputs[0]
	plain := plainAnchors[anchor.Type]
	residual, active := plain, false
	for {
		u := b.next(out, residual, active, plain)
		if u == nil {
			break
		}
		switch {
		case u.pattern == "Add" && b.isResidual(u, out):
			residual = true
		case u.pattern == "Add" || u.pattern == "Mul":
		default:
			active = true
		}
		ops = append(ops, u.ops...)
		if u.fused != nil {
			fused = append(fused, *u.fused)
		} else {
			fused = append(fused, g.Ops[u.ops[0]])
		}
		pattern += "+" + u.pattern
		out = u.out
	}
	if q := b.c.only(out); q != nil && q.Is("QuantizeLinear") && q.Inputs[0] == out && dequantized > 0 && b.constantFrom(q, 1) {
		at := g.Values[q.Outputs[0]].Producer
		ops, fused = append(ops, at), append(fused, *q)
		pattern += "+QuantizeLinear"
	}
	if len(ops) > 1 {
		b.add(pattern, ops, fused)
	}
}

// next is the unit that alone reads v and may join a group whose result is v; nil when there is none.
func (b *grouping) next(v ValueID, residual, active, plain bool) *unit {
	g := b.g
	consumers := g.Values[v].Consumers
	if len(consumers) == 0 || b.outputs[v] || g.Values[v].Kind != TensorKind {
		return nil
	}
	if u := b.units[consumers[0]]; u != nil {
		if active || u.in != v || u.pattern == PatternLayerNorm || u.pattern == PatternRMSNorm || u.pattern == PatternAttention {
			return nil
		}
		for _, c := range consumers {
			if b.units[c] != u {
				return nil
			}
		}
		if b.taken[u.ops[0]] {
			return nil
		}
		return u
	}
	if len(consumers) != 1 || b.taken[consumers[0]] {
		return nil
	}
	o := &g.Ops[consumers[0]]
	if o.Domain != "" && o.Domain != microsoft || len(o.Outputs) != 1 || len(o.Captures) > 0 {
		return nil
	}
	u := &unit{pattern: o.Type, ops: []OpID{consumers[0]}, in: v, out: o.Outputs[0]}
	switch {
	case activations[o.Type]:
		if active || o.Inputs[0] != v || !b.constantFrom(o, 1) {
			return nil
		}
	case o.Type == "Add" || o.Type == "Mul":
		if plain || len(o.Inputs) != 2 || o.Inputs[0] == o.Inputs[1] || !sameShape(&g.Values[v], &g.Values[u.out]) {
			return nil
		}
		other := o.Inputs[0]
		if other == v {
			other = o.Inputs[1]
		}
		if g.Values[other].Const != nil {
			return u
		}
		if o.Type == "Mul" || residual || !sameShape(&g.Values[other], &g.Values[v]) {
			return nil
		}
	default:
		return nil
	}
	return u
}

// isResidual reports whether the Add u joins v with something that is computed.
func (b *grouping) isResidual(u *unit, v ValueID) bool {
	for _, in := range b.g.Ops[u.ops[0]].Inputs {
		if in != v && b.g.Values[in].Const == nil {
			return true
		}
	}
	return false
}

// constantFrom reports whether all inputs of o from i on are constants or absent.
func (b *grouping) constantFrom(o *Op, i int) bool {
	for ; i < len(o.Inputs); i++ {
		if o.Inputs[i] != None && b.g.Values[o.Inputs[i]].Const == nil {
			return false
		}
	}
	return true
}

// sameShape reports whether both values certainly have the same type and shape.
func sameShape(a, b *Value) bool {
	x, y := typeDims(a.Type()), typeDims(b.Type())
	if a.DType != b.DType || x == nil || len(x) != len(y) {
		return false
	}
	return !slices.ContainsFunc(x, func(d dim) bool { return !d.known() && d.p == "" }) && slices.Equal(x, y)
}
