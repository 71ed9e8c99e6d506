package native

import (
	"context"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// maxTensorBytes is the most that one op may ask for at run time, so that a small bad model cannot exhaust a machine.
const maxTensorBytes = min(8<<30, math.MaxInt/2)

// call is one evaluation of one op by its reference implementation.
type call struct {
	ctx   context.Context
	op    *split.Op
	opset int // version of the op's domain
	// in and out are parallel to the op's Inputs and Outputs; nil stands for one that is absent or not computed yet.
	in, out []tensor.Value
	// planned returns the memory of output i when its size is known before the run, or nil; nil where nothing is planned.
	planned func(i int) *tensor.Tensor
	// body makes the subgraph of the op that is called name ready to run; nil where ops with subgraphs cannot be evaluated.
	body func(name string) *body
}

func (c *call) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", describe(c.op), fmt.Errorf(format, args...))
}

// unsupported says that this implementation lacks something that ONNX has.
func (c *call) unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", describe(c.op), engine.ErrUnsupported, fmt.Sprintf(format, args...))
}

// describe names an op for errors: its name and type.
func describe(op *split.Op) string {
	typ := op.Type
	if op.Domain != "" {
		typ = op.Domain + "." + typ
	}
	if op.Name == "" {
		return "op " + typ
	}
	return fmt.Sprintf("op %s (%s)", op.Name, typ)
}

// has reports whether input i is present; -1 never is.
func (c *call) has(i int) bool { return i >= 0 && i < len(c.in) && c.in[i] != nil }

// want reports whether somebody asked for output i.
func (c *call) want(i int) bool { return i < len(c.op.Outputs) && c.op.Outputs[i] != split.None }

// tensor is input i, which must be present and a tensor.
func (c *call) tensor(i int) (*tensor.Tensor, error) {
	if !c.has(i) {
		return nil, c.errorf("input %d is missing", i)
	}
	t, ok := c.in[i].(*tensor.Tensor)
	if !ok {
		return nil, c.errorf("input %d is not a tensor", i)
	}
	return t, nil
}

// maybe is input i, or nil when it is absent.
func (c *call) maybe(i int) *tensor.Tensor {
	if !c.has(i) {
		return nil
	}
	t, _ := c.in[i].(*tensor.Tensor)
	return t
}

// tensors are all inputs, each of which must be present.
func (c *call) tensors() ([]*tensor.Tensor, error) {
	if len(c.in) == 0 {
		return nil, c.errorf("needs at least one input")
	}
	ts := make([]*tensor.Tensor, len(c.in))
	for i := range c.in {
		t, err := c.tensor(i)
		if err != nil {
			return nil, err
		}
		ts[i] = t
	}
	return ts, nil
}

// output makes output i. Its contents are undefined: the op writes every element.
func (c *call) output(i int, d tensor.DType, s tensor.Shape) (*tensor.Tensor, error) {
	if c.planned != nil {
		if t := c.planned(i); t != nil && t.DType() == d && t.Shape().Equal(s) {
			c.set(i, t)
			return t, nil
		}
	}
	t, err := c.scratch(d, s)
	if err != nil {
		return nil, err
	}
	c.set(i, t)
	return t, nil
}

// scratch makes a zeroed tensor that is nobody's output.
func (c *call) scratch(d tensor.DType, s tensor.Shape) (*tensor.Tensor, error) {
	if d != tensor.String {
		if n, err := tensor.Bytes(d, s); err == nil && n > maxTensorBytes {
			return nil, c.errorf("asks for a tensor of %d bytes, above the limit of %d", n, int64(maxTensorBytes))
		}
	} else if n, err := s.Elements(); err == nil && n > maxTensorBytes/16 {
		return nil, c.errorf("asks for %d strings, above the limit of %d", n, int64(maxTensorBytes/16))
	}
	t, err := tensor.New(d, s)
	if err != nil {
		return nil, c.errorf("%w", err)
	}
	return t, nil
}

