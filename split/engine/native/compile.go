package native

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// compiler turns a graph into a program.
type compiler struct {
	e *executable
	p *program
	g *split.Graph
	// cl[v] is the slot of value v channels-last, or -1 while there is none.
	cl []int
	// plain[v] reports that value v exists in ONNX layout: it does unless a group computed it channels-last only.
	plain []bool
	// folded has the weights that were computed from constants when the program was made.
	folded map[split.ValueID]*tensor.Tensor
	// deferred has the weights of few bits that nobody has asked for in float32 yet.
	deferred map[split.ValueID]deferred
}

// compile makes the program of g. Weights go to the executable's packer, which several programs share.
func (e *executable) compile(ctx context.Context, g *split.Graph) (*program, error) {
	p := &program{
		g: g, parallel: e.parallel, out: make([]tensor.Value, len(g.Outputs)),
		slots: make([]slot, len(g.Values)),
	}
	c := &compiler{e: e, p: p, g: g, cl: make([]int, len(g.Values)), plain: make([]bool, len(g.Values)), folded: map[split.ValueID]*tensor.Tensor{}, deferred: map[split.ValueID]deferred{}}
	for i := range g.Values {
		v := &g.Values[i]
		s := slot{root: i, first: -1}
		if v.Kind == split.TensorKind {
			s.dtype = v.DType
			if v.Shape != nil && v.Shape.Known() {
				s.shape = v.Shape
			}
		}
		p.slots[i] = s
		c.cl[i], c.plain[i] = -1, true
		if v.Const != nil {
			p.set(i, v.Const)
		}
	}
	for _, id := range g.Inputs {
		p.open = p.open || p.slots[id].shape == nil && g.Values[id].Kind == split.TensorKind
	}
	groups := g.Groups
	if groups == nil {
		for i := range g.Ops {
			groups = append(groups, split.Group{Pattern: g.Ops[i].Type, Ops: []split.OpID{split.OpID(i)}})
		}
	}
	for i := range groups {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.group(ctx, &groups[i]); err != nil {
			return nil, err
		}
		p.ends = append(p.ends, len(p.steps))
	}
	for _, id := range g.Outputs {
		c.toPlain(id)
	}
	if n := len(p.ends); n > 0 {
		p.ends[n-1] = len(p.steps)
	}
	c.plan()
	c.forget()
	return p, nil
}

// group appends the steps of one group. The shorter form of its ops is taken where there is one; of those, the longest runs
// that have a vectorised step become one step each.
func (c *compiler) group(ctx context.Context, gr *split.Group) error {
	ops := make([]*split.Op, 0, len(gr.Ops))
	for _, id := range gr.Ops {
		ops = append(ops, &c.g.Ops[id])
	}
	if c.e.cfg.Reference {
		for _, op := range ops {
			if err := c.reference(ctx, op); err != nil {
				return err
			}
		}
		return nil
	}
	if gr.Fused != nil {
		ops = ops[:0]
		for i := range gr.Fused {
			ops = append(ops, &gr.Fused[i])
		}
	}
	if ops[0].Is("DequantizeLinear") && c.qdq(ops) {
		return nil
	}
	for i := 0; i < len(ops); {
		if c.foldWeights(ops[i]) {
			i++
			continue
		}
		n := len(ops) - i
		for n > 0 && !c.fast(ops[i:i+n]) {
			n--
		}
		if n == 0 {
			if err := c.reference(ctx, ops[i]); err != nil {
				return err
			}
			n = 1
		}
		i += n
	}
	return nil
}

// foldWeights makes a DequantizeLinear of constants a constant, so that what reads it can be packed. Its float32 elements are
// computed when they are needed.
func (c *compiler) foldWeights(op *split.Op) bool {
	if op.Domain != onnx || op.Type != "DequantizeLinear" {
		return false
	}
	for _, v := range op.Inputs {
		if v != split.None && c.constant(v) == nil {
			return false
		}
	}
	return c.deferWeights(op) || c.fold(op)
}

// fold computes a DequantizeLinear of constants.
func (c *compiler) fold(op *split.Op) bool {
	cl := call{op: op, opset: c.g.Opset[onnx], in: make([]tensor.Value, len(op.Inputs)), out: make([]tensor.Value, 1)}
	for i, v := range op.Inputs {
		if v == split.None {
			continue
		}
		cl.in[i] = c.constant(v)
	}
	if evalDequantize(&cl) != nil {
		return false
	}
	id := op.Outputs[0]
	c.folded[id] = cl.out[0].(*tensor.Tensor)
	c.p.set(int(id), c.folded[id])
	return true
}

