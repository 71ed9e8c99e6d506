package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// number is every type on which ONNX computes directly; half-precision tensors are widened first.
type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// arithmetic is the function of a binary op on numbers, or nil when the op is none.
func arithmetic[T number](typ string) func(a, b T) T {
	switch typ {
	case "Add", "Sum":
		return func(a, b T) T { return a + b }
	case "Sub":
		return func(a, b T) T { return a - b }
	case "Mul":
		return func(a, b T) T { return a * b }
	case "Div":
		if T(1)/2 != 0 { // floats
			return func(a, b T) T { return a / b }
		}
		return func(a, b T) T { // integers truncate; x/0 is 0, as it must not stop the process
			if b == 0 {
				return 0
			}
			return a / b
		}
	case "Max":
		return func(a, b T) T {
			if a > b || a != a {
				return a
			}
			return b
		}
	case "Min":
		return func(a, b T) T {
			if a < b || a != a {
				return a
			}
			return b
		}
	case "PRelu":
		return func(a, b T) T {
			if a < 0 {
				return a * b
			}
			return a
		}
	}
	return nil
}

// comparison is the function of a comparing op on numbers.
func comparison[T number](typ string) func(a, b T) bool {
	switch typ {
	case "Equal":
		return func(a, b T) bool { return a == b }
	case "Greater":
		return func(a, b T) bool { return a > b }
	case "Less":
		return func(a, b T) bool { return a < b }
	case "GreaterOrEqual":
		return func(a, b T) bool { return a >= b }
	default:
		return func(a, b T) bool { return a <= b }
	}
}

// operands are inputs 0 and 1 and the shape of what an op makes of them. Before opset 7 operands were aligned by the
// attributes axis and broadcast; those are honoured by reshaping the second one.
func (c *call) operands() (a, b *tensor.Tensor, out tensor.Shape, err error) {
	if a, err = c.tensor(0); err != nil {
		return
	}
	if b, err = c.tensor(1); err != nil {
		return
	}
	if ax, ok := c.op.Attrs["axis"].(int64); ok && c.opset < 7 && c.attrInt("broadcast", 0) == 1 {
		at := int(ax)
		if at < 0 {
			at += len(a.Shape())
		}
		if tail := len(a.Shape()) - at - len(b.Shape()); at >= 0 && tail > 0 {
			s := b.Shape().Clone()
			for range tail {
				s = append(s, 1)
			}
			if b, err = b.Reshape(s); err != nil {
				return
			}
		}
	}
	if a.DType() != b.DType() && c.op.Type != "Pow" {
		return nil, nil, nil, c.errorf("operands differ in type: %s and %s", a, b)
	}
	out, ok := broadcastShapes(a.Shape(), b.Shape())
	if !ok {
		return nil, nil, nil, c.errorf("shapes %v and %v cannot be broadcast", a.Shape(), b.Shape())
	}
	return a, b, out, nil
}

func zipTensors[T tensor.Element, R tensor.Element](out, a, b *tensor.Tensor, f func(T, T) R) {
	zip(tensor.Data[R](out), out.Shape(), tensor.Data[T](a), a.Shape(), tensor.Data[T](b), b.Shape(), f)
}

func evalArithmetic(c *call) error {
	a, b, so, err := c.operands()
	if err != nil {
		return err
	}
	out, err := c.output(0, a.DType(), so)
	if err != nil {
		return err
	}
	return c.combine(out, a, b)
}

// combine computes out = op(a, b) for the arithmetic op of this call.
func (c *call) combine(out, a, b *tensor.Tensor) error {
	typ := c.op.Type
	switch a.DType() {
	case tensor.Float32:
		zipTensors(out, a, b, arithmetic[float32](typ))
	case tensor.Float64:
		zipTensors(out, a, b, arithmetic[float64](typ))
	case tensor.Int8:
		zipTensors(out, a, b, arithmetic[int8](typ))
	case tensor.Int16:
		zipTensors(out, a, b, arithmetic[int16](typ))
	case tensor.Int32:
		zipTensors(out, a, b, arithmetic[int32](typ))
	case tensor.Int64:
		zipTensors(out, a, b, arithmetic[int64](typ))
	case tensor.Uint8:
		zipTensors(out, a, b, arithmetic[uint8](typ))
	case tensor.Uint16:
		zipTensors(out, a, b, arithmetic[uint16](typ))
	case tensor.Uint32:
		zipTensors(out, a, b, arithmetic[uint32](typ))
	case tensor.Uint64:
		zipTensors(out, a, b, arithmetic[uint64](typ))
	case tensor.Float16, tensor.BFloat16:
		r := make([]float64, out.Len())
		zip(r, out.Shape(), floats(a), a.Shape(), floats(b), b.Shape(), arithmetic[float64](typ))
		setFloats(out, r)
	default:
		return c.unsupported("operands of type %s", a.DType())
	}
	return nil
}

