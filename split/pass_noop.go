package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// removeNoOps removes ops whose output is their input, and writes a few ops more simply.
func (c *canonicalizer) removeNoOps() bool {
	changed := false
	for i := range c.g.Ops {
		o := &c.g.Ops[i]
		if o.Domain != "" || len(o.Inputs) == 0 || len(o.Outputs) == 0 || o.Outputs[0] == None || o.Inputs[0] == None {
			continue
		}
		if o.Type == "Sum" && len(o.Inputs) == 2 && !slices.Contains(o.Inputs, None) {
			o.Type, changed = "Add", true
			continue
		}
		if o.Type == "Upsample" || !c.noOp(o) {
			continue
		}
		if c.replace(o.Outputs[0], o.Inputs[0]) {
			o.Type, changed = "", true
		}
	}
	return changed
}

// noOp reports whether the first output of o is its first input, bit for bit.
func (c *canonicalizer) noOp(o *Op) bool {
	g := c.g
	in, out := &g.Values[o.Inputs[0]], &g.Values[o.Outputs[0]]
	x := c.dims(o.Inputs[0])
	switch o.Type {
	case "Identity":
		return true
	case "Cast", "CastLike":
		return in.DType == out.DType && in.DType != tensor.Invalid
	case "Concat", "Sum", "Max", "Min", "Mean":
		return len(o.Inputs) == 1
	case "Transpose":
		perm := o.Ints("perm")
		if perm == nil {
			return len(x) == 1 || x != nil && len(x) == 0
		}
		return slices.IsSorted(perm)
	case "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile":
		return x.known() && c.dims(o.Outputs[0]).known() && slices.Equal(x, c.dims(o.Outputs[0]))
	case "Slice":
		return x.known() && slices.Equal(x, c.dims(o.Outputs[0])) && c.forwards(o)
	case "Pad":
		pads, ok := c.ints(o.Input(1))
		return ok && !slices.ContainsFunc(pads, func(p int64) bool { return p != 0 })
	case "Clip":
		return c.unbounded(o)
	case "Resize":
		return c.identityResize(o)
	case "Dropout":
		return len(o.Outputs) == 1 && (o.Input(2) == None || c.never(o.Input(2)))
	case "AveragePool", "MaxPool":
		return len(o.Outputs) == 1 && c.unitWindow(o)
	}
	return false
}

// ints is the integers that v is known to hold.
func (c *canonicalizer) ints(v ValueID) ([]int64, bool) {
	t := c.inf.contents(v)
	if t == nil || t.Len() > MaxPropagated {
		return nil, false
	}
	return intsOf(t)
}

// never reports whether v is certainly false.
func (c *canonicalizer) never(v ValueID) bool {
	t := c.constant(v)
	return t != nil && t.DType() == tensor.Bool && t.Len() == 1 && t.Bytes()[0] == 0
}

// forwards reports whether all steps of a Slice are positive.
func (c *canonicalizer) forwards(o *Op) bool {
	if o.Input(4) == None {
		return true
	}
	steps, ok := c.ints(o.Input(4))
	return ok && !slices.ContainsFunc(steps, func(s int64) bool { return s < 0 })
}

// unbounded reports whether a Clip has no bounds, or those of the type.
func (c *canonicalizer) unbounded(o *Op) bool {
	for i, limit := range []float64{math.Inf(-1), math.Inf(1)} {
		v := o.Input(1 + i)
		if v == None {
			continue
		}
		t := c.constant(v)
		if t == nil || t.DType() != tensor.Float32 || t.Len() != 1 {
			return false
		}
		if float64(tensor.Data[float32](t)[0]) != limit {
			return false
		}
	}
	return true
}

// identityResize reports whether a Resize keeps every size by scales of one.
func (c *canonicalizer) identityResize(o *Op) bool {
	if !c.dims(o.Inputs[0]).known() || !slices.Equal(c.dims(o.Inputs[0]), c.dims(o.Outputs[0])) {
		return false
	}
	switch o.Str("coordinate_transformation_mode", "half_pixel") {
	case "tf_crop_and_resize":
		return false
	}
	if o.Input(2) != None {
		t := c.constant(o.Input(2))
		if t == nil || t.DType() != tensor.Float32 {
			return false
		}
		return !slices.ContainsFunc(tensor.Data[float32](t), func(s float32) bool { return s != 1 })
	}
	return true
}

// unitWindow reports whether a pooling has a window of one element, without strides or pads.
func (c *canonicalizer) unitWindow(o *Op) bool {
	isNot := func(n int64) func(int64) bool { return func(x int64) bool { return x != n } }
	return len(o.Ints("kernel_shape")) > 0 && !slices.ContainsFunc(o.Ints("kernel_shape"), isNot(1)) &&
		!slices.ContainsFunc(o.Ints("strides"), isNot(1)) && !slices.ContainsFunc(o.Ints("pads"), isNot(0)) &&
		c.dims(o.Inputs[0]).known() && slices.Equal(c.dims(o.Inputs[0]), c.dims(o.Outputs[0]))
}
