package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// findComposites finds what models write out in several ops. Each matcher starts at the last op of its pattern; later ops come
// first, so that a bias that belongs to a norm is found with it.
func (b *grouping) findComposites() {
	for i := len(b.g.Ops) - 1; i >= 0; i-- {
		for _, match := range []func(*grouping, OpID) *unit{
			matchNorm, matchAffineNorm, matchGeluErf, matchGeluTanh, matchHardSwish, matchHardSigmoid, matchSilu, matchAttention,
		} {
			u := match(b, OpID(i))
			if u == nil || !b.closed(u) {
				continue
			}
			for _, op := range u.ops {
				b.units[op] = u
			}
			break
		}
	}
}

// closed reports whether nothing but the unit's own ops reads its inner values, and no op of it is in another unit.
func (b *grouping) closed(u *unit) bool {
	slices.Sort(u.ops)
	u.ops = slices.Compact(u.ops)
	for _, op := range u.ops {
		o := &b.g.Ops[op]
		if b.units[op] != nil || len(o.Outputs) != 1 || len(o.Captures) > 0 {
			return false
		}
		v := o.Outputs[0]
		if v == u.out {
			continue
		}
		if b.outputs[v] {
			return false
		}
		for _, c := range b.g.Values[v].Consumers {
			if !slices.Contains(u.ops, c) {
				return false
			}
		}
	}
	return true
}

// op is the op of this type that computes v, with its id.
func (b *grouping) op(v ValueID, types ...string) (*Op, OpID) {
	if v == None || b.g.Values[v].Producer < 0 {
		return nil, -1
	}
	id := b.g.Values[v].Producer
	o := &b.g.Ops[id]
	if o.Domain != "" || !slices.Contains(types, o.Type) {
		return nil, -1
	}
	return o, id
}

// scalar is v when it is a constant of one number.
func (b *grouping) scalar(v ValueID) (float64, bool) {
	t := b.c.constant(v)
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	switch t.DType() {
	case tensor.Float32:
		return float64(tensor.Data[float32](t)[0]), true
	case tensor.Float64:
		return tensor.Data[float64](t)[0], true
	case tensor.Float16:
		return float64(tensor.FromFloat16(tensor.Data[uint16](t)[0])), true
	}
	return 0, false
}

// near reports whether v is a constant close to x; half-precision constants are rounded.
func (b *grouping) near(v ValueID, x float64) bool {
	s, ok := b.scalar(v)
	return ok && math.Abs(s-x) <= 2e-3*math.Abs(x)+1e-12
}

// operands is the two inputs of a commutative op, the one that f accepts first.
func operands(o *Op, f func(ValueID) bool) (yes, no ValueID, ok bool) {
	if len(o.Inputs) != 2 || o.Inputs[0] == None || o.Inputs[1] == None {
		return None, None, false
	}
	if f(o.Inputs[0]) {
		return o.Inputs[0], o.Inputs[1], true
	}
	return o.Inputs[1], o.Inputs[0], f(o.Inputs[1])
}

// matchSilu: x * Sigmoid(x).
func matchSilu(b *grouping, id OpID) *unit {
	mul := &b.g.Ops[id]
	if !mul.Is("Mul") {
		return nil
	}
	s, x, ok := operands(mul, func(v ValueID) bool {
		o, _ := b.op(v, "Sigmoid")
		return o != nil && slices.Contains(mul.Inputs, o.Inputs[0])
	})
	if !ok || s == x {
		return nil
	}
	_, sid := b.op(s, "Sigmoid")
	fused := &Op{Name: mul.Name, Type: "Swish", Inputs: []ValueID{x}, Outputs: mul.Outputs}
	return &unit{PatternSilu, []OpID{sid, id}, x, mul.Outputs[0], fused}
}

