package split

import "github.com/cleave-mesh/cleave/internal/tensor"

// matchNorm: (x - mean(x)) / sqrt(mean((x-mean)^2) + epsilon), then scale and bias as far as they are there (LayerNorm; Ba
// et al., arXiv:1607.06450), or without the mean (RMSNorm; Zhang and Sennrich, arXiv:1910.07467). The reciprocal of the root may be multiplied
// instead.
func matchNorm(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	var ops []OpID
	var scale, bias ValueID = None, None
	v := last.Outputs[0]
	if len(last.Outputs) != 1 {
		return nil
	}
	cur, curID := last, id
	if cur.Is("Add") {
		k, rest, ok := operands(cur, b.isParameter)
		if !ok {
			return nil
		}
		bias = k
		ops = append(ops, curID)
		if cur, curID = b.op(rest, "Mul"); cur == nil {
			return nil
		}
	}
	if cur.Is("Mul") {
		if k, rest, ok := operands(cur, b.isParameter); ok {
			scale = k
			ops = append(ops, curID)
			if cur, curID = b.op(rest, "Div", "Mul"); cur == nil {
				return nil
			}
		}
	}
	if bias != None && scale == None {
		return nil
	}
	// cur is centred / root, or centred * (1/root).
	var centred ValueID
	var root *Op
	var rootID OpID
	switch {
	case cur.Is("Div") && len(cur.Inputs) == 2:
		centred = cur.Inputs[0]
		root, rootID = b.op(cur.Inputs[1], "Sqrt")
	case cur.Is("Mul"):
		r, rest, ok := operands(cur, func(v ValueID) bool { o, _ := b.op(v, "Reciprocal", "Div"); return o != nil && b.c.only(v) != nil })
		if !ok {
			return nil
		}
		inverse, inverseID := b.op(r, "Reciprocal", "Div")
		under := inverse.Inputs[0]
		if inverse.Type == "Div" {
			if !b.near(inverse.Inputs[0], 1) {
				return nil
			}
			under = inverse.Inputs[1]
		}
		ops = append(ops, inverseID)
		centred = rest
		root, rootID = b.op(under, "Sqrt")
	}
	if root == nil {
		return nil
	}
	ops = append(ops, curID, rootID)
	add, addID := b.op(root.Inputs[0], "Add")
	if add == nil {
		return nil
	}
	epsilon, variance, ok := operands(add, func(v ValueID) bool { _, ok := b.scalar(v); return ok })
	mean, meanID := b.op(variance, "ReduceMean")
	if !ok || mean == nil || !b.lastAxis(mean) {
		return nil
	}
	square, squareID := b.op(mean.Inputs[0], "Pow", "Mul")
	if square == nil || square.Inputs[0] != centred || square.Type == "Pow" && !b.near(square.Inputs[1], 2) || square.Type == "Mul" && square.Inputs[1] != centred {
		return nil
	}
	ops = append(ops, addID, meanID, squareID)
	eps, _ := b.scalar(epsilon)
	attrs := map[string]Attr{"axis": int64(-1), "epsilon": float32(eps)}
	fused := &Op{Name: last.Name, Outputs: []ValueID{v}, Attrs: attrs}
	u := &unit{pattern: PatternRMSNorm, in: centred, out: v, fused: fused}
	fused.Type = "RMSNormalization"
	if sub, subID := b.op(centred, "Sub"); sub != nil {
		if avg, avgID := b.op(sub.Inputs[1], "ReduceMean"); avg != nil && b.lastAxis(avg) && avg.Inputs[0] == sub.Inputs[0] {
			ops = append(ops, subID, avgID)
			u.pattern, u.in, fused.Type = PatternLayerNorm, sub.Inputs[0], "LayerNormalization"
		}
	}
	if u.pattern == PatternRMSNorm && bias != None {
		return nil
	}
	if scale == None {
		return nil // engines need a scale; without one there is nothing to fuse it with
	}
	fused.Inputs = []ValueID{u.in, scale}
	if bias != None {
		fused.Inputs = append(fused.Inputs, bias)
	}
	u.ops = ops
	return u
}

