package onnx

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// upgrade adds o, written for version of the ONNX domain, in the form of ModernOpset:
//
//	before 7    axis and broadcast of binary ops: the second input is unsqueezed
//	before 8    Sum, Mean, Max, Min need no change; legacy attributes (consumed_inputs, is_test, spatial) are dropped
//	before 9    Upsample's scales become an input; Scan of opset 8 is refused unless its batch is one
//	before 10   Slice's starts, ends and axes, and TopK's k, become inputs
//	before 11   Clip's min and max, Pad's pads and value become inputs; Resize's two inputs become four; Upsample is Resize
//	before 12   Dropout's ratio is dropped (see below)
//	before 13   axes of Squeeze, Unsqueeze and ReduceSum, and Split's split, become inputs; Softmax, LogSoftmax and Hardmax of
//	            a flattened matrix are written with Flatten and Reshape
//	before 16   RoiAlign's coordinate_transformation_mode is stated
//	before 18   axes of the other reductions become inputs; a Split without sizes gets num_outputs
//	before 20   DFT's axis becomes an input; GridSample's bilinear and bicubic are called linear and cubic
//	before 21   GroupNormalization's scale and bias are per channel
//	any         Scatter is ScatterElements; Dropout that does not train is Identity, its mask all true
func (s *scope) upgrade(o split.Op, version int) error {
	if version < 7 {
		s.legacyBroadcast(&o)
	}
	for _, name := range []string{"consumed_inputs", "is_test", "spatial"} {
		delete(o.Attrs, name)
	}
	switch o.Type {
	case "Upsample":
		return s.upgradeUpsample(o)
	case "Resize":
		if version < 11 {
			return s.resize10(o)
		}
	case "Slice":
		s.attrsToInputs(&o, "starts", "ends", "axes")
	case "TopK":
		if k, ok := o.Attrs["k"].(int64); ok {
			delete(o.Attrs, "k")
			s.setInput(&o, 1, s.ints(k))
		}
	case "Clip":
		s.clipBounds(&o)
	case "Pad":
		s.padInputs(&o)
	case "Squeeze", "Unsqueeze":
		s.attrsToInputs(&o, "axes")
	case "Split":
		s.attrsToInputs(&o, "split")
		if _, stated := o.Attrs["num_outputs"]; !stated && o.Input(1) == split.None {
			o.Attrs = with(o.Attrs, "num_outputs", int64(len(o.Outputs)))
		}
	case "Reshape":
		s.attrsToInputs(&o, "shape")
	case "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare":
		s.attrsToInputs(&o, "axes")
	case "Softmax", "LogSoftmax", "Hardmax":
		if version < 13 {
			return s.flatSoftmax(o)
		}
	case "Dropout":
		return s.dropout(o, version)
	case "Scatter":
		o.Type = "ScatterElements"
	case "RoiAlign":
		if _, stated := o.Attrs["coordinate_transformation_mode"]; version < 16 && !stated {
			o.Attrs = with(o.Attrs, "coordinate_transformation_mode", "output_half_pixel")
		}
	case "GridSample":
		switch o.Str("mode", "") {
		case "bilinear":
			o.Attrs["mode"] = "linear"
		case "bicubic":
			o.Attrs["mode"] = "cubic"
		}
	case "DFT":
		if version < 20 {
			axis := o.Int("axis", 1)
			delete(o.Attrs, "axis")
			s.setInput(&o, 2, s.scalar(axis))
		}
	case "GroupNormalization":
		if version < 21 {
			return s.groupNorm18(o)
		}
	case "BatchNormalization":
		o.Outputs = o.Outputs[:min(len(o.Outputs), max(1, s.batchNormOutputs(&o, version)))]
	case "Scan":
		if version < 9 {
			return s.scan8(o)
		}
	case "Constant":
		return fmt.Errorf("%w: a Constant has one output, this one %d", split.ErrInvalid, len(o.Outputs))
	case "Cast":
		if to, ok := o.Attrs["to"].(string); ok { // opset 1 to 5 write the type's name
			d, err := legacyType(to)
			if err != nil {
				return err
			}
			o.Attrs["to"] = int64(d)
		}
	}
	s.b.Add(o)
	return nil
}

