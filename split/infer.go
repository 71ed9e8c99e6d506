package split

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// MaxPropagated is the most elements of a constant that inference computes for the sake of shapes.
const MaxPropagated = 4096

// inference computes the types of a graph's values, op by op, and on the way the contents of small tensors as far as they
// follow from constants and shapes.
type inference struct {
	g      *Graph
	consts map[ValueID]*tensor.Tensor // contents that are fully known and are not a Const
	parts  map[ValueID][]elem         // integer contents that are known in part, of rank 0 or 1
	depth  int                        // of a subgraph
	left   *int                       // ops that may still be inferred, shared with the graphs around
}

// elem is one integer of which the value is known, or perhaps that it is a symbolic size.
type elem struct {
	v  int64
	ok bool
	p  string
}

// MaxInferred is the most ops that one inference looks at: a body whose carried values change their shape is looked at again,
// with all that nests in it.
const MaxInferred = 1 << 22

// maxInferDepth is how deep subgraphs may nest.
const maxInferDepth = 64

// inferTypes fills the types of all values of g, which it owns, subgraphs' included. Declared types of values fill in what cannot be
// inferred.
func inferTypes(g *Graph) (*inference, error) {
	left := MaxInferred
	inf := &inference{g: g, consts: map[ValueID]*tensor.Tensor{}, parts: map[ValueID][]elem{}, left: &left}
	return inf, inf.run()
}

func (inf *inference) run() error {
	if inf.depth > maxInferDepth {
		return invalid("subgraphs nest deeper than %d", maxInferDepth)
	}
	for i := range inf.g.Ops {
		if *inf.left--; *inf.left < 0 {
			return fmt.Errorf("%w: bodies nest so that inference would look at more than %d ops", ErrLimit, MaxInferred)
		}
		if err := inf.op(OpID(i)); err != nil {
			return inf.g.opError(&inf.g.Ops[i], err)
		}
	}
	return nil
}

// op infers one op whose inputs have been inferred.
func (inf *inference) op(id OpID) error {
	o := &inf.g.Ops[id]
	rule, ok := ruleOf(o.Domain, o.Type)
	if !ok {
		return ErrUnknownOp
	}
	if n := len(o.Inputs); n < rule.min || rule.max >= 0 && n > rule.max {
		return invalid("it has %d inputs, not %s", n, rule.arity())
	}
	for i := range rule.min {
		if o.Inputs[i] == None && !slices.Contains(mayBeAbsent[o.Type], i) {
			return invalid("its input %d is required, but left out", i)
		}
	}
	if len(o.Outputs) > rule.outputs && rule.outputs >= 0 {
		return invalid("it has %d outputs, at most %d are defined", len(o.Outputs), rule.outputs)
	}
	c := &opContext{inf: inf, o: o, types: make([]Type, len(o.Outputs)), set: make([]bool, len(o.Outputs))}
	if err := rule.infer(c); err != nil {
		return err
	}
	for i, v := range o.Outputs {
		if v == None {
			continue
		}
		if err := inf.settle(&inf.g.Values[v], c.types[i], c.set[i]); err != nil {
			return err
		}
	}
	inf.propagate(c)
	return nil
}

// mayBeAbsent is the optional inputs that stand before required ones, or are all optional though their places are not.
var mayBeAbsent = map[string][]int{
	"Loop": {0, 1}, "GroupQueryAttention": {1, 2, 3, 4}, "EmbedLayerNormalization": {1, 4},
	"QLinearAdd": {2, 5}, "QLinearMul": {2, 5}, "QLinearSigmoid": {2}, "QLinearLeakyRelu": {2}, "QLinearSoftmax": {2},
	"QLinearAveragePool": {2}, "QLinearGlobalAveragePool": {2},
}

