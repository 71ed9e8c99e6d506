package onnx

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// describe prints ops with their constant integers and numbers.
func describe(g *split.Graph) string {
	var lines []string
	for i := range g.Ops {
		o := &g.Ops[i]
		var in []string
		for _, v := range o.Inputs {
			switch {
			case v == split.None:
				in = append(in, "-")
			case g.Values[v].Const == nil:
				in = append(in, g.Values[v].Name)
			case g.Values[v].Const.DType() == tensor.Int64:
				in = append(in, fmt.Sprint(tensor.Data[int64](g.Values[v].Const)))
			case g.Values[v].Const.DType() == tensor.Float32:
				in = append(in, fmt.Sprint(tensor.Data[float32](g.Values[v].Const)))
			default:
				in = append(in, g.Values[v].Const.String())
			}
		}
		attrs := ""
		for _, name := range []string{"axis", "mode", "nearest_mode", "coordinate_transformation_mode", "num_outputs", "to"} {
			if a, ok := o.Attrs[name]; ok {
				attrs += fmt.Sprintf(" %s=%v", name, a)
			}
		}
		lines = append(lines, fmt.Sprintf("%s(%s)%s", o.Type, strings.Join(in, " "), attrs))
	}
	return strings.Join(lines, "; ")
}

func TestUpgrade(t *testing.T) {
	str := func(name, s string) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(s)}
	}
	x := func(dims ...int) *onnxpb.ValueInfoProto { return info("x", dims...) }
	for _, c := range []struct {
		opset int64
		in    *onnxpb.ValueInfoProto
		op    *onnxpb.NodeProto
		want  string
	}{
		{11, x(2, 1, 3), node("Squeeze", list("x"), list("y"), intsAttr("axes", 1)), "Squeeze(x [1])"},
		{11, x(2, 3), node("Unsqueeze", list("x"), list("y"), intsAttr("axes", 0, 3)), "Unsqueeze(x [0 3])"},
		{11, x(2, 3), node("ReduceMean", list("x"), list("y"), intsAttr("axes", 1)), "ReduceMean(x [1])"},
		{6, x(2, 3), node("Clip", list("x"), list("y"), floatAttr("min", 0), floatAttr("max", 6)), "Clip(x [0] [6])"},
		{6, x(2, 3), node("Clip", list("x"), list("y"), floatAttr("max", 6)), "Clip(x - [6])"},
		{2, x(2, 3), node("Pad", list("x"), list("y"), intsAttr("pads", 0, 1, 0, 1), floatAttr("value", 2)), "Pad(x [0 1 0 1] [2])"},
		{1, x(2, 3), node("Slice", list("x"), list("y"), intsAttr("starts", 0), intsAttr("ends", 1), intsAttr("axes", 1)), "Slice(x [0] [1] [1])"},
		{1, x(2, 3), node("TopK", list("x"), list("y", "z"), intAttr("k", 2), intAttr("axis", 1)), "TopK(x [2]) axis=1"},
		{11, x(4, 3), node("Split", list("x"), list("y", "z"), intsAttr("split", 1, 3)), "Split(x [1 3])"},
		{13, x(4, 3), node("Split", list("x"), list("y", "z")), "Split(x) num_outputs=2"},
		{7, x(1, 1, 2, 2), node("Upsample", list("x"), list("y"), &onnxpb.AttributeProto{
			Name: "scales", Type: onnxpb.AttributeProto_FLOATS, Floats: []float32{1, 1, 2, 2},
		}), "Resize(x - [1 1 2 2]) mode=nearest nearest_mode=floor coordinate_transformation_mode=asymmetric"},
		{11, x(2, 3), node("Softmax", list("x"), list("y")), "Softmax(x) axis=-1"},
		{11, x(2, 3, 4), node("Softmax", list("x"), list("y")), "Shape(x); Flatten(x) axis=1; Softmax(FLAT) axis=-1; Reshape(SOFT SHAPE)"},
		{13, x(2, 3, 4), node("Softmax", list("x"), list("y"), intAttr("axis", 1)), "Softmax(x) axis=1"},
		{12, x(2, 3), node("Dropout", list("x"), list("y")), "Identity(x)"},
		{10, x(1, 3), node("RoiAlign", list("x", "x", "x"), list("y")), "RoiAlign(x x x) coordinate_transformation_mode=output_half_pixel"},
		{16, x(1, 3), node("RoiAlign", list("x", "x", "x"), list("y")), "RoiAlign(x x x)"},
		{16, x(1, 3), node("GridSample", list("x", "x"), list("y"), str("mode", "bilinear")), "GridSample(x x) mode=linear"},
		{17, x(1, 8, 1), node("DFT", list("x"), list("y")), "DFT(x - [1])"},
		{5, x(2, 3), node("Cast", list("x"), list("y"), str("to", "INT32")), "Cast(x) to=6"},
		{10, x(2, 3), node("Scatter", list("x", "x", "x"), list("y"), intAttr("axis", 1)), "ScatterElements(x x x) axis=1"},
	} {
		m := model(c.opset, &onnxpb.GraphProto{
			Name: "g", Input: []*onnxpb.ValueInfoProto{c.in}, Output: []*onnxpb.ValueInfoProto{{Name: "y"}}, Node: []*onnxpb.NodeProto{c.op},
		})
		g := decoded(t, m)
		got := describe(g)
		for i := range g.Ops { // generated names are not of interest
			if v := &g.Values[g.Ops[i].Outputs[0]]; strings.HasPrefix(v.Name, "value_") {
				got = strings.ReplaceAll(got, v.Name, map[string]string{"Shape": "SHAPE", "Flatten": "FLAT", "Softmax": "SOFT"}[g.Ops[i].Type])
			}
		}
		if got != c.want {
			t.Errorf("opset %d %s: %s, want %s", c.opset, c.op.OpType, got, c.want)
		}
		if g.Opset[""] != ModernOpset {
			t.Errorf("opset %d became %d", c.opset, g.Opset[""])
		}
	}
}