// with is attrs and one more.
func with(attrs map[string]split.Attr, name string, a split.Attr) map[string]split.Attr {
	if attrs == nil {
		attrs = map[string]split.Attr{}
	}
	attrs[name] = a
	return attrs
}

// ints adds a constant vector.
func (s *scope) ints(values ...int64) split.ValueID {
	return s.b.Const("", tensor.Of(tensor.Int64, tensor.Shape{len(values)}, values...))
}

// scalar adds a constant number.
func (s *scope) scalar(value int64) split.ValueID {
	return s.b.Const("", tensor.Of(tensor.Int64, tensor.Shape{}, value))
}

// setInput makes v the i-th input.
func (s *scope) setInput(o *split.Op, i int, v split.ValueID) {
	for len(o.Inputs) <= i {
		o.Inputs = append(o.Inputs, split.None)
	}
	o.Inputs[i] = v
}

// attrsToInputs makes the integer lists called names the inputs after the first, in that order, where the op has them.
func (s *scope) attrsToInputs(o *split.Op, names ...string) {
	for i, name := range names {
		list, ok := o.Attrs[name].([]int64)
		if !ok {
			continue
		}
		delete(o.Attrs, name)
		if len(o.Inputs) == i+1 || o.Input(i+1) == split.None {
			s.setInput(o, i+1, s.ints(list...))
		}
	}
}

// legacyBroadcast gives the binary ops of opsets 1 to 6 numpy's broadcasting: with broadcast=1, the second input lines up
// with the first one's dimensions from axis on.
func (s *scope) legacyBroadcast(o *split.Op) {
	switch o.Type {
	case "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", "PRelu":
	case "Gemm":
		delete(o.Attrs, "broadcast")
		return
	default:
		return
	}
	axis, hasAxis := o.Attrs["axis"].(int64)
	if o.Type == "PRelu" {
		axis, hasAxis = 1, true // one slope per channel
	}
	delete(o.Attrs, "axis")
	delete(o.Attrs, "broadcast")
	if !hasAxis || len(o.Inputs) < 2 || o.Inputs[0] == split.None || o.Inputs[1] == split.None {
		return
	}
	a, b := s.b.At(o.Inputs[0]), s.b.At(o.Inputs[1])
	if a.Shape == nil || b.Shape == nil {
		return
	}
	if axis < 0 {
		axis += int64(len(a.Shape))
	}
	var axes []int64
	for i := int(axis) + len(b.Shape); i < len(a.Shape); i++ {
		axes = append(axes, int64(i)-axis)
	}
	if len(axes) > 0 && axis >= 0 {
		o.Inputs[1] = s.b.Op("Unsqueeze", nil, o.Inputs[1], s.ints(axes...))
	}
}

// upgradeUpsample writes Upsample (opset 7: scales attribute, 9: input) as Resize with the same sampling.
func (s *scope) upgradeUpsample(o split.Op) error {
	scales := o.Input(1)
	if list := o.Floats("scales"); list != nil {
		scales = s.b.Const("", tensor.Of(tensor.Float32, tensor.Shape{len(list)}, list...))
	} else if w, ok := o.Attrs["width_scale"].(float32); ok { // opset 1: the last two dimensions of four
		scales = s.b.Const("", tensor.Of(tensor.Float32, tensor.Shape{4}, 1, 1, o.Float("height_scale", 1), w))
	}
	if scales == split.None {
		return fmt.Errorf("%w: Upsample without scales", split.ErrInvalid)
	}
	mode := o.Str("mode", "nearest")
	if mode == "bilinear" {
		mode = "linear"
	}
	return s.resize10(split.Op{Name: o.Name, Inputs: []split.ValueID{o.Input(0), scales}, Outputs: o.Outputs, Attrs: map[string]split.Attr{"mode": mode}})
}

// resize10 writes a Resize of opset 10, whose coordinates are asymmetric and whose nearest rounds down, in the form of opset 11.
func (s *scope) resize10(o split.Op) error {
	if len(o.Inputs) != 2 {
		return fmt.Errorf("%w: Resize of opset 10 has two inputs, this one %d", split.ErrInvalid, len(o.Inputs))
	}
	o.Type = "Resize"
	o.Inputs = []split.ValueID{o.Inputs[0], split.None, o.Inputs[1]}
	o.Attrs = with(o.Attrs, "coordinate_transformation_mode", "asymmetric")
	o.Attrs["nearest_mode"] = "floor"
	s.b.Add(o)
	return nil
}