// settle gives v the type t that was inferred, completed by what the model declares. The model's own output may not
// contradict what is inferred; elsewhere inference is right and the declaration is a leftover.
func (inf *inference) settle(v *Value, t Type, inferred bool) error {
	declared := v.Type()
	if !inferred {
		return nil
	}
	if t.Kind != TensorKind {
		if t.Elem == nil && declared.Kind == t.Kind {
			t.Elem = declared.Elem
		}
		v.SetType(t)
		return nil
	}
	if declared.Kind != TensorKind {
		return invalid("output %q is a tensor, but the model declares a %s", v.Name, declared.Kind)
	}
	if t.DType == tensor.Invalid {
		t.DType = declared.DType
	} else if declared.DType != tensor.Invalid && declared.DType != t.DType {
		return invalid("output %q is %s, but the model declares %s", v.Name, t.DType, declared.DType)
	}
	d, decl := typeDims(t), typeDims(declared)
	switch {
	case d == nil:
		d = decl
	case len(d) == len(decl):
		for i := range d {
			if !d[i].known() && (decl[i].known() || d[i].p == "") {
				d[i] = decl[i]
			}
		}
	}
	if len(d) > MaxRank {
		return fmt.Errorf("%w: output %q has rank %d, the limit is %d", ErrLimit, v.Name, len(d), MaxRank)
	}
	v.SetType(tensorOf(t.DType, d))
	return nil
}

// contents is what is known of v's elements, whole.
func (inf *inference) contents(v ValueID) *tensor.Tensor {
	if v == None {
		return nil
	}
	if c := inf.g.Values[v].Const; c != nil {
		return c
	}
	return inf.consts[v]
}

// propagate computes the contents of o's outputs where they are small and follow from what is known.
func (inf *inference) propagate(c *opContext) {
	o := c.o
	if o.Domain != "" || len(o.Captures) > 0 {
		return
	}
	for _, v := range o.Outputs {
		if n := inf.g.elements(v); v != None && n > MaxPropagated {
			return
		}
	}
	if out := inf.shapeContents(o); out != nil {
		inf.consts[o.Outputs[0]] = out
		return
	}
	in := make([]*tensor.Tensor, len(o.Inputs))
	whole := len(in) > 0
	for i, v := range o.Inputs {
		if v == None {
			continue
		}
		if in[i] = inf.contents(v); in[i] == nil || in[i].Len() > 16*MaxPropagated {
			whole = false
			break
		}
	}
	if whole {
		if out, err := evaluate(o, in, MaxPropagated); err == nil {
			for i, v := range o.Outputs {
				if v != None && i < len(out) && out[i] != nil {
					inf.consts[v] = out[i]
				}
			}
			return
		}
	}
	if parts := inf.partial(o); parts != nil {
		inf.setParts(o.Outputs[0], parts)
	}
}

// setParts keeps what is known of v's elements.
func (inf *inference) setParts(v ValueID, parts []elem) {
	inf.parts[v] = parts
	val := &inf.g.Values[v]
	list := make([]int64, len(parts))
	for i, e := range parts {
		if !e.ok {
			return
		}
		list[i] = e.v
	}
	if n := inf.g.elements(v); n == int64(len(list)) {
		inf.consts[v] = narrow(list, val.DType, val.Shape)
	}
}

// shapeContents is the output of a Shape or Size op whose input's shape is known.
func (inf *inference) shapeContents(o *Op) *tensor.Tensor {
	if len(o.Inputs) == 0 || o.Inputs[0] == None || len(o.Outputs) == 0 || o.Outputs[0] == None {
		return nil
	}
	d := typeDims(inf.g.Values[o.Inputs[0]].Type())
	switch {
	case o.Is("Shape") && d != nil:
		d = d[shapeRange(o, len(d)):][:shapeCount(o, len(d))]
		if !d.known() {
			return nil
		}
		values := make([]int64, len(d))
		for i, x := range d {
			values[i] = int64(x.n)
		}
		return tensor.Of(tensor.Int64, tensor.Shape{len(values)}, values...)
	case o.Is("Size") && d.known():
		if n := d.product(); n.known() {
			return tensor.Of(tensor.Int64, tensor.Shape{}, int64(n.n))
		}
	}
	return nil
}

// shapeRange is where a Shape op of an input of this rank starts, shapeCount how many sizes it gives.
func shapeRange(o *Op, rank int) int { return clampAxis(o.Int("start", 0), rank) }

func shapeCount(o *Op, rank int) int {
	return max(clampAxis(o.Int("end", int64(rank)), rank)-shapeRange(o, rank), 0)
}

// clampAxis counts a negative axis from the end and clamps it to 0..rank.
func clampAxis(axis int64, rank int) int {
	if axis < 0 {
		axis += int64(rank)
	}
	return int(min(max(axis, 0), int64(rank)))
}

