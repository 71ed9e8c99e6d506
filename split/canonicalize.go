package split

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

const (
	// MaxFolded is the most elements of a constant that Canonicalize computes, MaxFoldedBytes the most bytes of all that it
	// computes for one graph together.
	MaxFolded      = 1 << 28
	MaxFoldedBytes = 1 << 30
	// maxRounds is how often the passes run over a graph; each round must have changed something.
	maxRounds = 16
)

// Evaluator computes one op of the ONNX domain on constants: in is parallel to op.Inputs, nil where an input is absent,
// and the result to op.Outputs. It must give the same bits on every node. It returns an error that wraps ErrUnknownOp for
// ops that it does not know.
type Evaluator func(op *Op, in []*tensor.Tensor) ([]*tensor.Tensor, error)

// Option changes what Canonicalize does.
type Option func(*canonicalizer)

// WithEvaluator makes Canonicalize also fold constant ops that package split cannot compute itself. The result, and so the
// digest, depends on which ops eval knows: all nodes of a mesh must use the same.
func WithEvaluator(eval Evaluator) Option {
	return func(c *canonicalizer) { c.eval = eval }
}

// canonicalizer rewrites one graph, which it owns. A removed op has an empty Type until clean.
type canonicalizer struct {
	g      *Graph
	eval   Evaluator
	inf    *inference
	folded int64           // bytes so far
	names  map[string]bool // of values, since the first was added; nil before
}

// pass is one rewriting of the whole graph. It reports whether it changed anything.
type pass struct {
	name string
	run  func(*canonicalizer) bool
}

// passes is every pass in the order in which a round runs them.
func passes() []pass {
	return []pass{
		{"inline-if", (*canonicalizer).inlineIf},
		{"fold", (*canonicalizer).fold},
		{"no-ops", (*canonicalizer).removeNoOps},
		{"explicit-pads", (*canonicalizer).explicitPads},
		{"pad-conv", (*canonicalizer).foldPads},
		{"transposes", (*canonicalizer).cancelTransposes},
		{"reshapes", (*canonicalizer).mergeReshapes},
		{"batch-norm", (*canonicalizer).foldBatchNorm},
		{"scale-bias", (*canonicalizer).foldScaleAndBias},
	}
}

// Canonicalize rewrites a specialised graph into the form that is cut and executed, and fills Groups. It never changes g, but shares
// its constants. Equal inputs give equal results, bit for bit, so that every node cuts the same graph.
//
// First, a graph of half precision is made to compute in float32: see widen. Then, until nothing changes: branches of an If whose condition is constant are inlined; ops on constants are
// folded, computed shapes included; ops that change nothing are removed; auto_pad becomes pads; zero padding goes into
// the convolution that follows; transposes that cancel are removed, reshapes of reshapes merged; batch norms and per-channel factors and
// terms go into the weights and bias of the convolution or matrix product in front; ops whose results nobody reads are dropped. Then
// ops are grouped: see groups.go.
func Canonicalize(g *Graph, opts ...Option) (*Graph, error) {
	c := &canonicalizer{g: g.clone()}
	for _, opt := range opts {
		opt(c)
	}
	c.g.Groups = nil
	if err := c.widen(); err != nil {
		return nil, fmt.Errorf("canonicalize %q: widen: %w", g.Name, err)
	}
	if err := c.rewrite(); err != nil {
		return nil, fmt.Errorf("canonicalize %q: %w", g.Name, err)
	}
	c.dropUnused()
	if err := c.group(); err != nil {
		return nil, fmt.Errorf("canonicalize %q: group: %w", g.Name, err)
	}
	return c.g, nil
}

// rewrite runs the passes over the graph and its subgraphs until nothing changes.
func (c *canonicalizer) rewrite() error {
	for range maxRounds {
		changed := false
		for _, p := range passes() {
			if err := c.infer(); err != nil {
				return fmt.Errorf("before pass %s: %w", p.name, err)
			}
			if !p.run(c) {
				continue
			}
			changed = true
			if err := c.clean(); err != nil {
				return fmt.Errorf("after pass %s: %w", p.name, err)
			}
		}
		if !changed {
			break
		}
	}
	if err := c.rewriteBodies(); err != nil {
		return err
	}
	if err := c.clean(); err != nil {
		return err
	}
	return c.produceOutputs()
}

