package onnx

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// fuzzAllocation is the most bytes that reading and inferring a fuzzed model may allocate beyond fuzzFactor times its size:
// a small file cannot make the reader take more.
const (
	fuzzAllocation = 4 * MaxSparseBytes
	fuzzFactor     = 4096
)

// seeds are small models that use much of the format.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	var models [][]byte
	add := func(m *onnxpb.ModelProto) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		models = append(models, b)
	}
	add(simple())
	m := simple()
	m.Graph.Initializer = []*onnxpb.TensorProto{{Name: "w", DataType: 1, Dims: []int64{4, 2, 3, 3}, RawData: make([]byte, 288)}}
	m.Graph.Input = []*onnxpb.ValueInfoProto{info("x", 1, 2, 8, 8)}
	m.Graph.Output = []*onnxpb.ValueInfoProto{{Name: "y"}}
	m.Graph.Node = []*onnxpb.NodeProto{
		node("Conv", list("x", "w"), list("a"), intsAttr("strides", 2, 2)), node("Shape", list("a"), list("s")),
		node("Constant", nil, list("k"), intsAttr("value_ints", -1)), node("Reshape", list("a", "k"), list("y")),
	}
	add(m)
	body := &onnxpb.GraphProto{
		Name: "body", Input: []*onnxpb.ValueInfoProto{info("i"), info("c"), info("v", 2, 3)},
		Node:   []*onnxpb.NodeProto{node("Add", list("v", "x"), list("w")), node("Identity", list("c"), list("d"))},
		Output: []*onnxpb.ValueInfoProto{info("d"), info("w", 2, 3), info("w", 2, 3)},
	}
	m = simple()
	m.Graph.Node = []*onnxpb.NodeProto{node("Loop", list("", "", "x"), list("y", "z"), graphAttr("body", body))}
	add(m)
	for _, op := range split.KnownOps("") {
		m := simple()
		m.Graph.Node = []*onnxpb.NodeProto{node(op, list("x", "x", "x"), list("y"), intAttr("axis", 1), intsAttr("axes", 0))}
		add(m)
	}
	return models
}

func FuzzDecode(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	if dir := os.Getenv("CLEAVE_ONNX_TESTDATA"); dir != "" {
		paths, _ := filepath.Glob(filepath.Join(dir, "*", "model.onnx"))
		for _, path := range paths {
			if b, err := os.ReadFile(path); err == nil && len(b) < 4096 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		g, err := Decode(append([]byte{}, data...), "")
		if err == nil {
			s, err := split.Specialize(g, nil)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > fuzzAllocation+fuzzFactor*uint64(len(data)) {
				t.Fatalf("%d bytes of input made the reader allocate %d", len(data), n)
			}
			if _, err := Encode(g); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			if err == nil && small(s) {
				checkCanonical(t, s)
			}
		}
	})
}

// small reports whether folding g cannot make large constants.
func small(g *split.Graph) bool {
	for i := range g.Values {
		if g.Values[i].Bytes() > 1<<20 {
			return false
		}
	}
	return true
}

// checkCanonical canonicalises g and extracts both sides of every cut.
func checkCanonical(t *testing.T, g *split.Graph) {
	c, err := split.Canonicalize(g)
	if err != nil {
		return
	}
	for _, cut := range split.Cuts(c) {
		var front, back []split.GroupID
		for id := range c.Groups {
			if id < cut.Front {
				front = append(front, split.GroupID(id))
			} else {
				back = append(back, split.GroupID(id))
			}
		}
		for _, side := range [][]split.GroupID{front, back} {
			if _, err := c.Stage(side); err != nil {
				t.Fatalf("cut after %d groups: %v", cut.Front, err)
			}
		}
	}
}

