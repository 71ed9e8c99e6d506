package split

import (
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// cancelTransposes makes one Transpose of two in a row, and moves a Transpose behind the element-wise op of one input that
// reads it when another Transpose follows there.
func (c *canonicalizer) cancelTransposes() bool {
	changed := false
	for i := range c.g.Ops {
		second := &c.g.Ops[i]
		if !second.Is("Transpose") {
			continue
		}
		first := c.producer(second.Inputs[0])
		for first != nil && c.transparent(first) && c.only(first.Outputs[0]) != nil {
			first = c.producer(first.Inputs[0])
		}
		if first == nil || !first.Is("Transpose") {
			continue
		}
		a, b := c.permOf(first), c.permOf(second)
		if a == nil || b == nil || len(a) != len(b) {
			continue
		}
		perm := make([]int64, len(a))
		for j := range b {
			perm[j] = a[b[j]]
		}
		if second.Inputs[0] == first.Outputs[0] {
			c.rewire(OpID(i), 0, first.Inputs[0])
		} else if c.only(first.Outputs[0]) != nil && slices.IsSorted(perm) {
			// Transpose, element-wise ops, Transpose back: both go.
			if !c.replace(first.Outputs[0], first.Inputs[0]) {
				continue
			}
			first.Type = ""
			c.forgetShapes(second.Inputs[0])
		} else {
			continue
		}
		second.Attrs = maps.Clone(second.Attrs)
		if second.Attrs == nil {
			second.Attrs = map[string]Attr{}
		}
		second.Attrs["perm"] = perm
		changed = true
	}
	return changed
}

// forgetShapes drops the shapes of v and of the element-wise ops before it, which are about to be inferred anew.
func (c *canonicalizer) forgetShapes(v ValueID) {
	for {
		o := c.producer(v)
		if o == nil || !c.transparent(o) && !o.Is("Softmax") {
			return
		}
		c.g.Values[v].Shape, c.g.Values[v].Params = nil, nil
		v = o.Inputs[0]
	}
}

// permOf is a Transpose's permutation; nil when its input's rank is not known.
func (c *canonicalizer) permOf(o *Op) []int64 {
	if p := o.Ints("perm"); p != nil {
		return p
	}
	x := c.dims(o.Inputs[0])
	if x == nil {
		return nil
	}
	p, _ := permutation(nil, len(x))
	return p
}

// transparent reports whether an op of one input works on each element by itself, so that it may trade places with a
// Transpose or Reshape.
func (c *canonicalizer) transparent(o *Op) bool {
	if o.Domain != "" || len(o.Outputs) != 1 || len(o.Inputs) == 0 {
		return false
	}
	switch o.Type {
	case "Abs", "Ceil", "Celu", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg",
		"Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu", "Cast", "Not":
		return true
	case "Clip":
		return true
	case "Add", "Sub", "Mul", "Div":
		t := c.constant(o.Input(1))
		return t != nil && t.Len() == 1 && len(t.Shape()) <= 1
	}
	return false
}

// mergeReshapes makes one Reshape of a Reshape, Flatten, Squeeze or Unsqueeze of another, where the final shape is known, and writes all of these that have known
// shapes as Reshape.
func (c *canonicalizer) mergeReshapes() bool {
	changed := false
	for i := range c.g.Ops {
		o := &c.g.Ops[i]
		if !reshapes(o) || len(o.Outputs) != 1 {
			continue
		}
		out := c.dims(o.Outputs[0])
		if !out.known() {
			continue
		}
		if first := c.producer(o.Inputs[0]); first != nil && reshapes(first) {
			c.rewire(OpID(i), 0, first.Inputs[0])
			c.makeReshape(o, out)
			changed = true
			continue
		}
		if first := c.reshapeBehind(o.Inputs[0]); first != nil && c.replace(first.Outputs[0], first.Inputs[0]) {
			first.Type = ""
			c.forgetShapes(o.Inputs[0])
			changed = true
			continue
		}
		if o.Type != "Reshape" || c.constant(o.Inputs[1]) == nil {
			c.makeReshape(o, out)
			changed = true
		}
	}
	return changed
}

// reshapeBehind is the Reshape behind the ops between it and v, each of which reads nothing else that is computed, is read by the next alone and
// works on each element, or on each row, by itself: it makes no difference to them.
func (c *canonicalizer) reshapeBehind(v ValueID) *Op {
	last := dim{n: tensor.Unknown}
	rows := false
	for {
		o := c.producer(v)
		if o == nil || c.only(v) == nil {
			return nil
		}
		switch {
		case reshapes(o):
			x := c.dims(o.Inputs[0])
			if rows && (len(x) == 0 || !x[len(x)-1].known() || x[len(x)-1] != last) {
				return nil
			}
			return o
		case c.transparent(o):
		case o.Is("Softmax") && len(c.dims(v)) > 0:
			d := c.dims(v)
			if axis := o.Int("axis", -1); axis != -1 {
				return nil
			}
			if rows && last != d[len(d)-1] {
				return nil
			}
			last, rows = d[len(d)-1], true
		default:
			return nil
		}
		v = o.Inputs[0]
	}
}

// reshapes reports whether an op gives its first input another shape and keeps the order of its elements.
func reshapes(o *Op) bool {
	return o.Is("Reshape") || o.Is("Flatten") || o.Is("Squeeze") || o.Is("Unsqueeze")
}

// makeReshape turns o into a Reshape to a constant shape.
func (c *canonicalizer) makeReshape(o *Op, to dims) {
	shape := make([]int64, len(to))
	zero := false
	for i, d := range to {
		shape[i] = int64(d.n)
		zero = zero || d.n == 0
	}
	o.Type, o.Attrs = "Reshape", nil
	if zero {
		o.Attrs = map[string]Attr{"allowzero": int64(1)}
	}
	o.Inputs = []ValueID{o.Inputs[0], c.newConst(o.Outputs[0], "shape", tensor.Of(tensor.Int64, tensor.Shape{len(shape)}, shape...))}
}
