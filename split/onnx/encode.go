package onnx

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// irVersion is written into models: the first that has everything of ModernOpset.
const irVersion = 10

// Encode writes g as an ONNX model whose ops are ONNX's own (and com.microsoft's where g has them): what Decode reads back is equal to
// g but for Groups and the exceptions of portable.go. Constants are stored inside, so the result is refused above MaxModelBytes:
// see Save. Equal graphs give equal bytes.
func Encode(g *split.Graph) ([]byte, error) {
	if size := constantBytes(g); size > MaxModelBytes {
		return nil, fmt.Errorf("encode model: %w: %d bytes of constants, the limit is %d: save it with external data", split.ErrLimit, size,
			int64(MaxModelBytes))
	}
	return (&encoder{}).model(g)
}

// encoder writes one model.
type encoder struct {
	external *externalWriter // where large constants go; nil for into the model
	open     bool            // sizes of values are not stated
}

func (e *encoder) model(g *split.Graph) ([]byte, error) {
	m := &onnxpb.ModelProto{IrVersion: irVersion, ProducerName: "cleave"}
	for _, domain := range slices.Sorted(maps.Keys(g.Opset)) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: domain, Version: int64(g.Opset[domain])})
	}
	for _, key := range slices.Sorted(maps.Keys(g.Metadata)) {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: key, Value: g.Metadata[key]})
	}
	var err error
	if e.open = hasBranches(g); e.open {
		shapes, err := inputShapes(g)
		if err != nil {
			return nil, fmt.Errorf("encode model: %w", err)
		}
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: shapesKey, Value: shapes})
	}
	if m.Graph, err = e.graph(g, nil); err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	if m.Graph.Name == "" {
		m.Graph.Name = "cleave"
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// constantBytes is what the constants of g and its subgraphs hold.
func constantBytes(g *split.Graph) int64 {
	var n int64
	for i := range g.Values {
		if c := g.Values[i].Const; c != nil {
			n += int64(len(c.Bytes()))
		}
	}
	for i := range g.Ops {
		g.Ops[i].Subgraphs(func(_ string, sub *split.Graph) { n += constantBytes(sub) })
	}
	return n
}

// graph converts g. outer holds the tensors that the graph around g has by name: a subgraph does not repeat them.
func (e *encoder) graph(g *split.Graph, outer map[string]*tensor.Tensor) (*onnxpb.GraphProto, error) {
	p := &onnxpb.GraphProto{Name: g.Name}
	used := make([]bool, len(g.Values))
	border := map[split.ValueID]bool{}
	for i := range g.Ops {
		for _, v := range g.Ops[i].Inputs {
			if v != split.None {
				used[v] = true
			}
		}
	}
	for _, v := range g.Outputs {
		used[v], border[v] = true, true
	}
	for _, v := range g.Inputs {
		border[v] = true
		p.Input = append(p.Input, e.value(&g.Values[v]))
	}
	consts := maps.Clone(outer)
	if consts == nil {
		consts = map[string]*tensor.Tensor{}
	}
	for v := range g.Values {
		val := &g.Values[v]
		if val.Const == nil || !used[v] && len(val.Consumers) == 0 || consts[val.Name] == val.Const {
			continue
		}
		t, err := e.constant(val.Name, val.Const)
		if err != nil {
			return nil, err
		}
		p.Initializer = append(p.Initializer, t)
		consts[val.Name] = val.Const
	}
	for i := range g.Ops {
		n, err := e.op(g, &g.Ops[i], consts)
		if err != nil {
			return nil, err
		}
		p.Node = append(p.Node, e.scalars(g, &g.Ops[i], n)...)
		p.Node = append(p.Node, n)
		for _, v := range g.Ops[i].Outputs {
			if v == split.None || border[v] {
				continue
			}
			if val := &g.Values[v]; val.DType != tensor.Invalid || val.Kind != split.TensorKind {
				p.ValueInfo = append(p.ValueInfo, e.value(val))
			}
		}
	}
	for _, v := range g.Outputs {
		p.Output = append(p.Output, e.value(&g.Values[v]))
	}
	return p, nil
}

func (e *encoder) op(g *split.Graph, o *split.Op, consts map[string]*tensor.Tensor) (*onnxpb.NodeProto, error) {
	n := &onnxpb.NodeProto{Name: o.Name, OpType: o.Type, Domain: o.Domain, Input: names(g, o.Inputs), Output: names(g, o.Outputs)}
	for _, name := range slices.Sorted(maps.Keys(o.Attrs)) {
		a, err := e.attr(name, o.Attrs[name], consts)
		if err != nil {
			return nil, nodeError(n, err)
		}
		n.Attribute = append(n.Attribute, a)
	}
	return n, nil
}

func names(g *split.Graph, ids []split.ValueID) []string {
	list := make([]string, len(ids))
	for i, v := range ids {
		if v != split.None {
			list[i] = g.Values[v].Name
		}
	}
	return list
}

func (e *encoder) attr(name string, a split.Attr, consts map[string]*tensor.Tensor) (*onnxpb.AttributeProto, error) {
	p := &onnxpb.AttributeProto{Name: name}
	switch a := a.(type) {
	case int64:
		p.Type, p.I = onnxpb.AttributeProto_INT, a
	case float32:
		p.Type, p.F = onnxpb.AttributeProto_FLOAT, a
	case string:
		p.Type, p.S = onnxpb.AttributeProto_STRING, []byte(a)
	case []int64:
		p.Type, p.Ints = onnxpb.AttributeProto_INTS, a
	case []float32:
		p.Type, p.Floats = onnxpb.AttributeProto_FLOATS, a
	case []string:
		p.Type = onnxpb.AttributeProto_STRINGS
		for _, s := range a {
			p.Strings = append(p.Strings, []byte(s))
		}
	case *tensor.Tensor:
		p.Type, p.T = onnxpb.AttributeProto_TENSOR, TensorProto("", a)
	case []*tensor.Tensor:
		p.Type = onnxpb.AttributeProto_TENSORS
		for _, t := range a {
			p.Tensors = append(p.Tensors, TensorProto("", t))
		}
	case *split.Graph:
		g, err := e.graph(a, consts)
		if err != nil {
			return nil, err
		}
		p.Type, p.G = onnxpb.AttributeProto_GRAPH, g
	case []*split.Graph:
		p.Type = onnxpb.AttributeProto_GRAPHS
		for _, sub := range a {
			g, err := e.graph(sub, consts)
			if err != nil {
				return nil, err
			}
			p.Graphs = append(p.Graphs, g)
		}
	case *split.Type:
		p.Type, p.Tp = onnxpb.AttributeProto_TYPE_PROTO, typeProto(*a)
	default:
		return nil, fmt.Errorf("attribute %q: a %T is no attribute", name, a)
	}
	return p, nil
}

// TensorProto is t as the format's message, which shares t's buffer.
func TensorProto(name string, t *tensor.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{Name: name, DataType: int32(t.DType())}
	for _, d := range t.Shape() {
		p.Dims = append(p.Dims, int64(d))
	}
	if t.DType() == tensor.String {
		for _, s := range t.Strings() {
			p.StringData = append(p.StringData, []byte(s))
		}
		return p
	}
	p.RawData = t.Bytes()
	return p
}

// WriteTensor is t as a TensorProto file, such as ReadTensor reads.
func WriteTensor(name string, t *tensor.Tensor) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(TensorProto(name, t))
}

