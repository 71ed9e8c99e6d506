package split

import "math"

// matchAttention: MatMul(Softmax(MatMul(q, kT)*scale + mask), v) over the last two dimensions (Vaswani et al.,
// arXiv:1706.03762). Scale and mask may be missing, the scale may also be a division or sit before the mask only.
func matchAttention(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	if !last.Is("MatMul") || len(last.Outputs) != 1 {
		return nil
	}
	softmax, softmaxID := b.op(last.Inputs[0], "Softmax")
	if softmax == nil {
		return nil
	}
	rank := len(b.c.dims(softmax.Inputs[0]))
	if axis := softmax.Int("axis", -1); axis != -1 && axis != int64(rank-1) || rank < 2 {
		return nil
	}
	ops := []OpID{softmaxID, id}
	scores := softmax.Inputs[0]
	mask := None
	if add, addID := b.op(scores, "Add"); add != nil && b.c.only(scores) != nil {
		s, m, ok := operands(add, func(v ValueID) bool { o, _ := b.op(v, "Mul", "Div", "MatMul"); return o != nil && b.c.only(v) != nil })
		if !ok || !equalDims(b.c.dims(s), b.c.dims(scores)) {
			return nil
		}
		ops, scores, mask = append(ops, addID), s, m
	}
	scale := 1.0
	if mul, mulID := b.op(scores, "Mul", "Div"); mul != nil && b.c.only(scores) != nil {
		k := mul.Inputs[1]
		s, ok := b.scalar(k)
		from := mul.Inputs[0]
		if !ok && mul.Type == "Mul" {
			s, ok = b.scalar(mul.Inputs[0])
			from = mul.Inputs[1]
		}
		if !ok || s == 0 {
			return nil
		}
		if mul.Type == "Div" {
			s = 1 / s
		}
		ops, scores, scale = append(ops, mulID), from, s
	}
	product, productID := b.op(scores, "MatMul")
	if product == nil || math.IsInf(scale, 0) {
		return nil
	}
	ops = append(ops, productID)
	u := &unit{pattern: PatternAttention, ops: ops, in: product.Inputs[0], out: last.Outputs[0]}
	u.fused = b.fusedAttention(product.Inputs[0], product.Inputs[1], last.Inputs[1], mask, scale, last)
	return u
}

// fusedAttention is the one op of the written-out form; see DomainFused.
func (b *grouping) fusedAttention(q, k, v, mask ValueID, scale float64, last *Op) *Op {
	o := &Op{
		Name: last.Name, Domain: DomainFused, Type: "Attention", Inputs: []ValueID{q, k, v}, Outputs: last.Outputs,
		Attrs: map[string]Attr{"scale": float32(scale)},
	}
	if mask != None {
		o.Inputs = append(o.Inputs, mask)
	}
	return o
}

func equalDims(a, b dims) bool {
	if a == nil || b == nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] || !a[i].known() && a[i].p == "" {
			return false
		}
	}
	return true
}