// evalVariadic is Max, Min, Sum and Mean: a fold from the left.
func evalVariadic(c *call) error {
	ts, err := c.tensors()
	if err != nil {
		return err
	}
	shapes := make([]tensor.Shape, len(ts))
	for i, t := range ts {
		shapes[i] = t.Shape()
		if t.DType() != ts[0].DType() {
			return c.errorf("operands differ in type: %s and %s", ts[0], t)
		}
	}
	so, ok := broadcastShapes(shapes...)
	if !ok {
		return c.errorf("shapes %v cannot be broadcast", shapes)
	}
	out, err := c.output(0, ts[0].DType(), so)
	if err != nil {
		return err
	}
	if c.op.Type == "Mean" {
		sum := make([]float64, out.Len())
		for _, t := range ts {
			zip(sum, so, sum, so, floats(t), t.Shape(), func(a, b float64) float64 { return a + b })
		}
		for i := range sum {
			sum[i] /= float64(len(ts))
		}
		setFloats(out, sum)
		return nil
	}
	if len(ts) == 1 {
		copy(out.Bytes(), ts[0].Bytes())
		return nil
	}
	if err := c.combine(out, ts[0], ts[1]); err != nil {
		return err
	}
	for _, t := range ts[2:] {
		if err := c.combine(out, out, t); err != nil {
			return err
		}
	}
	return nil
}

func evalCompare(c *call) error {
	a, b, so, err := c.operands()
	if err != nil {
		return err
	}
	out, err := c.output(0, tensor.Bool, so)
	if err != nil {
		return err
	}
	typ := c.op.Type
	switch a.DType() {
	case tensor.Float32:
		zipTensors(out, a, b, comparison[float32](typ))
	case tensor.Int32:
		zipTensors(out, a, b, comparison[int32](typ))
	case tensor.Int64:
		zipTensors(out, a, b, comparison[int64](typ))
	case tensor.Uint64:
		zipTensors(out, a, b, comparison[uint64](typ))
	case tensor.String:
		if typ != "Equal" {
			return c.unsupported("operands of type string")
		}
		zip(tensor.Data[bool](out), so, a.Strings(), a.Shape(), b.Strings(), b.Shape(), func(x, y string) bool { return x == y })
	case tensor.Complex64, tensor.Complex128:
		return c.unsupported("operands of type %s", a.DType())
	default:
		zip(tensor.Data[bool](out), so, floats(a), a.Shape(), floats(b), b.Shape(), comparison[float64](typ))
	}
	return nil
}

func evalLogical(c *call) error {
	a, b, so, err := c.operands()
	if err != nil {
		return err
	}
	if a.DType() != tensor.Bool {
		return c.errorf("operands must be bool, not %s", a.DType())
	}
	out, err := c.output(0, tensor.Bool, so)
	if err != nil {
		return err
	}
	f := map[string]func(a, b bool) bool{
		"And": func(a, b bool) bool { return a && b },
		"Or":  func(a, b bool) bool { return a || b },
		"Xor": func(a, b bool) bool { return a != b },
	}[c.op.Type]
	zipTensors(out, a, b, f)
	return nil
}

// evalPow raises to a power whose type may differ; the result has the base's type.
func evalPow(c *call) error {
	a, b, so, err := c.operands()
	if err != nil {
		return err
	}
	out, err := c.output(0, a.DType(), so)
	if err != nil {
		return err
	}
	r := make([]float64, out.Len())
	zip(r, so, floats(a), a.Shape(), floats(b), b.Shape(), math.Pow)
	setFloats(out, r)
	return nil
}

// evalWhere chooses by condition; it moves elements and so serves every type.
func evalWhere(c *call) error {
	cond, err := c.tensor(0)
	if err != nil {
		return err
	}
	a, err := c.tensor(1)
	if err != nil {
		return err
	}
	b, err := c.tensor(2)
	if err != nil {
		return err
	}
	so, ok := broadcastShapes(cond.Shape(), a.Shape(), b.Shape())
	if !ok || cond.DType() != tensor.Bool || a.DType() != b.DType() {
		return c.errorf("condition %s and choices %s and %s do not fit", cond, a, b)
	}
	out, err := c.output(0, a.DType(), so)
	if err != nil {
		return err
	}
	sts := [][]int{broadcastStrides(cond.Shape(), so), broadcastStrides(a.Shape(), so), broadcastStrides(b.Shape(), so)}
	pick := cond.Bytes()
	o := 0
	return c.moves(out, func(m mover) {
		walk(so, sts, func(n int, at []int) {
			i, j, k := at[0], at[1], at[2]
			for range n {
				if pick[i] != 0 {
					m.move(out, o, a, j, 1)
				} else {
					m.move(out, o, b, k, 1)
				}
				o++
				i, j, k = i+last(sts[0]), j+last(sts[1]), k+last(sts[2])
			}
		})
	})
}