func (e *encoder) value(v *split.Value) *onnxpb.ValueInfoProto {
	p := &onnxpb.ValueInfoProto{Name: v.Name}
	if v.Kind != split.TensorKind || v.DType != tensor.Invalid {
		t := v.Type()
		if e.open && t.Shape != nil {
			t.Shape = slices.Repeat(tensor.Shape{tensor.Unknown}, len(t.Shape))
		}
		p.Type = typeProto(t)
	}
	return p
}

func typeProto(t split.Type) *onnxpb.TypeProto {
	var elem *onnxpb.TypeProto
	if t.Elem != nil {
		elem = typeProto(*t.Elem)
	}
	switch t.Kind {
	case split.SequenceKind:
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: elem}}}
	case split.OptionalKind:
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: elem}}}
	}
	p := &onnxpb.TypeProto_Tensor{ElemType: int32(t.DType)}
	if t.Shape != nil {
		p.Shape = &onnxpb.TensorShapeProto{}
		for i, d := range t.Shape {
			dim := &onnxpb.TensorShapeProto_Dimension{}
			switch {
			case d >= 0:
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
			case i < len(t.Params) && t.Params[i] != "":
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: t.Params[i]}
			}
			p.Shape.Dim = append(p.Shape.Dim, dim)
		}
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: p}}
}