// isParameter reports whether v is a constant vector such as scales and biases are.
func (b *grouping) isParameter(v ValueID) bool {
	t := b.c.constant(v)
	return t != nil && len(t.Shape()) == 1 && (t.DType() == tensor.Float32 || t.DType() == tensor.Float16)
}

// lastAxis reports whether a ReduceMean is over the last dimension alone and keeps it.
func (b *grouping) lastAxis(o *Op) bool {
	axes, ok := b.c.ints(o.Input(1))
	if o.Input(1) == None {
		return false
	}
	rank := len(b.c.dims(o.Inputs[0]))
	return ok && len(axes) == 1 && (axes[0] == -1 || rank > 0 && axes[0] == int64(rank-1)) && o.Int("keepdims", 1) != 0
}

// matchAffineNorm is LayerNorm as TensorFlow writes it: x*r + (bias - mean*r) with r = scale / sqrt(variance+epsilon).
func matchAffineNorm(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	if !last.Is("Add") || len(last.Outputs) != 1 {
		return nil
	}
	shift, scaled, ok := operands(last, func(v ValueID) bool {
		o, _ := b.op(v, "Sub")
		return o != nil && b.isParameter(o.Inputs[0])
	})
	if !ok {
		return nil
	}
	sub, subID := b.op(shift, "Sub")
	product, productID := b.op(scaled, "Mul")
	moved, movedID := b.op(sub.Inputs[1], "Mul")
	if product == nil || moved == nil {
		return nil
	}
	// The factor r is what both products have in common.
	r, x, ok := operands(product, func(v ValueID) bool { return v != None && (v == moved.Inputs[0] || v == moved.Inputs[1]) })
	if !ok || x == r {
		return nil
	}
	mean := moved.Inputs[0]
	if mean == r {
		mean = moved.Inputs[1]
	}
	gain, gainID := b.op(r, "Mul")
	avg, avgID := b.op(mean, "ReduceMean")
	if gain == nil || avg == nil || avg.Inputs[0] != x || !b.lastAxis(avg) {
		return nil
	}
	scale, inverse, ok := operands(gain, b.isParameter)
	if !ok {
		return nil
	}
	reciprocal, reciprocalID := b.op(inverse, "Reciprocal")
	if reciprocal == nil {
		return nil
	}
	root, rootID := b.op(reciprocal.Inputs[0], "Sqrt")
	if root == nil {
		return nil
	}
	add, addID := b.op(root.Inputs[0], "Add")
	if add == nil {
		return nil
	}
	epsilon, variance, ok := operands(add, func(v ValueID) bool { _, ok := b.scalar(v); return ok })
	power, powerID := b.op(variance, "ReduceMean")
	if !ok || power == nil || !b.lastAxis(power) {
		return nil
	}
	square, squareID := b.op(power.Inputs[0], "Mul", "Pow")
	if square == nil || square.Type == "Mul" && square.Inputs[0] != square.Inputs[1] || square.Type == "Pow" && !b.near(square.Inputs[1], 2) {
		return nil
	}
	centred, centredID := b.op(square.Inputs[0], "Sub")
	if centred == nil || centred.Inputs[0] != x || centred.Inputs[1] != mean {
		return nil
	}
	eps, _ := b.scalar(epsilon)
	return &unit{
		pattern: PatternLayerNorm, in: x, out: last.Outputs[0],
		ops: []OpID{id, subID, productID, movedID, gainID, avgID, reciprocalID, rootID, addID, powerID, squareID, centredID},
		fused: &Op{
			Name: last.Name, Type: "LayerNormalization", Inputs: []ValueID{x, scale, sub.Inputs[0]}, Outputs: last.Outputs,
			Attrs: map[string]Attr{"axis": int64(-1), "epsilon": float32(eps)},
		},
	}
}