// set hands over output i when somebody asked for it.
func (c *call) set(i int, v tensor.Value) {
	if c.want(i) {
		c.out[i] = v
	}
}

// reshaped hands over t with another shape as output i, sharing its buffer.
func (c *call) reshaped(i int, t *tensor.Tensor, s tensor.Shape) error {
	r, err := t.Reshape(s)
	if err != nil {
		return c.errorf("%w", err)
	}
	c.set(i, r)
	return nil
}

func attr[T any](op *split.Op, name string, def T) T {
	if v, ok := op.Attrs[name].(T); ok {
		return v
	}
	return def
}

func (c *call) attrInt(name string, def int) int { return int(attr(c.op, name, int64(def))) }

func (c *call) attrFloat(name string, def float32) float64 {
	return float64(attr(c.op, name, def))
}

func (c *call) attrString(name, def string) string { return attr(c.op, name, def) }

func (c *call) attrInts(name string) []int {
	v := attr[[]int64](c.op, name, nil)
	if v == nil {
		return nil
	}
	return toInts(v)
}

func toInts(v []int64) []int {
	r := make([]int, len(v))
	for i, x := range v {
		r[i] = int(x)
	}
	return r
}

// ints are the elements of input i, an integer tensor.
func (c *call) ints(i int) ([]int, error) {
	t, err := c.tensor(i)
	if err != nil {
		return nil, err
	}
	switch t.DType() {
	case tensor.Int64:
		return toInts(tensor.Data[int64](t)), nil
	case tensor.Int32:
		d := tensor.Data[int32](t)
		r := make([]int, len(d))
		for i, x := range d {
			r[i] = int(x)
		}
		return r, nil
	}
	if !isInteger(t.DType()) {
		return nil, c.errorf("input %d must hold integers, not %s", i, t.DType())
	}
	f := floats(t)
	r := make([]int, len(f))
	for i, x := range f {
		r[i] = int(x)
	}
	return r, nil
}

// intsOr is ints when input i is present, def otherwise.
func (c *call) intsOr(i int, def []int) ([]int, error) {
	if !c.has(i) {
		return def, nil
	}
	return c.ints(i)
}

// intOr is the one element of input i, or def when it is absent.
func (c *call) intOr(i, def int) (int, error) {
	if !c.has(i) {
		return def, nil
	}
	if t := c.maybe(i); t != nil && t.DType() == tensor.Int64 && t.Len() == 1 {
		return int(tensor.Data[int64](t)[0]), nil
	}
	v, err := c.ints(i)
	if err != nil {
		return 0, err
	}
	if len(v) != 1 {
		return 0, c.errorf("input %d must hold one element, not %d", i, len(v))
	}
	return v[0], nil
}

// floatOr is the one element of input i as a float, or def when it is absent.
func (c *call) floatOr(i int, def float64) (float64, error) {
	t := c.maybe(i)
	if t == nil {
		return def, nil
	}
	if t.Len() != 1 || t.DType() == tensor.String {
		return 0, c.errorf("input %d must hold one number, not %s", i, t)
	}
	return floats(t)[0], nil
}

// axis normalises an axis of a tensor of the given rank: -1 is the last one.
func (c *call) axis(a, rank int) (int, error) {
	n := a
	if n < 0 {
		n += rank
	}
	if n < 0 || n >= rank {
		return 0, c.errorf("axis %d is outside of rank %d", a, rank)
	}
	return n, nil
}

// axes normalises several axes and refuses one that is named twice.
func (c *call) axes(as []int, rank int) ([]int, error) {
	r := make([]int, len(as))
	seen := make([]bool, rank)
	for i, a := range as {
		n, err := c.axis(a, rank)
		if err != nil {
			return nil, err
		}
		if seen[n] {
			return nil, c.errorf("axis %d appears twice", a)
		}
		seen[n], r[i] = true, n
	}
	return r, nil
}
