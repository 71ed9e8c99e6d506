package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// maxLoopSteps is the most iterations of one Loop.
const maxLoopSteps = 1 << 24

// subgraph makes the op's subgraph called name ready to run.
func (c *call) subgraph(name string) (*body, error) {
	if c.body == nil {
		return nil, c.unsupported("an op with subgraphs as a constant")
	}
	if b := c.body(name); b != nil {
		return b, nil
	}
	return nil, c.errorf("has no subgraph %q", name)
}

// copyValue is a copy of a value that outlives the program that computed it.
func copyValue(v tensor.Value) tensor.Value {
	switch v := v.(type) {
	case *tensor.Tensor:
		return v.Clone()
	case *tensor.Sequence:
		s := &tensor.Sequence{}
		for _, item := range v.Items {
			s.Items = append(s.Items, copyValue(item))
		}
		return s
	case *tensor.Optional:
		if v.Item == nil {
			return v
		}
		return &tensor.Optional{Item: copyValue(v.Item)}
	}
	return v
}

// truth is a condition's value.
func (c *call) truth(v tensor.Value) (bool, error) {
	t, ok := v.(*tensor.Tensor)
	if !ok || t.DType() != tensor.Bool || t.Len() != 1 {
		return false, c.errorf("condition is %v, expected one bool", kinds([]tensor.Value{v}))
	}
	return t.Bytes()[0] != 0, nil
}

func evalIf(c *call) error {
	if !c.has(0) {
		return c.errorf("input 0 is missing")
	}
	cond, err := c.truth(c.in[0])
	if err != nil {
		return err
	}
	name := "else_branch"
	if cond {
		name = "then_branch"
	}
	b, err := c.subgraph(name)
	if err != nil {
		return err
	}
	out, err := b.run(c.ctx, nil)
	if err != nil {
		return err
	}
	if len(out) != len(c.op.Outputs) {
		return c.errorf("%s has %d outputs, expected %d", name, len(out), len(c.op.Outputs))
	}
	for i, v := range out {
		c.set(i, v)
	}
	return nil
}

// evalLoop runs its body until the trip count, the condition or both end it. The body takes the iteration, the condition and the
// carried values, and gives the next condition, the carried values, and one slice of each scan output.
func evalLoop(c *call) error {
	trips, err := c.intOr(0, maxLoopSteps)
	if err != nil {
		return err
	}
	if trips > maxLoopSteps {
		trips = maxLoopSteps
	}
	cond := true
	if c.has(1) {
		if cond, err = c.truth(c.in[1]); err != nil {
			return err
		}
	}
	b, err := c.subgraph("body")
	if err != nil {
		return err
	}
	first := c.in[min(2, len(c.in)):]
	n := len(first)
	scans := len(c.op.Outputs) - n
	if scans < 0 || len(b.p.g.Inputs) != n+2 || len(b.p.g.Outputs) != n+1+scans {
		return c.errorf("body with %d inputs and %d outputs does not fit %d carried values and %d outputs",
			len(b.p.g.Inputs), len(b.p.g.Outputs), n, len(c.op.Outputs))
	}
	b.begin(first, scans)
	i := 0
	for ; cond && i < trips; i++ {
		if i+1 == maxLoopSteps {
			return c.errorf("ran %d iterations without end", maxLoopSteps)
		}
		out, err := b.iterate(c.ctx, i, cond)
		if err != nil {
			return err
		}
		if cond, err = c.truth(out[0]); err != nil {
			return err
		}
		b.carry(i, out[1:n+1])
		for k := range scans {
			if err := b.scans[k].add(i, out[1+n+k]); err != nil {
				return c.errorf("scan output %d: %w", k, err)
			}
		}
	}
	for k, v := range b.state {
		c.set(k, v)
	}
	for k := range scans {
		if i > 0 {
			t, err := b.scans[k].whole(i)
			if err != nil {
				return c.errorf("scan output %d: %w", k, err)
			}
			c.set(n+k, t)
			continue
		}
		v := &b.p.g.Values[b.p.g.Outputs[1+n+k]]
		s := tensor.Shape{0}
		for _, d := range v.Shape {
			s = append(s, max(d, 0))
		}
		if v.DType == tensor.Invalid {
			return c.errorf("type of scan output %d is not known", k)
		}
		if _, err := c.output(n+k, v.DType, s); err != nil {
			return err
		}
	}
	return nil
}