// infer brings types and known contents up to date, when something has changed.
func (c *canonicalizer) infer() error {
	if c.inf != nil {
		return nil
	}
	var err error
	c.inf, err = inferTypes(c.g)
	return err
}

// clean drops removed ops and those whose results nobody reads, and links what is left.
func (c *canonicalizer) clean() error {
	g := c.g
	live := make([]bool, len(g.Values))
	for _, v := range g.Outputs {
		live[v] = true
	}
	producer := make([]int, len(g.Values))
	for i := range producer {
		producer[i] = -1
	}
	for i := range g.Ops {
		for _, v := range g.Ops[i].Outputs {
			if v != None && g.Ops[i].Type != "" {
				producer[v] = i
			}
		}
	}
	keep := make([]bool, len(g.Ops))
	todo := slices.Clone(g.Outputs)
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := producer[v]
		if p < 0 || keep[p] {
			continue
		}
		keep[p] = true
		for r := range g.Ops[p].reads() {
			todo = append(todo, r)
		}
	}
	ops := g.Ops[:0]
	for i := range g.Ops {
		if keep[i] {
			ops = append(ops, g.Ops[i])
		}
	}
	g.Ops = ops
	c.inf = nil
	return g.link()
}

// replace makes every reader of old read new instead. The value old keeps its name if it is an output of the graph; then nothing
// happens and replace reports false.
func (c *canonicalizer) replace(old, by ValueID) bool {
	if slices.Contains(c.g.Outputs, old) && !c.takeName(old, by) {
		return false
	}
	for _, id := range c.g.Values[old].Consumers {
		o := &c.g.Ops[id]
		for i, v := range o.Inputs {
			if v == old {
				o.Inputs[i] = by
			}
		}
		if i := slices.Index(o.Captures, old); i >= 0 {
			if !c.recapture(o, old, by) {
				return false
			}
		}
	}
	for _, id := range c.g.Values[old].Consumers {
		if by >= 0 && !slices.Contains(c.g.Values[by].Consumers, id) {
			c.g.Values[by].Consumers = append(c.g.Values[by].Consumers, id)
			slices.Sort(c.g.Values[by].Consumers)
		}
	}
	c.g.Values[old].Consumers = nil
	return true
}

// rewire makes input i of op id read v.
func (c *canonicalizer) rewire(id OpID, i int, v ValueID) {
	o := &c.g.Ops[id]
	old := o.Inputs[i]
	o.Inputs[i] = v
	for r := range o.reads() {
		if r == old {
			old = None
		}
	}
	if old != None {
		from := &c.g.Values[old]
		from.Consumers = slices.DeleteFunc(slices.Clone(from.Consumers), func(x OpID) bool { return x == id })
	}
	if to := &c.g.Values[v]; !slices.Contains(to.Consumers, id) {
		to.Consumers = append(to.Consumers, id)
		slices.Sort(to.Consumers)
	}
}

// takeName makes by the graph's output in the place and under the name of old. That needs a value that an op computes and
// that is no output itself.
func (c *canonicalizer) takeName(old, by ValueID) bool {
	g := c.g
	if g.Values[by].Producer < 0 || slices.Contains(g.Outputs, by) || c.captured(by) || c.captured(old) {
		return false
	}
	g.Values[old].Name, g.Values[by].Name = g.Values[by].Name, g.Values[old].Name
	for i, v := range g.Outputs {
		if v == old {
			g.Outputs[i] = by
		}
	}
	return true
}

// captured reports whether a subgraph reads v, which binds it by name.
func (c *canonicalizer) captured(v ValueID) bool {
	for _, id := range c.g.Values[v].Consumers {
		if slices.Contains(c.g.Ops[id].Captures, v) {
			return true
		}
	}
	return false
}

// recapture makes o's subgraphs read by where they read old.
func (c *canonicalizer) recapture(o *Op, old, by ValueID) bool {
	from, to := &c.g.Values[old], &c.g.Values[by]
	o.Attrs = cloneAttrs(o.Attrs, func(g *Graph) *Graph { return renameCapture(g, from.Name, to) })
	i := slices.Index(o.Captures, old)
	if to.Const != nil || slices.Contains(o.Captures, by) {
		o.Captures = slices.Delete(o.Captures, i, i+1)
	} else {
		o.Captures[i] = by
	}
	return true
}

