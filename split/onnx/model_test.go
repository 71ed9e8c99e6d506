package onnx

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// model is a small ModelProto for tests; opset is that of the ONNX domain.
func model(opset int64, g *onnxpb.GraphProto, functions ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
	return &onnxpb.ModelProto{
		IrVersion: 8, Graph: g, Functions: functions,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: opset}},
	}
}

func node(opType string, inputs, outputs []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{Name: opType + "_1", OpType: opType, Input: inputs, Output: outputs, Attribute: attrs}
}

func list(n ...string) []string { return n }

func intAttr(name string, i int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: i}
}

func intsAttr(name string, i ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS, Ints: i}
}

func floatAttr(name string, f float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_FLOAT, F: f}
}

func graphAttr(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_GRAPH, G: g}
}

func info(name string, dims ...int) *onnxpb.ValueInfoProto {
	return &onnxpb.ValueInfoProto{Name: name, Type: typeProto(split.Type{DType: tensor.Float32, Shape: append(tensor.Shape{}, dims...)})}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decoded reads m.
func decoded(t *testing.T, m *onnxpb.ModelProto) *split.Graph {
	t.Helper()
	g, err := Decode(marshal(t, m), "")
	if err != nil {
		t.Fatal(err)
	}
	return g
}
