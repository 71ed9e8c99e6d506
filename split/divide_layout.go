package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func divideTranspose(g *Graph, o *Op, s span, d *dividedOp) error {
	n := len(g.shape(o.Inputs[0]))
	axis := n - 1 - s.axis
	if perm := o.Ints("perm"); perm != nil {
		axis = int(perm[s.axis])
	}
	d.need[0] = span{axis, s.lo, s.hi}
	return nil
}

// divideReshape is for ops that keep the order of elements. A span of the result is one of the input when some axis of the input
// begins after as many elements, and its steps meet the span's ends: heads of 64 out of 768 columns, say.
func divideReshape(g *Graph, o *Op, s span, d *dividedOp) error {
	in, out := g.shape(o.Inputs[0]), g.shape(o.Outputs[0])
	before, step := elements(out[:s.axis]), elements(out[s.axis+1:])
	for axis := len(in) - 1; axis >= 0; axis-- {
		if elements(in[:axis]) != before {
			continue
		}
		each := elements(in[axis+1:])
		if each == 0 || in[axis]*each != out[s.axis]*step || s.lo*step%each != 0 || s.hi*step%each != 0 {
			continue
		}
		d.need[0] = span{axis, s.lo * step / each, s.hi * step / each}
		if o.Type == "Reshape" {
			shape := out.Clone()
			shape[s.axis] = s.hi - s.lo
			d.consts = map[int]*tensor.Tensor{1: int64s(shape)}
		}
		return nil
	}
	return indivisible("elements %d to %d of axis %d of %v are no span of %v", s.lo, s.hi, s.axis, out, in)
}

func elements(s tensor.Shape) int {
	n := 1
	for _, k := range s {
		n *= k
	}
	return n
}

func int64s(s tensor.Shape) *tensor.Tensor {
	t := tensor.Of[int64](tensor.Int64, tensor.Shape{len(s)}, make([]int64, len(s))...)
	for i, n := range s {
		tensor.Data[int64](t)[i] = int64(n)
	}
	return t
}

func divideConcat(g *Graph, o *Op, s span, d *dividedOp) error {
	axis := int(o.Int("axis", 0))
	if axis < 0 {
		axis += len(g.shape(o.Outputs[0]))
	}
	if axis == s.axis {
		return indivisible("it joins values along axis %d", axis)
	}
	for i := range d.need {
		d.need[i] = s
	}
	return nil
}

// constInts is the contents of a constant of integers; false when input i is none.
func (g *Graph) constInts(o *Op, i int) ([]int64, bool) {
	v := o.Input(i)
	if v == None || g.Values[v].Const == nil {
		return nil, false
	}
	switch t := g.Values[v].Const; t.DType() {
	case tensor.Int64:
		return tensor.Data[int64](t), true
	case tensor.Int32:
		var out []int64
		for _, n := range tensor.Data[int32](t) {
			out = append(out, int64(n))
		}
		return out, true
	}
	return nil, false
}

// axesOf is the axes that input i names, or all n in order where it is absent; false when they are computed.
func (g *Graph) axesOf(o *Op, i, n int) ([]int, bool) {
	var out []int
	if o.Input(i) == None {
		for k := range n {
			out = append(out, k)
		}
		return out, true
	}
	axes, ok := g.constInts(o, i)
	for _, a := range axes {
		if a < 0 {
			a += int64(n)
		}
		out = append(out, int(a))
	}
	return out, ok
}

// dividePad is for padding along other axes; that of convolutions is in their attributes.
func dividePad(g *Graph, o *Op, s span, d *dividedOp) error {
	axes, ok := g.axesOf(o, 3, len(g.shape(o.Inputs[0])))
	pads, known := g.constInts(o, 1)
	if !ok || !known || len(pads) != 2*len(axes) {
		return indivisible("its pads are computed")
	}
	if i := slices.Index(axes, s.axis); i >= 0 && (pads[i] != 0 || pads[i+len(axes)] != 0) {
		return indivisible("it pads axis %d", s.axis)
	}
	d.need[0] = s
	return nil
}

func divideSlice(g *Graph, o *Op, s span, d *dividedOp) error {
	if axes, ok := g.axesOf(o, 3, len(g.shape(o.Inputs[0]))); !ok || slices.Contains(axes, s.axis) {
		return indivisible("it cuts axis %d", s.axis)
	}
	d.need[0] = s
	return nil
}

// divideResize is for axes that keep their size, and for nearest neighbours where each element becomes a whole number of copies.
func divideResize(g *Graph, o *Op, s span, d *dividedOp) error {
	in, out := g.shape(o.Inputs[0]), g.shape(o.Outputs[0])
	from, to := in[s.axis], out[s.axis]
	if o.Ints("axes") != nil || o.Str("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" ||
		o.Str("keep_aspect_ratio_policy", "stretch") != "stretch" || from == 0 {
		return indivisible("it resizes some axes, crops, or keeps proportions")
	}
	if from != to && !copies(o) || to%from != 0 {
		return indivisible("from %d to %d it computes elements between others, in mode %s", from, to, o.Str("mode", "nearest"))
	}
	times := to / from
	d.need[0] = span{s.axis, s.lo / times, (s.hi + times - 1) / times}
	d.made = span{s.axis, d.need[0].lo * times, d.need[0].hi * times}
	if o.Input(3) != None {
		sizes := out.Clone()
		sizes[s.axis] = d.made.hi - d.made.lo
		d.consts = map[int]*tensor.Tensor{3: int64s(sizes)}
	}
	return nil
}

// copies reports whether o, which makes a whole number of elements of each, takes the element that it stands for.
func copies(o *Op) bool {
	if o.Str("mode", "nearest") != "nearest" {
		return false
	}
	round := o.Str("nearest_mode", "round_prefer_floor")
	switch o.Str("coordinate_transformation_mode", "half_pixel") {
	case "half_pixel":
		return round == "round_prefer_floor" || round == "round_prefer_ceil"
	case "asymmetric":
		return round == "floor"
	}
	return false
}
