package onnx

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// attribute converts p; inside a function, a reference is replaced by what the function was called with. The value is nil
// when the reference names an attribute that the call leaves out.
func (s *scope) attribute(p *onnxpb.AttributeProto) (string, split.Attr, error) {
	name := p.Name
	if p.RefAttrName != "" {
		given := s.attrs[p.RefAttrName]
		if given == nil {
			return name, nil, nil
		}
		p = given
	}
	switch attributeType(p) {
	case onnxpb.AttributeProto_FLOAT:
		return name, p.F, nil
	case onnxpb.AttributeProto_INT:
		return name, p.I, nil
	case onnxpb.AttributeProto_STRING:
		return name, string(p.S), nil
	case onnxpb.AttributeProto_FLOATS:
		return name, append([]float32{}, p.Floats...), nil
	case onnxpb.AttributeProto_INTS:
		return name, append([]int64{}, p.Ints...), nil
	case onnxpb.AttributeProto_STRINGS:
		list := make([]string, len(p.Strings))
		for i, b := range p.Strings {
			list[i] = string(b)
		}
		return name, list, nil
	case onnxpb.AttributeProto_TENSOR:
		if p.T == nil {
			return name, nil, fmt.Errorf("%w: it holds no tensor", split.ErrInvalid)
		}
		t, err := s.r.tensor(p.T)
		return name, t, err
	case onnxpb.AttributeProto_TENSORS:
		list := make([]*tensor.Tensor, len(p.Tensors))
		for i := range p.Tensors {
			t, err := s.r.tensor(p.Tensors[i])
			if err != nil {
				return name, nil, err
			}
			list[i] = t
		}
		return name, list, nil
	case onnxpb.AttributeProto_SPARSE_TENSOR:
		if p.SparseTensor == nil {
			return name, nil, fmt.Errorf("%w: it holds no sparse tensor", split.ErrInvalid)
		}
		t, err := s.r.sparse(p.SparseTensor)
		return name, t, err
	case onnxpb.AttributeProto_GRAPH:
		if p.G == nil {
			return name, nil, fmt.Errorf("%w: it holds no graph", split.ErrInvalid)
		}
		g, err := s.subgraph(p.G)
		return name, g, err
	case onnxpb.AttributeProto_GRAPHS:
		list := make([]*split.Graph, len(p.Graphs))
		for i := range p.Graphs {
			g, err := s.subgraph(p.Graphs[i])
			if err != nil {
				return name, nil, err
			}
			list[i] = g
		}
		return name, list, nil
	case onnxpb.AttributeProto_TYPE_PROTO:
		t, err := typeOf(p.Tp, 0)
		return name, &t, err
	}
	return name, nil, fmt.Errorf("%w: its kind %s is not supported", split.ErrInvalid, p.Type)
}

// attributeType is p's type, or, in files that are too old to have one, that of the field that is set.
func attributeType(p *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	switch {
	case p.Type != onnxpb.AttributeProto_UNDEFINED:
		return p.Type
	case p.T != nil:
		return onnxpb.AttributeProto_TENSOR
	case p.G != nil:
		return onnxpb.AttributeProto_GRAPH
	case p.S != nil:
		return onnxpb.AttributeProto_STRING
	case len(p.Floats) > 0:
		return onnxpb.AttributeProto_FLOATS
	case len(p.Ints) > 0:
		return onnxpb.AttributeProto_INTS
	case len(p.Strings) > 0:
		return onnxpb.AttributeProto_STRINGS
	case len(p.Tensors) > 0:
		return onnxpb.AttributeProto_TENSORS
	case len(p.Graphs) > 0:
		return onnxpb.AttributeProto_GRAPHS
	case p.F != 0:
		return onnxpb.AttributeProto_FLOAT
	}
	return onnxpb.AttributeProto_INT
}

// subgraph converts a graph attribute.
func (s *scope) subgraph(p *onnxpb.GraphProto) (*split.Graph, error) {
	inner, err := s.r.graph(p, s, s.opset)
	if err != nil {
		return nil, err
	}
	return inner.b.Graph()
}

// isConstant reports whether n is a Constant op.
func isConstant(n *onnxpb.NodeProto) bool {
	return n.OpType == "Constant" && domainName(n.Domain) == ""
}

// constant is the value of a Constant op.
func (s *scope) constant(n *onnxpb.NodeProto) (*tensor.Tensor, error) {
	if len(n.Attribute) != 1 {
		return nil, fmt.Errorf("%w: a Constant has one attribute, this one %d", split.ErrInvalid, len(n.Attribute))
	}
	name, a, err := s.attribute(n.Attribute[0])
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case *tensor.Tensor:
		return a, nil
	case float32:
		return tensor.Of(tensor.Float32, tensor.Shape{}, a), nil
	case int64:
		return tensor.Of(tensor.Int64, tensor.Shape{}, a), nil
	case []float32:
		return tensor.Of(tensor.Float32, tensor.Shape{len(a)}, a...), nil
	case []int64:
		return tensor.Of(tensor.Int64, tensor.Shape{len(a)}, a...), nil
	case string:
		return tensor.FromStrings(tensor.Shape{}, []string{a})
	case []string:
		return tensor.FromStrings(tensor.Shape{len(a)}, a)
	}
	return nil, fmt.Errorf("%w: attribute %q holds no constant", split.ErrInvalid, name)
}