// newValue adds a value whose name is made from that of another.
func (c *canonicalizer) newValue(from ValueID, suffix string, t Type) ValueID {
	if c.names == nil {
		c.names = map[string]bool{}
		for i := range c.g.Values {
			c.names[c.g.Values[i].Name] = true
		}
	}
	base := c.g.Values[from].Name + "/" + suffix
	name := base
	for n := 2; c.names[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	c.names[name] = true
	v := Value{Name: name, Producer: -1}
	v.SetType(t)
	c.g.Values = append(c.g.Values, v)
	return ValueID(len(c.g.Values) - 1)
}

// newConst adds a constant whose name is made from that of another value.
func (c *canonicalizer) newConst(from ValueID, suffix string, t *tensor.Tensor) ValueID {
	id := c.newValue(from, suffix, Type{DType: t.DType(), Shape: t.Shape().Clone()})
	c.g.Values[id].Const = t
	return id
}

// producer is the op that computes v; nil when none does.
func (c *canonicalizer) producer(v ValueID) *Op {
	if v == None || c.g.Values[v].Producer < 0 {
		return nil
	}
	o := &c.g.Ops[c.g.Values[v].Producer]
	if o.Type == "" {
		return nil
	}
	return o
}

// only is the one op that reads v; nil when several do, or the graph's caller does.
func (c *canonicalizer) only(v ValueID) *Op {
	if v == None || len(c.g.Values[v].Consumers) != 1 || slices.Contains(c.g.Outputs, v) {
		return nil
	}
	o := &c.g.Ops[c.g.Values[v].Consumers[0]]
	if o.Type == "" {
		return nil
	}
	return o
}

// constant is the value of v when it is one.
func (c *canonicalizer) constant(v ValueID) *tensor.Tensor {
	if v == None {
		return nil
	}
	return c.g.Values[v].Const
}

// dims is the shape of v.
func (c *canonicalizer) dims(v ValueID) dims {
	if v == None {
		return nil
	}
	return typeDims(c.g.Values[v].Type())
}

// produceOutputs gives every output of the graph that is an input, a constant or stands twice an Identity op, so that a stage computes
// it.
func (c *canonicalizer) produceOutputs() error {
	g := c.g
	seen := map[ValueID]bool{}
	added := false
	for i, v := range g.Outputs {
		if g.Values[v].Producer >= 0 && !seen[v] {
			seen[v] = true
			continue
		}
		out := c.newValue(v, "output", g.Values[v].Type())
		if !seen[v] && !slices.Contains(g.Inputs, v) {
			g.Values[v].Name, g.Values[out].Name = g.Values[out].Name, g.Values[v].Name
		}
		g.Ops = append(g.Ops, Op{Type: "Identity", Inputs: []ValueID{v}, Outputs: []ValueID{out}})
		g.Outputs[i] = out
		added = true
	}
	if !added {
		return nil
	}
	return g.link()
}

// dropUnused renumbers the values so that only those remain that something refers to.
func (c *canonicalizer) dropUnused() {
	g := c.g
	used := make([]bool, len(g.Values))
	mark := func(list []ValueID) {
		for _, v := range list {
			if v != None {
				used[v] = true
			}
		}
	}
	mark(g.Inputs)
	mark(g.Outputs)
	mark(g.Captured)
	for i := range g.Ops {
		mark(g.Ops[i].Inputs)
		mark(g.Ops[i].Outputs)
		mark(g.Ops[i].Captures)
	}
	ids := make([]ValueID, len(g.Values))
	values := make([]Value, 0, len(g.Values))
	for v := range g.Values {
		if used[v] {
			ids[v] = ValueID(len(values))
			values = append(values, g.Values[v])
		}
	}
	g.Values = values
	move := func(list []ValueID) {
		for i, v := range list {
			if v != None {
				list[i] = ids[v]
			}
		}
	}
	move(g.Inputs)
	move(g.Outputs)
	move(g.Captured)
	for i := range g.Ops {
		move(g.Ops[i].Inputs)
		move(g.Ops[i].Outputs)
		move(g.Ops[i].Captures)
	}
}
