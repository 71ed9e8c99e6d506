package split

import "github.com/cleave-mesh/cleave/internal/tensor"

func controlRules() []opRule {
	return []opRule{
		{"If", 1, 1, -1, inferIf},
		{"Loop", 2, -1, -1, inferLoop},
		{"Scan", 1, -1, -1, inferScan},
		{"SequenceMap", 1, -1, -1, inferSequenceMap},
		{"Optional", 0, 1, 1, inferOptional},
		{"OptionalGetElement", 1, 1, 1, inferOptionalGetElement},
		{"OptionalHasElement", 0, 1, 1, func(c *opContext) error { c.out(0, tensor.Bool, dims{}); return nil }},
	}
}

// outputTypes is the types of a subgraph's outputs.
func outputTypes(g *Graph) []Type {
	types := make([]Type, len(g.Outputs))
	for i, v := range g.Outputs {
		types[i] = g.Values[v].Type()
	}
	return types
}

// inferIf takes what both branches agree on; the branch that a known condition rules out does not count. A branch whose shapes do not fit is one
// that these shapes never take: the op then says nothing about its outputs.
func inferIf(c *opContext) error {
	var types [2][]Type
	var ok [2]bool
	for i, name := range []string{"then_branch", "else_branch"} {
		sub := c.o.Graph(name)
		if sub == nil {
			return invalid("it has no %s", name)
		}
		if len(sub.Outputs) != len(c.o.Outputs) {
			return invalid("its %s has %d outputs, not %d", name, len(sub.Outputs), len(c.o.Outputs))
		}
		s, err := c.inf.subgraph(sub, nil)
		if err != nil {
			if !isInvalid(err) {
				return err
			}
			continue
		}
		c.setGraph(name, s.g)
		types[i], ok[i] = outputTypes(s.g), true
	}
	if cond := c.contents(0); cond != nil && cond.DType() == tensor.Bool && cond.Len() == 1 {
		if taken := boolToInt(cond.Bytes()[0] == 0); ok[taken] {
			ok[1-taken] = false
		}
	}
	for i := range c.o.Outputs {
		switch {
		case ok[0] && ok[1]:
			c.outType(i, eitherType(types[0][i], types[1][i]))
		case ok[0]:
			c.outType(i, types[0][i])
		case ok[1]:
			c.outType(i, types[1][i])
		}
	}
	return nil
}

// stable infers a loop's body with carried values whose types hold in every iteration: where one iteration changes a size,
// it is unknown.
func (c *opContext) stable(body *Graph, carried []Type, build func(carried []Type) []Type, result func(outputs []Type) []Type) (*inference, error) {
	const rounds = 4 // a type can lose its sizes, then its rank, then its element type
	for range rounds {
		s, err := c.inf.subgraph(body, build(carried))
		if err != nil {
			return nil, err
		}
		again := false
		for i, t := range result(outputTypes(s.g)) {
			if merged := eitherType(carried[i], t); merged.String() != carried[i].String() {
				carried[i], again = merged, true
			}
		}
		if !again {
			return s, nil
		}
	}
	for i := range carried {
		carried[i] = Type{Kind: carried[i].Kind, DType: carried[i].DType}
	}
	return c.inf.subgraph(body, build(carried))
}

func (c *opContext) body() (*Graph, error) {
	body := c.o.Graph("body")
	if body == nil {
		return nil, invalid("it has no body")
	}
	return body, nil
}

func inferLoop(c *opContext) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	n := len(c.o.Inputs) - 2
	if len(body.Inputs) != n+2 || len(body.Outputs) < n+1 || len(c.o.Outputs) > len(body.Outputs)-1 {
		return invalid("its body has %d inputs and %d outputs, which does not fit %d carried values and %d outputs", len(body.Inputs),
			len(body.Outputs), n, len(c.o.Outputs))
	}
	carried := make([]Type, n)
	for i := range carried {
		carried[i] = c.in(i + 2)
	}
	s, err := c.stable(body, carried, func(carried []Type) []Type {
		return append([]Type{{DType: tensor.Int64, Shape: tensor.Shape{}}, {DType: tensor.Bool, Shape: tensor.Shape{}}}, carried...)
	}, func(outputs []Type) []Type { return outputs[1 : n+1] })
	if err != nil {
		return err
	}
	c.setGraph("body", s.g)
	types := outputTypes(s.g)[1:]
	for i := range c.o.Outputs {
		if i < n {
			c.outType(i, carried[i])
			if types[i].Kind != carried[i].Kind { // an optional that the first iteration fills
				c.outType(i, types[i])
			}
			continue
		}
		d := typeDims(types[i])
		if d != nil {
			trips := unknownDim
			if m, ok := c.ints(0); ok && len(m) == 1 && c.alwaysOn(s) {
				trips = elem{v: max(m[0], 0), ok: true}.dim()
			}
			d = append(dims{trips}, d...)
		}
		c.out(i, types[i].DType, d)
	}
	return nil
}