// matchHardSwish: x * Clip(x+3, 0, 6) / 6 in any order of multiplications, or x * HardSigmoid(x).
func matchHardSwish(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	if !last.Is("Mul") && !last.Is("Div") {
		return nil
	}
	// Take the factors of a product apart; a division by a constant is one by its reciprocal.
	ops := []OpID{id}
	var factors []ValueID
	scale := 1.0
	var collect func(o *Op, depth int)
	collect = func(o *Op, depth int) {
		for i, v := range o.Inputs {
			if s, ok := b.scalar(v); ok {
				if o.Type == "Div" && i == 1 {
					s = 1 / s
				}
				scale *= s
				continue
			}
			if p, pid := b.op(v, "Mul", "Div"); p != nil && depth < 3 && b.c.only(v) != nil && !(o.Type == "Div" && i == 1) {
				ops = append(ops, pid)
				collect(p, depth+1)
				continue
			}
			factors = append(factors, v)
		}
	}
	if len(last.Inputs) != 2 || last.Type == "Div" && b.c.constant(last.Inputs[1]) == nil {
		return nil
	}
	collect(last, 0)
	if len(factors) != 2 {
		return nil
	}
	for i, gate := range factors {
		x := factors[1-i]
		fused := &Op{Name: last.Name, Type: "HardSwish", Inputs: []ValueID{x}, Outputs: last.Outputs}
		if h, hid := b.op(gate, "HardSigmoid"); h != nil && h.Inputs[0] == x && math.Abs(scale-1) < 1e-3 &&
			math.Abs(float64(h.Float("alpha", 0.2))-1.0/6) < 1e-3 && math.Abs(float64(h.Float("beta", 0.5))-0.5) < 1e-3 {
			return &unit{PatternHardSwish, append(ops, hid), x, last.Outputs[0], fused}
		}
		if math.Abs(scale-1.0/6) > 1e-3 {
			continue
		}
		if sum, clip := b.clippedToSix(gate); clip >= 0 {
			if y, add := b.plusThree(sum); add >= 0 && y == x {
				return &unit{PatternHardSwish, append(ops, clip, add), x, last.Outputs[0], fused}
			}
		}
	}
	return nil
}

// matchHardSigmoid: Clip(x+3, 0, 6) / 6, or without the 3, which may have gone into the bias of a convolution in front.
func matchHardSigmoid(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	if !last.Is("Mul") && !last.Is("Div") || last.Type == "Div" && b.c.constant(last.Input(1)) == nil {
		return nil
	}
	ops, factors, scale := b.product(id, func(ValueID) bool { return false })
	if len(factors) != 1 || math.Abs(scale-1.0/6) > 1e-3 {
		return nil
	}
	x, clip := b.clippedToSix(factors[0])
	if clip < 0 {
		return nil
	}
	ops = append(ops, clip)
	beta := float32(0)
	if y, add := b.plusThree(x); add >= 0 && b.c.only(x) != nil {
		x, ops, beta = y, append(ops, add), 0.5
	}
	fused := &Op{
		Name: last.Name, Type: "HardSigmoid", Attrs: map[string]Attr{"alpha": float32(1.0 / 6), "beta": beta},
		Inputs: []ValueID{x}, Outputs: last.Outputs,
	}
	return &unit{PatternHardSigmoid, ops, x, last.Outputs[0], fused}
}

// clippedToSix is x and the op of v = Clip(x, 0, 6); the op is -1 when v is something else.
func (b *grouping) clippedToSix(v ValueID) (x ValueID, id OpID) {
	clip, id := b.op(v, "Clip")
	if clip == nil || len(clip.Inputs) != 3 {
		return None, -1
	}
	if low, ok := b.scalar(clip.Inputs[1]); !ok || low != 0 || !b.near(clip.Inputs[2], 6) {
		return None, -1
	}
	return clip.Inputs[0], id
}

// plusThree is x and the op of v = x + 3; the op is -1 when v is something else.
func (b *grouping) plusThree(v ValueID) (x ValueID, id OpID) {
	add, id := b.op(v, "Add")
	if add == nil {
		return None, -1
	}
	k, x, ok := operands(add, func(v ValueID) bool { return b.near(v, 3) })
	if !ok || k == x {
		return None, -1
	}
	return x, id
}

// product takes a tree of Mul and Div apart: its ops, its factors that are no constants, and the product of the constants.
func (b *grouping) product(id OpID, stop func(ValueID) bool) (ops []OpID, factors []ValueID, scale float64) {
	scale = 1
	var visit func(id OpID, depth int)
	visit = func(id OpID, depth int) {
		ops = append(ops, id)
		o := &b.g.Ops[id]
		for i, v := range o.Inputs {
			if s, ok := b.scalar(v); ok {
				if o.Type == "Div" && i == 1 {
					s = 1 / s
				}
				scale *= s
				continue
			}
			p, pid := b.op(v, "Mul", "Div")
			if p != nil && depth < 4 && !stop(v) && b.c.only(v) != nil && len(p.Inputs) == 2 && (p.Type == "Mul" || b.c.constant(p.Inputs[1]) != nil) {
				visit(pid, depth+1)
				continue
			}
			factors = append(factors, v)
		}
	}
	visit(id, 0)
	return ops, factors, scale
}

