package split

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Builder makes a Graph value by value and op by op. Its methods record the first mistake; Graph reports it. The zero
// Builder is not ready: see NewBuilder.
type Builder struct {
	g      Graph
	names  map[string]ValueID
	prefix string // of generated names
	err    error
}

// NewBuilder starts a graph of opset version opset of the ONNX domain.
func NewBuilder(name string, opset int) *Builder {
	return &Builder{
		g:     Graph{Name: name, Opset: map[string]int{"": opset}},
		names: map[string]ValueID{},
	}
}

// Prefix puts text before names that are generated from now on: those of a subgraph must differ from those around it.
func (b *Builder) Prefix(text string) { b.prefix = text }

// Domain adds an operator-set domain.
func (b *Builder) Domain(domain string, version int) { b.g.Opset[domain] = version }

// Value adds a value without contents: an op's output to be, whose type is t. An empty name gets a generated one.
func (b *Builder) Value(name string, t Type) ValueID {
	if name == "" {
		name = b.fresh()
	}
	if _, dup := b.names[name]; dup && b.err == nil {
		b.err = invalid("value %q is defined twice", name)
	}
	id := ValueID(len(b.g.Values))
	v := Value{Name: name, Producer: -1}
	v.SetType(t)
	b.g.Values = append(b.g.Values, v)
	b.names[name] = id
	return id
}

// fresh is a value name that is not taken.
func (b *Builder) fresh() string {
	for i := len(b.g.Values); ; i++ {
		name := fmt.Sprintf("%svalue_%d", b.prefix, i)
		if _, taken := b.names[name]; !taken {
			return name
		}
	}
}

// Lookup is the value called name.
func (b *Builder) Lookup(name string) (ValueID, bool) {
	id, ok := b.names[name]
	return id, ok
}

// Input adds a graph input.
func (b *Builder) Input(name string, t Type) ValueID {
	id := b.Value(name, t)
	b.g.Inputs = append(b.g.Inputs, id)
	return id
}

// Capture adds a value that a subgraph reads from the graph around it, by name.
func (b *Builder) Capture(name string, t Type) ValueID {
	id := b.Value(name, t)
	b.g.Captured = append(b.g.Captured, id)
	return id
}

// Const adds a constant, which the graph keeps.
func (b *Builder) Const(name string, t *tensor.Tensor) ValueID {
	id := b.Value(name, Type{DType: t.DType(), Shape: t.Shape().Clone()})
	b.g.Values[id].Const = t
	return id
}

// Add adds an op whose outputs are values that exist already.
func (b *Builder) Add(op Op) OpID {
	b.g.Ops = append(b.g.Ops, op)
	return OpID(len(b.g.Ops) - 1)
}

// Op adds an op of the ONNX domain with one new output, and returns that.
func (b *Builder) Op(opType string, attrs map[string]Attr, inputs ...ValueID) ValueID {
	out := b.Value("", Type{})
	b.Add(Op{Type: opType, Inputs: inputs, Outputs: []ValueID{out}, Attrs: attrs})
	return out
}

// Output makes v the next output of the graph.
func (b *Builder) Output(v ValueID) { b.g.Outputs = append(b.g.Outputs, v) }

// Graph is the finished graph, its ops in topological order. It fails when the graph breaks a rule that Graph's comment
// states. The Builder is spent.
func (b *Builder) Graph() (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	g := b.g
	if err := g.link(); err != nil {
		return nil, err
	}
	return &g, nil
}

// clone copies everything of g that passes change; constants and subgraphs are shared.
func (g *Graph) clone() *Graph {
	c := *g
	c.Ops = slices.Clone(g.Ops)
	for i := range c.Ops {
		c.Ops[i].Inputs = slices.Clone(g.Ops[i].Inputs)
		c.Ops[i].Outputs = slices.Clone(g.Ops[i].Outputs)
		c.Ops[i].Captures = slices.Clone(g.Ops[i].Captures)
		c.Ops[i].Attrs = maps.Clone(g.Ops[i].Attrs)
	}
	c.Values = slices.Clone(g.Values)
	for i := range c.Values {
		c.Values[i].Consumers = slices.Clone(g.Values[i].Consumers)
	}
	c.Inputs, c.Outputs = slices.Clone(g.Inputs), slices.Clone(g.Outputs)
	c.Captured = slices.Clone(g.Captured)
	c.Opset, c.Metadata = maps.Clone(g.Opset), maps.Clone(g.Metadata)
	c.Groups = slices.Clone(g.Groups)
	return &c
}

// At is a value that was added; the caller must not change it.
func (b *Builder) At(id ValueID) *Value { return &b.g.Values[id] }

// IsCapture reports whether id was added by Capture.
func (b *Builder) IsCapture(id ValueID) bool { return slices.Contains(b.g.Captured, id) }

// Rename gives a value another name, which must be free.
func (b *Builder) Rename(id ValueID, name string) {
	delete(b.names, b.g.Values[id].Name)
	b.g.Values[id].Name = name
	b.names[name] = id
}