// stack joins tensors of one shape along a new axis as output i.
func (c *call) stack(i int, parts []*tensor.Tensor, axis int, reverse bool) error {
	first := parts[0]
	if reverse {
		slices.Reverse(parts)
	}
	axis, err := c.axis(axis, len(first.Shape())+1)
	if err != nil {
		return err
	}
	s := slices.Insert(first.Shape().Clone(), axis, len(parts))
	out, err := c.output(i, first.DType(), s)
	if err != nil {
		return err
	}
	outer, n, inner := blocks(s, axis)
	return c.moves(out, func(m mover) {
		for k, t := range parts {
			if t.DType() != first.DType() || !t.Shape().Equal(first.Shape()) {
				err = c.errorf("slices differ: %s and %s", first, t)
				return
			}
			for o := range outer {
				m.move(out, (o*n+k)*inner, t, o*inner, inner)
			}
		}
	})
}

// evalScan runs its body over slices of its scan inputs. The batch dimension of opset 8 is not there.
func evalScan(c *call) error {
	b, err := c.subgraph("body")
	if err != nil {
		return err
	}
	k := c.attrInt("num_scan_inputs", 0)
	n := len(c.in) - k
	scans := len(c.op.Outputs) - n
	if k < 1 || n < 0 || scans < 0 || len(b.p.g.Inputs) != len(c.in) || len(b.p.g.Outputs) != len(c.op.Outputs) {
		return c.errorf("body with %d inputs and %d outputs does not fit %d scan inputs", len(b.p.g.Inputs), len(b.p.g.Outputs), k)
	}
	option := func(name string, count int) ([]int, error) {
		v := c.attrInts(name)
		if v == nil {
			v = make([]int, count)
		}
		if len(v) != count {
			return nil, c.errorf("%s has %d elements, expected %d", name, len(v), count)
		}
		return v, nil
	}
	var opts [4][]int
	for i, name := range []string{"scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"} {
		if opts[i], err = option(name, [2]int{k, scans}[i/2]); err != nil {
			return err
		}
	}
	state := slices.Clone(c.in[:n])
	steps := -1
	for i := range k {
		t, err := c.tensor(n + i)
		if err != nil {
			return err
		}
		if opts[0][i], err = c.axis(opts[0][i], len(t.Shape())); err != nil {
			return err
		}
		if d := t.Shape()[opts[0][i]]; steps >= 0 && d != steps {
			return c.errorf("scan inputs differ in length: %d and %d", steps, d)
		} else {
			steps = d
		}
	}
	parts := make([][]*tensor.Tensor, scans)
	for s := range steps {
		in := slices.Clone(state)
		for i := range k {
			at := s
			if opts[1][i] == 1 {
				at = steps - 1 - s
			}
			part, err := c.slice(c.in[n+i].(*tensor.Tensor), opts[0][i], at)
			if err != nil {
				return err
			}
			in = append(in, part)
		}
		out, err := b.run(c.ctx, in)
		if err != nil {
			return err
		}
		for i := range n {
			state[i] = copyValue(out[i])
		}
		for i := range scans {
			t, ok := out[n+i].(*tensor.Tensor)
			if !ok {
				return c.errorf("scan output %d is not a tensor", i)
			}
			parts[i] = append(parts[i], t.Clone())
		}
	}
	for i, v := range state {
		c.set(i, v)
	}
	for i, p := range parts {
		if len(p) == 0 {
			return c.unsupported("a scan of length 0")
		}
		if err := c.stack(n+i, p, opts[2][i], opts[3][i] == 1); err != nil {
			return err
		}
	}
	return nil
}

// slice is slice at of t along axis, without that axis.
func (c *call) slice(t *tensor.Tensor, axis, at int) (*tensor.Tensor, error) {
	outer, n, inner := blocks(t.Shape(), axis)
	out, err := c.scratch(t.DType(), slices.Delete(t.Shape().Clone(), axis, axis+1))
	if err != nil {
		return nil, err
	}
	return out, c.moves(out, func(m mover) {
		for o := range outer {
			m.move(out, o*inner, t, (o*n+at)*inner, inner)
		}
	})
}

// evalSequenceMap runs its body on the items of its sequences, side by side with whole tensors.
func evalSequenceMap(c *call) error {
	b, err := c.subgraph("body")
	if err != nil {
		return err
	}
	first, ok := c.in[0].(*tensor.Sequence)
	if !ok {
		return c.errorf("input 0 is not a sequence")
	}
	outs := make([]*tensor.Sequence, len(c.op.Outputs))
	for i := range outs {
		outs[i] = &tensor.Sequence{}
	}
	for i := range first.Items {
		in := make([]tensor.Value, len(c.in))
		for k, v := range c.in {
			in[k] = v
			if s, ok := v.(*tensor.Sequence); ok {
				if len(s.Items) != len(first.Items) {
					return c.errorf("sequences of %d and %d items", len(first.Items), len(s.Items))
				}
				in[k] = s.Items[i]
			}
		}
		res, err := b.run(c.ctx, in)
		if err != nil {
			return err
		}
		for k := range outs {
			outs[k].Items = append(outs[k].Items, copyValue(res[k]))
		}
	}
	for i, s := range outs {
		c.set(i, s)
	}
	return nil
}