// clipBounds makes the float bounds of Clip inputs.
func (s *scope) clipBounds(o *split.Op) {
	for i, name := range []string{"min", "max"} {
		bound, ok := o.Attrs[name].(float32)
		if !ok {
			continue
		}
		delete(o.Attrs, name)
		d := tensor.Float32
		if x := o.Input(0); x != split.None {
			d = s.b.At(x).DType
		}
		s.setInput(o, i+1, s.float(d, bound))
	}
}

// float adds a constant scalar of type d, float32 when d is not a float type or not known.
func (s *scope) float(d tensor.DType, x float32) split.ValueID {
	switch d {
	case tensor.Float64:
		return s.b.Const("", tensor.Of(d, tensor.Shape{}, float64(x)))
	case tensor.Float16:
		return s.b.Const("", tensor.Of(d, tensor.Shape{}, tensor.ToFloat16(x)))
	}
	return s.b.Const("", tensor.Of(tensor.Float32, tensor.Shape{}, x))
}

// padInputs makes Pad's pads and value inputs.
func (s *scope) padInputs(o *split.Op) {
	pads, ok := o.Attrs["pads"].([]int64)
	if !ok {
		if pads, ok = o.Attrs["paddings"].([]int64); !ok { // opset 1
			return
		}
	}
	value := o.Float("value", 0)
	for _, name := range []string{"pads", "paddings", "value"} {
		delete(o.Attrs, name)
	}
	s.setInput(o, 1, s.ints(pads...))
	if value != 0 {
		d := tensor.Float32
		if x := o.Input(0); x != split.None {
			d = s.b.At(x).DType
		}
		s.setInput(o, 2, s.float(d, value))
	}
}

// flatSoftmax writes a Softmax, LogSoftmax or Hardmax of before opset 13, which works on the matrix that Flatten(axis)
// makes. On the last axis that is the same as the modern op.
func (s *scope) flatSoftmax(o split.Op) error {
	axis := o.Int("axis", 1)
	x := o.Input(0)
	if x == split.None || len(o.Outputs) != 1 {
		return fmt.Errorf("%w: %s has one input and one output", split.ErrInvalid, o.Type)
	}
	rank := -1
	if shape := s.b.At(x).Shape; shape != nil {
		rank = len(shape)
	} else if shape := s.b.At(o.Outputs[0]).Shape; shape != nil {
		rank = len(shape)
	}
	o.Attrs = with(o.Attrs, "axis", int64(-1))
	if axis == -1 || int(axis) == rank-1 {
		s.b.Add(o)
		return nil
	}
	shape := s.b.Op("Shape", nil, x)
	flat := s.b.Op("Flatten", map[string]split.Attr{"axis": axis}, x)
	y := s.b.Op(o.Type, o.Attrs, flat)
	s.b.Add(split.Op{Name: o.Name, Type: "Reshape", Inputs: []split.ValueID{y, shape}, Outputs: o.Outputs})
	return nil
}

// dropout is Identity unless it trains. Its mask, if asked for, is all true.
func (s *scope) dropout(o split.Op, version int) error {
	if t := o.Input(2); version >= 12 && t != split.None {
		c := s.b.At(t).Const
		if c == nil || c.DType() != tensor.Bool || c.Len() != 1 || c.Bytes()[0] != 0 {
			s.b.Add(o) // it may train: engines say whether they can
			return nil
		}
	}
	if len(o.Inputs) == 0 || len(o.Outputs) == 0 || len(o.Outputs) > 2 {
		return fmt.Errorf("%w: Dropout has %d inputs and %d outputs", split.ErrInvalid, len(o.Inputs), len(o.Outputs))
	}
	x := o.Inputs[0]
	if o.Outputs[0] != split.None {
		s.b.Add(split.Op{Name: o.Name, Type: "Identity", Inputs: []split.ValueID{x}, Outputs: o.Outputs[:1]})
	}
	if mask := o.Output(1); mask != split.None {
		value := tensor.Of(tensor.Bool, tensor.Shape{1}, true)
		attrs := map[string]split.Attr{"value": value}
		s.b.Add(split.Op{Type: "ConstantOfShape", Attrs: attrs, Inputs: []split.ValueID{s.b.Op("Shape", nil, x)}, Outputs: []split.ValueID{mask}})
	}
	return nil
}