// TestLegacyBroadcast: before opset 7 the second input lines up from axis on.
func TestLegacyBroadcast(t *testing.T) {
	g := decoded(t, model(6, &onnxpb.GraphProto{
		Name: "g", Input: []*onnxpb.ValueInfoProto{info("x", 2, 3, 4), info("b", 3)}, Output: []*onnxpb.ValueInfoProto{info("y", 2, 3, 4)},
		Node: []*onnxpb.NodeProto{node("Add", list("x", "b"), list("y"), intAttr("axis", 1), intAttr("broadcast", 1))},
	}))
	if got := describe(g); !strings.HasPrefix(got, "Unsqueeze(b [1]); Add(x ") {
		t.Error(got)
	}
	if _, err := split.Specialize(g, nil); err != nil {
		t.Error(err)
	}
}

func TestFunctions(t *testing.T) {
	// F(a; alpha) = LeakyRelu(a, alpha) + 1; G(a) = F(F(a; 0.5)), each with names of its own.
	f := &onnxpb.FunctionProto{
		Name: "F", Domain: "d", Input: list("a"), Output: list("b"), Attribute: list("alpha"),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 16}},
		Node: []*onnxpb.NodeProto{
			node("LeakyRelu", list("a"), list("t"), &onnxpb.AttributeProto{Name: "alpha", RefAttrName: "alpha", Type: onnxpb.AttributeProto_FLOAT}),
			node("Constant", nil, list("one"), floatAttr("value_float", 1)),
			node("Add", list("t", "one"), list("b")),
		},
	}
	call := func(in, out string) *onnxpb.NodeProto {
		n := node("F", list(in), list(out), floatAttr("alpha", 0.5))
		n.Domain, n.Name = "d", ""
		return n
	}
	g2 := &onnxpb.FunctionProto{
		Name: "G", Domain: "d", Input: list("a"), Output: list("c"), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 16}, {Domain: "d", Version: 1}},
		Node: []*onnxpb.NodeProto{call("a", "b"), call("b", "c")},
	}
	m := simple()
	m.Functions = []*onnxpb.FunctionProto{f, g2}
	m.Graph.Node[0].OpType, m.Graph.Node[0].Domain = "G", "d"
	g := decoded(t, m)
	var types []string
	for i := range g.Ops {
		types = append(types, g.Ops[i].Type)
		if g.Ops[i].Type == "LeakyRelu" && g.Ops[i].Float("alpha", 0) != 0.5 {
			t.Error("the attribute did not arrive")
		}
	}
	if got := strings.Join(types, " "); got != "LeakyRelu Add Identity LeakyRelu Add Identity Identity" {
		t.Error(got)
	}
	s, err := split.Specialize(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := split.Canonicalize(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Ops); got != 4 {
		t.Errorf("%d ops are left, want 4", got)
	}
}

// TestCaptures: a branch reads a value and a constant of the graph around it, through another branch.
func TestCaptures(t *testing.T) {
	inner := &onnxpb.GraphProto{
		Name: "inner", Node: []*onnxpb.NodeProto{node("Add", list("a", "w"), list("i"))}, Output: []*onnxpb.ValueInfoProto{{Name: "i"}},
	}
	branch := func(name string) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{
			Name: name, Output: []*onnxpb.ValueInfoProto{{Name: "o"}},
			Node: []*onnxpb.NodeProto{node("If", list("cond"), list("o"), graphAttr("then_branch", inner), graphAttr("else_branch", inner))},
		}
	}
	m := simple()
	m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 1, Dims: []int64{3}, FloatData: []float32{1, 2, 3}}}
	m.Graph.Input = append(m.Graph.Input, &onnxpb.ValueInfoProto{Name: "cond", Type: typeProto(split.Type{DType: tensor.Bool, Shape: tensor.Shape{}})})
	m.Graph.Node = []*onnxpb.NodeProto{
		node("Tanh", list("x"), list("a")),
		node("If", list("cond"), list("y"), graphAttr("then_branch", branch("then")), graphAttr("else_branch", branch("else"))),
	}
	g := decoded(t, m)
	o := &g.Ops[1]
	if len(o.Captures) != 2 {
		t.Fatalf("captures %v", o.Captures)
	}
	then := o.Graph("then_branch")
	deep := then.Ops[0].Graph("then_branch")
	if len(then.Captured) != 2 || len(deep.Captured) != 1 || deep.Values[deep.Ops[0].Inputs[1]].Const == nil {
		t.Errorf("captured: %d in the branch, %d in the one inside it", len(then.Captured), len(deep.Captured))
	}
	s, err := split.Specialize(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Values[s.Outputs[0]].Type().String(); got != "float32 2x3" {
		t.Error(got)
	}
	roundTrip(t, s)
}