// alwaysOn reports whether neither the loop's condition nor its body ever ends it early.
func (c *opContext) alwaysOn(s *inference) bool {
	on := func(t *tensor.Tensor) bool {
		return t != nil && t.DType() == tensor.Bool && t.Len() == 1 && t.Bytes()[0] != 0
	}
	if c.has(1) && !on(c.contents(1)) {
		return false
	}
	cond := s.g.Outputs[0]
	for {
		if on(s.contents(cond)) || len(s.g.Inputs) > 1 && cond == s.g.Inputs[1] {
			return true
		}
		p := s.g.Values[cond].Producer
		if p < 0 || !s.g.Ops[p].Is("Identity") {
			return false
		}
		cond = s.g.Ops[p].Inputs[0]
	}
}

func inferScan(c *opContext) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	scans := int(min(max(c.o.Int("num_scan_inputs", 0), 0), int64(len(c.o.Inputs))))
	n := len(c.o.Inputs) - scans
	if scans < 1 || len(body.Inputs) != len(c.o.Inputs) || len(body.Outputs) < n || len(c.o.Outputs) > len(body.Outputs) {
		return invalid("its body has %d inputs and %d outputs, which does not fit %d carried values and %d scanned ones", len(body.Inputs),
			len(body.Outputs), n, scans)
	}
	axes, outAxes := c.o.Ints("scan_input_axes"), c.o.Ints("scan_output_axes")
	slicesOf := make([]Type, scans)
	length := unknownDim
	for i := range scans {
		t := c.in(n + i)
		d := typeDims(t)
		if d == nil {
			slicesOf[i] = Type{DType: t.DType}
			continue
		}
		axis, err := axisOf(nth(axes, i), len(d))
		if err != nil {
			return err
		}
		merged, ok := same(length, d[axis])
		if !ok {
			return invalid("it scans over %d and over %d elements", length.n, d[axis].n)
		}
		length = merged
		slicesOf[i] = tensorOf(t.DType, withoutDim(d, axis))
	}
	carried := make([]Type, n)
	for i := range carried {
		carried[i] = c.in(i)
	}
	s, err := c.stable(body, carried, func(carried []Type) []Type { return append(append([]Type{}, carried...), slicesOf...) },
		func(outputs []Type) []Type { return outputs[:n] })
	if err != nil {
		return err
	}
	c.setGraph("body", s.g)
	types := outputTypes(s.g)
	for i := range c.o.Outputs {
		if i < n {
			c.outType(i, carried[i])
			continue
		}
		d := typeDims(types[i])
		if d != nil {
			axis, err := axisOf(nth(outAxes, i-n), len(d)+1)
			if err != nil {
				return err
			}
			d = append(append(append(dims{}, d[:axis]...), length), d[axis:]...)
		}
		c.out(i, types[i].DType, d)
	}
	return nil
}

// nth is list[i], or 0 when the list is shorter.
func nth(list []int64, i int) int64 {
	if i < len(list) {
		return list[i]
	}
	return 0
}

func inferSequenceMap(c *opContext) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if len(body.Inputs) != len(c.o.Inputs) || len(body.Outputs) != len(c.o.Outputs) {
		return invalid("its body has %d inputs and %d outputs, not %d and %d", len(body.Inputs), len(body.Outputs), len(c.o.Inputs), len(c.o.Outputs))
	}
	inputs := make([]Type, len(c.o.Inputs))
	for i := range inputs {
		inputs[i] = c.in(i)
		if inputs[i].Kind == SequenceKind {
			if inputs[i].Elem == nil {
				inputs[i] = Type{}
			} else {
				inputs[i] = *inputs[i].Elem
			}
		}
	}
	s, err := c.inf.subgraph(body, inputs)
	if err != nil {
		return err
	}
	c.setGraph("body", s.g)
	for i, t := range outputTypes(s.g) {
		c.outType(i, Type{Kind: SequenceKind, Elem: &t})
	}
	return nil
}

func inferOptional(c *opContext) error {
	if c.has(0) {
		t := c.in(0)
		c.outType(0, Type{Kind: OptionalKind, Elem: &t})
		return nil
	}
	t, _ := c.o.Attrs["type"].(*Type)
	c.outType(0, Type{Kind: OptionalKind, Elem: t})
	return nil
}

// inferOptionalGetElement passes on what is no optional.
func inferOptionalGetElement(c *opContext) error {
	t := c.in(0)
	switch {
	case t.Kind != OptionalKind:
		c.outType(0, t)
	case t.Elem != nil:
		c.outType(0, *t.Elem)
	}
	return nil
}