// subgraph infers a copy of sub, whose captured values take the types of this graph's, and its inputs those given.
func (inf *inference) subgraph(sub *Graph, inputs []Type) (*inference, error) {
	if inf.depth >= maxInferDepth {
		return nil, invalid("subgraphs nest deeper than %d", maxInferDepth)
	}
	s := &inference{
		g: sub.clone(), consts: map[ValueID]*tensor.Tensor{}, parts: map[ValueID][]elem{}, depth: inf.depth + 1, left: inf.left,
	}
	byName := map[string]ValueID{}
	if len(sub.Captured) > 0 {
		for v := range inf.g.Values {
			byName[inf.g.Values[v].Name] = ValueID(v)
		}
	}
	for _, v := range s.g.Captured {
		from, ok := byName[s.g.Values[v].Name]
		if !ok {
			return nil, invalid("captured value %q is defined nowhere", s.g.Values[v].Name)
		}
		s.g.Values[v].SetType(inf.g.Values[from].Type())
		if c := inf.contents(from); c != nil {
			s.consts[v] = c
		}
		if p := inf.parts[from]; p != nil {
			s.parts[v] = p
		}
	}
	for i, t := range inputs {
		if i >= len(s.g.Inputs) {
			break
		}
		v := &s.g.Values[s.g.Inputs[i]]
		if t.Kind == TensorKind && t.DType == tensor.Invalid && v.Kind == TensorKind {
			t.DType = v.DType
		}
		v.SetType(t)
	}
	return s, s.run()
}

// opContext is what an inference rule sees of its op.
type opContext struct {
	inf   *inference
	o     *Op
	types []Type
	set   []bool
}

// has reports whether input i is there.
func (c *opContext) has(i int) bool { return c.o.Input(i) != None }

// in is the type of input i; the zero Type when it is absent.
func (c *opContext) in(i int) Type {
	v := c.o.Input(i)
	if v == None {
		return Type{}
	}
	return c.inf.g.Values[v].Type()
}

func (c *opContext) dtype(i int) tensor.DType { return c.in(i).DType }

// dims is the shape of input i; nil when its rank is not known or it is absent.
func (c *opContext) dims(i int) dims {
	if !c.has(i) {
		return nil
	}
	return typeDims(c.in(i))
}

// out sets the type of output i to a tensor.
func (c *opContext) out(i int, dt tensor.DType, d dims) { c.outType(i, tensorOf(dt, d)) }

// outType sets the type of output i.
func (c *opContext) outType(i int, t Type) {
	if i < len(c.types) {
		c.types[i], c.set[i] = t, true
	}
}

// contents is input i when every element is known.
func (c *opContext) contents(i int) *tensor.Tensor { return c.inf.contents(c.o.Input(i)) }

// ints is input i when it holds integers that are all known.
func (c *opContext) ints(i int) ([]int64, bool) {
	t := c.contents(i)
	if t == nil || t.Len() > MaxPropagated {
		return nil, false
	}
	return intsOf(t)
}

// elems is input i as integers that may be known in part; nil when nothing is known of them.
func (c *opContext) elems(i int) []elem { return c.inf.elems(c.o.Input(i)) }

func (inf *inference) elems(v ValueID) []elem {
	if v == None {
		return nil
	}
	if p := inf.parts[v]; p != nil {
		return p
	}
	t := inf.contents(v)
	if t == nil || t.Len() > MaxPropagated {
		return nil
	}
	values, ok := intsOf(t)
	if !ok {
		return nil
	}
	list := make([]elem, len(values))
	for i, x := range values {
		list[i] = elem{v: x, ok: true}
	}
	return list
}

// axis is a dimension of a tensor of this rank; negative ones count from the end.
func axisOf(axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, invalid("axis %d is out of range for rank %d", axis, rank)
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}

// setGraph replaces a subgraph of the op, whose attributes the inference owns.
func (c *opContext) setGraph(name string, g *Graph) {
	c.o.Attrs = maps.Clone(c.o.Attrs)
	c.o.Attrs[name] = g
}

// isInvalid reports whether err says that the model breaks a rule.
func isInvalid(err error) bool { return errors.Is(err, ErrInvalid) }