// matchGeluErf: x * (1 + Erf(x/sqrt 2)) / 2 (Hendrycks and Gimpel, arXiv:1606.08415).
func matchGeluErf(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	if !last.Is("Mul") && !last.Is("Div") || last.Type == "Div" && b.c.constant(last.Input(1)) == nil {
		return nil
	}
	ops, factors, scale := b.product(id, func(ValueID) bool { return false })
	if len(factors) != 2 || math.Abs(scale-0.5) > 1e-3 {
		return nil
	}
	for i, gate := range factors {
		x := factors[1-i]
		add, aid := b.op(gate, "Add")
		if add == nil {
			continue
		}
		_, e, ok := operands(add, func(v ValueID) bool { return b.near(v, 1) })
		if !ok {
			continue
		}
		erf, eid := b.op(e, "Erf")
		if erf == nil {
			continue
		}
		if scaled, sid := b.op(erf.Inputs[0], "Mul", "Div"); scaled != nil {
			inner, args, k := b.product(sid, func(ValueID) bool { return true })
			if len(args) == 1 && args[0] == x && math.Abs(k-math.Sqrt2/2) < 1e-3 {
				fused := &Op{Name: last.Name, Type: "Gelu", Inputs: []ValueID{x}, Outputs: last.Outputs}
				return &unit{PatternGelu, append(append(ops, aid, eid), inner...), x, last.Outputs[0], fused}
			}
		}
	}
	return nil
}

// matchGeluTanh: x/2 * (1 + Tanh(sqrt(2/pi) * (x + 0.044715 x^3))).
func matchGeluTanh(b *grouping, id OpID) *unit {
	last := &b.g.Ops[id]
	if !last.Is("Mul") {
		return nil
	}
	ops, factors, scale := b.product(id, func(ValueID) bool { return false })
	if len(factors) != 2 || math.Abs(scale-0.5) > 1e-3 {
		return nil
	}
	for i, gate := range factors {
		x := factors[1-i]
		add, aid := b.op(gate, "Add")
		if add == nil {
			continue
		}
		_, t, ok := operands(add, func(v ValueID) bool { return b.near(v, 1) })
		tanh, tid := b.op(t, "Tanh")
		if !ok || tanh == nil {
			continue
		}
		_, mid := b.op(tanh.Inputs[0], "Mul")
		if mid < 0 {
			continue
		}
		inner, args, k := b.product(mid, func(ValueID) bool { return true })
		if len(args) != 1 || math.Abs(k-math.Sqrt(2/math.Pi)) > 1e-3 {
			continue
		}
		sum, sid := b.op(args[0], "Add")
		if sum == nil {
			continue
		}
		other, cubic, ok := operands(sum, func(v ValueID) bool { return v == x })
		if !ok || other == cubic {
			continue
		}
		_, cid := b.op(cubic, "Mul")
		if cid < 0 {
			continue
		}
		cube, parts, c3 := b.product(cid, func(ValueID) bool { return false })
		if math.Abs(c3-0.044715) > 1e-4 || !b.isCube(parts, x, &cube) {
			continue
		}
		fused := &Op{
			Name: last.Name, Type: "Gelu", Attrs: map[string]Attr{"approximate": "tanh"}, Inputs: []ValueID{x}, Outputs: last.Outputs,
		}
		all := append(append(append(ops, aid, tid, sid), inner...), cube...)
		return &unit{PatternGelu, all, x, last.Outputs[0], fused}
	}
	return nil
}

// isCube reports whether the factors are x three times, or Pow(x, 3), whose op it appends.
func (b *grouping) isCube(factors []ValueID, x ValueID, ops *[]OpID) bool {
	if len(factors) == 1 {
		pow, id := b.op(factors[0], "Pow")
		*ops = append(*ops, id)
		return pow != nil && pow.Inputs[0] == x && b.near(pow.Inputs[1], 3)
	}
	return len(factors) == 3 && factors[0] == x && factors[1] == x && factors[2] == x
}