// groupNorm18 repeats the scale and bias of each group for each of the group's channels, as opset 21 has them.
func (s *scope) groupNorm18(o split.Op) error {
	if len(o.Inputs) != 3 {
		return fmt.Errorf("%w: GroupNormalization has three inputs, this one %d", split.ErrInvalid, len(o.Inputs))
	}
	groups := o.Int("num_groups", 1)
	if groups < 1 {
		return fmt.Errorf("%w: num_groups is %d", split.ErrInvalid, groups)
	}
	channels := s.b.Op("Shape", map[string]split.Attr{"start": int64(1), "end": int64(2)}, o.Inputs[0])
	each := s.b.Op("Div", nil, channels, s.ints(groups))
	shape := s.b.Op("Concat", map[string]split.Attr{"axis": int64(0)}, s.ints(groups), each)
	for i := 1; i <= 2; i++ {
		column := s.b.Op("Unsqueeze", nil, o.Inputs[i], s.ints(1))
		o.Inputs[i] = s.b.Op("Reshape", nil, s.b.Op("Expand", nil, column, shape), s.ints(-1))
	}
	s.b.Add(o)
	return nil
}

// batchNormOutputs is how many outputs a BatchNormalization really has: only training has more than one.
func (s *scope) batchNormOutputs(o *split.Op, version int) int {
	if version >= 14 && o.Int("training_mode", 0) != 0 {
		return len(o.Outputs)
	}
	return 1
}

// scan8 writes a Scan of opset 8, whose tensors have a batch dimension in front, in the form of opset 9: the batch must be one.
func (s *scope) scan8(o split.Op) error {
	body := o.Graph("body")
	n := int(o.Int("num_scan_inputs", 0))
	if body == nil || n < 1 || len(o.Inputs) < 2 || n > len(o.Inputs)-1 {
		return fmt.Errorf("%w: Scan without a body or with too few inputs", split.ErrInvalid)
	}
	if o.Inputs[0] != split.None {
		return fmt.Errorf("%w: Scan of opset 8 with sequence lengths: export with opset 9 or newer", split.ErrInvalid)
	}
	for _, in := range o.Inputs[1:] {
		if in == split.None || len(s.b.At(in).Shape) < 1 || s.b.At(in).Shape[0] != 1 {
			return fmt.Errorf("%w: Scan of opset 8 with a batch that is not one: export with opset 9 or newer", split.ErrInvalid)
		}
	}
	zero := s.ints(0)
	ins := make([]split.ValueID, len(o.Inputs)-1)
	for i, in := range o.Inputs[1:] {
		ins[i] = s.b.Op("Squeeze", nil, in, zero)
	}
	attrs := map[string]split.Attr{"body": body, "num_scan_inputs": int64(n)}
	if directions := o.Ints("directions"); directions != nil {
		attrs["scan_input_directions"] = slices.Clone(directions)
	}
	inner := split.Op{Name: o.Name, Type: "Scan", Inputs: ins, Attrs: attrs, Captures: o.Captures}
	for _, out := range o.Outputs {
		if out == split.None {
			inner.Outputs = append(inner.Outputs, split.None)
			continue
		}
		y := s.b.Value("", split.Type{})
		inner.Outputs = append(inner.Outputs, y)
		s.b.Add(split.Op{Type: "Unsqueeze", Inputs: []split.ValueID{y, zero}, Outputs: []split.ValueID{out}})
	}
	s.b.Add(inner)
	return nil
}

// legacyType is the element type that Cast of opsets 1 to 5 calls by name.
func legacyType(name string) (tensor.DType, error) {
	names := map[string]tensor.DType{
		"FLOAT": tensor.Float32, "UINT8": tensor.Uint8, "INT8": tensor.Int8, "UINT16": tensor.Uint16, "INT16": tensor.Int16,
		"INT32": tensor.Int32, "INT64": tensor.Int64, "BOOL": tensor.Bool, "FLOAT16": tensor.Float16, "DOUBLE": tensor.Float64,
		"UINT32": tensor.Uint32, "UINT64": tensor.Uint64, "STRING": tensor.String,
	}
	if d, ok := names[name]; ok {
		return d, nil
	}
	return tensor.Invalid, fmt.Errorf("%w: Cast to %q", split.ErrInvalid, name)
}