// reference appends the step that computes op by its reference implementation.
func (c *compiler) reference(ctx context.Context, op *split.Op) error {
	e := lookup(op.Domain, op.Type)
	for _, v := range op.Inputs {
		c.toPlain(v)
	}
	for _, v := range op.Captures {
		c.toPlain(v)
	}
	if e.alias && c.aliased(op.Inputs[0], op.Outputs[0]) {
		return nil
	}
	bodies, err := c.bodies(ctx, op)
	if err != nil {
		return err
	}
	if bodies != nil {
		op = withoutGraphs(op)
	}
	s := &evalStep{e: e}
	for _, v := range op.Inputs {
		s.in = append(s.in, int(v))
	}
	for _, v := range op.Outputs {
		s.out = append(s.out, int(v))
		if v != split.None && !e.shares {
			c.want(int(v))
		}
	}
	p := c.p
	s.c = call{
		op: op, opset: c.g.Opset[op.Domain], in: make([]tensor.Value, len(s.in)), out: make([]tensor.Value, len(s.out)),
		planned: p.planned(s.out),
		body:    func(name string) *body { return bodies[name].bind(p) },
	}
	io := stepIO{reads: s.in, writes: s.out, shares: e.shares}
	for _, v := range op.Captures {
		io.reads = append(io.reads, int(v))
	}
	c.add(s, io)
	return nil
}

// withoutGraphs is op without its subgraphs, once they are compiled: they hold constants.
func withoutGraphs(op *split.Op) *split.Op {
	o := *op
	o.Attrs = maps.Clone(op.Attrs)
	op.Subgraphs(func(name string, _ *split.Graph) { delete(o.Attrs, name) })
	return &o
}

// bodies compiles the subgraphs of op, by attribute. Their memory is the program's.
func (c *compiler) bodies(ctx context.Context, op *split.Op) (map[string]*body, error) {
	outer := map[string]int{}
	for _, v := range op.Captures {
		outer[c.g.Values[v].Name] = int(v)
	}
	var bodies map[string]*body
	var failed error
	op.Subgraphs(func(name string, g *split.Graph) {
		if failed != nil {
			return
		}
		prog, err := c.e.compile(ctx, g)
		if err != nil {
			failed = err
			return
		}
		b := &body{p: prog, captured: make([]tensor.Value, len(g.Captured))}
		for _, id := range g.Captured {
			at, ok := outer[g.Values[id].Name]
			if !ok {
				failed = fmt.Errorf("%s: its subgraph reads %q, which is defined nowhere", describe(op), g.Values[id].Name)
				return
			}
			b.from = append(b.from, at)
		}
		if bodies == nil {
			bodies = map[string]*body{}
		}
		bodies[name] = b
		c.p.bodies = append(c.p.bodies, prog)
	})
	return bodies, failed
}

// forget drops the constants that no step reads: what was packed of them is enough.
func (c *compiler) forget() {
	read := make([]bool, len(c.p.slots))
	for _, io := range c.p.io {
		for _, i := range io.reads {
			if i >= 0 {
				read[i] = true
			}
		}
	}
	for _, id := range c.g.Outputs {
		read[id] = true
	}
	for i := range c.g.Values {
		t := c.g.Values[i].Const
		if t == nil && c.folded[split.ValueID(i)] == nil || read[i] {
			continue
		}
		c.p.slots[i].val, c.p.slots[i].f32 = nil, nil
		if t != nil {
			t.Cool()
		}
	}
	c.p.io = nil
	if !c.p.open { // no further program will be made of the constants
		bare := *c.g
		bare.Values = slices.Clone(c.g.Values)
		bare.Ops, bare.Groups = nil, nil
		for i := range bare.Values {
			bare.Values[i].Const = nil
		}
		c.p.g = &bare
	}
}

// stepIO says what memory a step touches.
type stepIO struct {
	reads, writes []int // slots; -1 is skipped
	shares        bool  // what it writes may lie in the memory of what it reads
}

// add appends a step.
func (c *compiler) add(s step, io stepIO) {
	for _, i := range io.reads {
		if i >= 0 && i < len(c.g.Values) {
			if t := c.constant(split.ValueID(i)); t != nil {
				c.e.packs.hold(t)
			}
		}
	}
	c.p.steps = append(c.p.steps, s)
	c.p.io = append(c.p.io, io)
}

// want asks for a place in the arena for a slot, when its size is known.
func (c *compiler) want(i int) bool {
	s := &c.p.slots[i]
	if s.shape == nil || s.dtype == tensor.String || s.dtype == tensor.Invalid {
		return false
	}
	n, err := tensor.Bytes(s.dtype, s.shape)
	if err != nil {
		return false
	}
	s.planned, s.bytes = true, n
	return true
}

// aliased makes value to another view of value from where both sizes are known: without a step, or by a copy where from is
// not in the arena.
func (c *compiler) aliased(from, to split.ValueID) bool {
	f, t := &c.p.slots[from], &c.p.slots[to]
	if c.constant(from) != nil || f.shape == nil || t.shape == nil || f.dtype != t.dtype || f.dtype == tensor.String || f.dtype == tensor.Invalid {
		return false
	}
	n, err := f.shape.Elements()
	m, err2 := t.shape.Elements()
	if err != nil || err2 != nil || n != m {
		return false
	}
	c.view(int(from), int(to))
	return true
}

// extra makes a slot that is no value of the graph.
func (c *compiler) extra(d tensor.DType, s tensor.Shape) int {
	c.p.slots = append(c.p.slots, slot{root: len(c.p.slots), dtype: d, shape: s, first: -1})
	i := len(c.p.slots) - 1
	c.want(i)
	return i
}