// FuzzInfer builds graphs of a few ops of any kind, on inputs of any shape and with any integers as attributes and
// contents, infers and canonicalises them, and sends them through the file format.
func FuzzInfer(f *testing.F) {
	type opName struct{ domain, name string }
	var ops []opName
	for _, domain := range []string{"", "com.microsoft"} {
		for _, name := range split.KnownOps(domain) {
			ops = append(ops, opName{domain, name})
		}
	}
	for i := range ops {
		f.Add([]byte{byte(i)}, []byte{1, 3, 4, 1, 3, 4}, []byte{0, 1, 2})
		f.Add([]byte{byte(i), byte(i + 1)}, []byte{4, 1, 2, 8, 8, 4, 4, 2, 3, 3}, []byte{1, 1})
		f.Add([]byte{byte(i + 7), byte(i), byte(i)}, []byte{3, 2, 3, 255, 129, 2}, []byte{255, 1})
	}
	f.Fuzz(func(t *testing.T, program, shapes, numbers []byte) {
		b := split.NewBuilder("fuzz", ModernOpset)
		b.Domain("com.microsoft", 1)
		p := &fuzzProgram{b: b, shapes: shapes, numbers: numbers}
		p.inputs()
		for i, code := range program[:min(len(program), 6)] {
			o := ops[int(code)%len(ops)]
			p.op(o.domain, o.name, i)
		}
		g, err := b.Graph()
		if err != nil {
			return
		}
		s, err := split.Specialize(g, nil)
		if err != nil {
			return
		}
		for i := range s.Ops {
			if k := s.Cost(split.OpID(i)); k.FLOPs < -1 || k.Read < -1 || k.Weights < -1 {
				t.Fatalf("%s costs %+v", s.Ops[i].Type, k)
			}
		}
		for i := range s.Values {
			for _, d := range s.Values[i].Shape {
				if d < tensor.Unknown {
					t.Fatalf("a size of %d", d)
				}
			}
		}
		if small(s) {
			checkCanonical(t, s)
		}
		file, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(file, ""); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

// fuzzProgram turns bytes into a graph.
type fuzzProgram struct {
	b               *split.Builder
	shapes, numbers []byte
	values          []split.ValueID
}

// number is the next integer, mostly small.
func (p *fuzzProgram) number() int64 {
	if len(p.numbers) == 0 {
		return 0
	}
	n := int64(int8(p.numbers[0]))
	p.numbers = p.numbers[1:]
	if n == 127 {
		return 1 << 62
	}
	return n
}

// inputs adds inputs and constants of the shapes.
func (p *fuzzProgram) inputs() {
	for len(p.shapes) > 0 && len(p.values) < 8 {
		head := p.shapes[0]
		p.shapes = p.shapes[1:]
		rank := min(int(head&7), len(p.shapes))
		shape := make(tensor.Shape, rank)
		for i := range shape {
			if shape[i] = int(p.shapes[i]); shape[i] == 255 {
				shape[i] = tensor.Unknown
			}
		}
		p.shapes = p.shapes[rank:]
		switch n, err := shape.Elements(); {
		case head&128 != 0 && err == nil && n < 16:
			d := tensor.Int64
			if head&64 != 0 {
				d = tensor.Float32
			}
			c, _ := tensor.New(d, shape)
			for i := range n {
				if d == tensor.Int64 {
					tensor.Data[int64](c)[i] = p.number()
				} else {
					tensor.Data[float32](c)[i] = float32(p.number())
				}
			}
			p.values = append(p.values, p.b.Const("", c))
		case head&64 != 0:
			p.values = append(p.values, p.b.Input("", split.Type{DType: tensor.Float32}))
		case head&32 != 0:
			p.values = append(p.values, split.None)
		default:
			p.values = append(p.values, p.b.Input("", split.Type{DType: tensor.Float32, Shape: shape}))
		}
	}
}

// fuzzAttrs are the attributes that shapes depend on.
var fuzzAttrs = []string{
	"axis", "axes", "perm", "pads", "kernel_shape", "strides", "dilations", "group", "to", "num_outputs", "blocksize", "hidden_size",
	"num_heads", "kv_num_heads", "K", "N", "batch_dims", "keepdims", "shape", "start", "end", "output_shape", "ceil_mode", "dtype",
}

// op adds an op on the last values, the newest first when the next number is odd, and makes its result an output.
func (p *fuzzProgram) op(domain, name string, i int) {
	count := len(p.values)
	if n := int(p.number() & 3); n > 0 {
		count = min(count, n)
	}
	in := append([]split.ValueID{}, p.values[len(p.values)-count:]...)
	if p.number()&1 != 0 {
		for a, z := 0, len(in)-1; a < z; a, z = a+1, z-1 {
			in[a], in[z] = in[z], in[a]
		}
	}
	y := p.b.Value("", split.Type{})
	o := split.Op{Domain: domain, Type: name, Inputs: in, Outputs: []split.ValueID{y}, Attrs: map[string]split.Attr{}}
	for range 3 {
		if len(p.numbers) < 3 {
			break
		}
		attr, n := fuzzAttrs[int(p.numbers[0])%len(fuzzAttrs)], int(p.numbers[1]&7)
		p.numbers = p.numbers[2:]
		if n == 0 {
			o.Attrs[attr] = p.number()
			continue
		}
		list := make([]int64, n)
		for j := range list {
			list[j] = p.number()
		}
		o.Attrs[attr] = list
	}
	p.b.Add(o)
	p.values = append(p.values, y)
	if i%2 == 1 || p.number()&1 == 0 {
		p.b.Output(y)
	}
}
