package native

import (
	"context"

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
		if err := c.group(&groups[i]); err != nil {
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
	return p, nil
}

// group appends the steps of one group. The shorter form of its ops is taken where there is one; of those, the longest runs
// that have a vectorised step become one step each.
func (c *compiler) group(gr *split.Group) error {
	ops := make([]*split.Op, 0, len(gr.Ops))
	for _, id := range gr.Ops {
		ops = append(ops, &c.g.Ops[id])
	}
	if c.e.cfg.Reference {
		for _, op := range ops {
			c.reference(op)
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
			c.reference(ops[i])
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
func (c *compiler) reference(op *split.Op) {
	e := lookup(op.Domain, op.Type)
	for _, v := range op.Inputs {
		c.toPlain(v)
	}
	for _, v := range op.Captures {
		c.toPlain(v)
	}
	if e.alias && c.aliased(op.Inputs[0], op.Outputs[0]) {
		return
	}
	s := &evalStep{e: e, bodies: map[*split.Graph]*program{}}
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
		place: p.place(s.out),
		body:  c.body(op, s.bodies),
	}
	io := stepIO{reads: s.in, writes: s.out, shares: e.shares}
	for _, v := range op.Captures {
		io.reads = append(io.reads, int(v))
	}
	c.add(s, io)
}

// body finds or compiles the program of a subgraph of op and binds what it captures.
func (c *compiler) body(op *split.Op, bodies map[*split.Graph]*program) func(*call, *split.Graph) (*body, error) {
	p, outer := c.p, map[string]int{}
	for _, v := range op.Captures {
		outer[c.g.Values[v].Name] = int(v)
	}
	return func(cl *call, g *split.Graph) (*body, error) {
		prog := bodies[g]
		if prog == nil {
			var err error
			if prog, err = c.e.compile(cl.ctx, g); err != nil {
				return nil, err
			}
			bodies[g] = prog
		}
		b := &body{p: prog, captured: make([]tensor.Value, len(g.Captured))}
		for i, id := range g.Captured {
			at, ok := outer[g.Values[id].Name]
			if !ok {
				return nil, cl.errorf("its subgraph reads %q, which is defined nowhere", g.Values[id].Name)
			}
			b.captured[i] = p.slots[at].val
		}
		return b, nil
	}
}

// body is a subgraph that is ready to run.
type body struct {
	p        *program
	captured []tensor.Value
}

// run computes the subgraph. Its results are valid until it runs again.
func (b *body) run(ctx context.Context, in []tensor.Value) ([]tensor.Value, error) {
	return b.p.run(ctx, in, b.captured, nil)
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

// aliased makes value to another view of value from, when that is possible without a step.
func (c *compiler) aliased(from, to split.ValueID) bool {
	f, t := &c.p.slots[from], &c.p.slots[to]
	if c.constant(from) != nil || !c.p.slots[f.root].planned || f.shape == nil || t.shape == nil || f.dtype != t.dtype {
		return false
	}
	n, err := f.shape.Elements()
	m, err2 := t.shape.Elements()
	if err != nil || err2 != nil || n != m || f.dtype == tensor.String {
		return false
	}
	t.root, t.bytes = f.root, f.bytes
	return true
}

// extra makes a slot that is no value of the graph.
func (c *compiler) extra(d tensor.DType, s tensor.Shape) int {
	c.p.slots = append(c.p.slots, slot{root: len(c.p.slots), dtype: d, shape: s, first: -1})
	i := len(c.p.slots) - 1
	c.want(i)
	return i
}
