package split

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evaluate computes one op of the ONNX domain on constants: those that move elements about, integer and float arithmetic,
// comparisons and simple reductions, which is what shapes and folded weights are made of. The results are the same on every machine. It gives up
// (ErrUnknownOp, ErrLimit) on other ops and on results of more than maxElements.
func evaluate(o *Op, in []*tensor.Tensor, maxElements int) ([]*tensor.Tensor, error) {
	if o.Domain != "" {
		return nil, ErrUnknownOp
	}
	for _, t := range in {
		if t != nil && (t.DType() == tensor.String || t.DType().Bits() < 8) {
			return nil, fmt.Errorf("%w: %s on %s", ErrUnknownOp, o.Type, t.DType())
		}
	}
	rule, ok := ruleOf("", o.Type)
	if !ok || len(in) == 0 || in[0] == nil || len(in) < rule.min || rule.max >= 0 && len(in) > rule.max {
		return nil, ErrUnknownOp
	}
	for _, t := range in[:rule.min] {
		if t == nil {
			return nil, ErrUnknownOp
		}
	}
	e := &evaluation{o: o, in: in, limit: maxElements}
	out, err := e.run()
	if err != nil {
		return nil, err
	}
	return out, nil
}

// evaluation is one call of evaluate.
type evaluation struct {
	o     *Op
	in    []*tensor.Tensor
	limit int
}

// arg is input i, nil when it is absent.
func (e *evaluation) arg(i int) *tensor.Tensor {
	if i < len(e.in) {
		return e.in[i]
	}
	return nil
}

// ints is input i as integers.
func (e *evaluation) ints(i int) ([]int64, error) {
	t := e.arg(i)
	if t == nil {
		return nil, ErrUnknownOp
	}
	list, ok := intsOf(t)
	if !ok {
		return nil, ErrUnknownOp
	}
	return list, nil
}

// alloc makes a tensor that is not above the limit.
func (e *evaluation) alloc(d tensor.DType, s tensor.Shape) (*tensor.Tensor, error) {
	n, err := s.Elements()
	if err != nil {
		return nil, err
	}
	if n > e.limit {
		return nil, fmt.Errorf("%w: a constant of %d elements, the limit is %d", ErrLimit, n, e.limit)
	}
	return tensor.New(d, s)
}

func one(t *tensor.Tensor, err error) ([]*tensor.Tensor, error) {
	if err != nil {
		return nil, err
	}
	return []*tensor.Tensor{t}, nil
}

func (e *evaluation) run() ([]*tensor.Tensor, error) {
	switch e.o.Type {
	case "Identity":
		return one(e.in[0], nil)
	case "Reshape", "Flatten", "Squeeze", "Unsqueeze":
		return one(e.reshaped())
	case "Transpose":
		return one(e.transpose())
	case "Slice":
		return one(e.slice())
	case "Expand":
		return one(e.expand())
	case "Tile":
		return one(e.tile())
	case "Concat":
		return one(e.concat())
	case "Split":
		return e.split()
	case "Gather":
		return one(e.gather())
	case "ConstantOfShape":
		return one(e.constantOfShape())
	case "Range":
		return one(e.rangeOf())
	case "NonZero":
		return one(e.nonZero())
	case "Shape":
		return one(e.shape())
	case "Size":
		return one(tensor.Of(tensor.Int64, tensor.Shape{}, int64(e.in[0].Len())), nil)
	case "Cast":
		return one(e.cast(e.in[0], tensor.DType(e.o.Int("to", 0))))
	case "CastLike":
		return one(e.cast(e.in[0], e.in[1].DType()))
	case "Where":
		return one(e.where())
	case "Add", "Sub", "Mul", "Div", "Mod", "Pow", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor":
		return one(e.binary(e.o.Type, e.in[0], e.in[1]))
	case "Max", "Min", "Sum":
		return one(e.variadic())
	case "ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean":
		return one(e.reduce())
	}
	if out, err := e.unary(); out != nil || err != nil {
		return one(out, err)
	}
	return nil, fmt.Errorf("%w: %s is not folded", ErrUnknownOp, e.o.Type)
}

// inferredShape is the shape that the op's rule gives for the constants in.
func (e *evaluation) inferredShapes() ([]tensor.Shape, error) {
	g := &Graph{}
	o := *e.o
	o.Inputs, o.Outputs = nil, make([]ValueID, len(e.o.Outputs))
	for i := range o.Outputs {
		o.Outputs[i] = None
	}
	for _, t := range e.in {
		if t == nil {
			o.Inputs = append(o.Inputs, None)
			continue
		}
		o.Inputs = append(o.Inputs, ValueID(len(g.Values)))
		g.Values = append(g.Values, Value{DType: t.DType(), Shape: t.Shape(), Const: t, Producer: -1})
	}
	inf := &inference{g: g}
	c := &opContext{inf: inf, o: &o, types: make([]Type, len(e.o.Outputs)), set: make([]bool, len(e.o.Outputs))}
	rule, ok := ruleOf(o.Domain, o.Type)
	if !ok || len(o.Inputs) < rule.min {
		return nil, ErrUnknownOp
	}
	if err := rule.infer(c); err != nil {
		return nil, err
	}
	shapes := make([]tensor.Shape, len(c.types))
	for i, t := range c.types {
		if t.Shape == nil || !t.Shape.Known() {
			return nil, ErrUnknownOp
		}
		shapes[i] = t.Shape
	}
	return shapes, nil
}

// inferredShape is that of the first output.
func (e *evaluation) inferredShape() (tensor.Shape, error) {
	shapes, err := e.inferredShapes()
	if err != nil {
		return nil, err
	}
	if len(shapes) == 0 {
		return nil, ErrUnknownOp
	}
	return shapes[0], nil
}

// intsOf is the elements of an integer or bool tensor; ok is false for other types.
func intsOf(t *tensor.Tensor) (list []int64, ok bool) {
	list = make([]int64, t.Len())
	switch t.DType() {
	case tensor.Int64:
		copy(list, tensor.Data[int64](t))
	case tensor.Int32:
		widen(list, tensor.Data[int32](t))
	case tensor.Int16:
		widen(list, tensor.Data[int16](t))
	case tensor.Int8:
		widen(list, tensor.Data[int8](t))
	case tensor.Uint8, tensor.Bool:
		widen(list, tensor.Data[uint8](t))
	case tensor.Uint16:
		widen(list, tensor.Data[uint16](t))
	case tensor.Uint32:
		widen(list, tensor.Data[uint32](t))
	case tensor.Uint64:
		widen(list, tensor.Data[uint64](t))
	default:
		return nil, false
	}
	return list, true
}

func widen[T ~int32 | ~int16 | ~int8 | ~uint8 | ~uint16 | ~uint32 | ~uint64](dst []int64, src []T) {
	for i, x := range src {
		dst[i] = int64(x)
	}
}
