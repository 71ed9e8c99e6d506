package split

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// parseGraph reads the tests' text form of a graph, one definition a line:
//
//	input x float32 1x3x?xN
//	const w float32 4x3x1x1 = 0.5        (one number for all elements, or all of them separated by commas)
//	y = Conv(x, w, -) pads=[0,0,0,0] auto_pad=VALID group=1
//	a, b = Split(x) axis=0 num_outputs=2
//	output y
//	graph NAME {                         (a subgraph in the same form, up to a line "}"; ops name it as then_branch=@NAME)
//	capture x float32 2                  (in a subgraph: a value of the graph around it)
func parseGraph(t *testing.T, text string) *Graph {
	t.Helper()
	main := NewBuilder("test", 21)
	b, bodies := main, map[string]*Graph{}
	finish := func(b *Builder) *Graph {
		g, err := b.Graph()
		if err != nil {
			t.Fatalf("graph: %v", err)
		}
		return g
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		line = strings.TrimSpace(line)
		switch fields := strings.Fields(line); {
		case line == "" || strings.HasPrefix(line, "#"):
		case fields[0] == "graph":
			b = NewBuilder(fields[1], 21)
			b.Prefix(fields[1])
		case line == "}":
			g := finish(b)
			bodies[g.Name], b = g, main
		default:
			if err := parseLine(b, line, bodies); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
	return finish(main)
}

func parseLine(b *Builder, line string, bodies map[string]*Graph) error {
	fields := strings.Fields(line)
	switch fields[0] {
	case "input":
		typ, err := parseType(fields[2:])
		if err != nil {
			return err
		}
		b.Input(fields[1], typ)
		return nil
	case "capture":
		typ, err := parseType(fields[2:])
		if err != nil {
			return err
		}
		b.Capture(fields[1], typ)
		return nil
	case "const":
		typ, err := parseType(fields[2:])
		if err != nil {
			return err
		}
		_, values, _ := strings.Cut(line, "=")
		c, err := parseTensor(typ, strings.TrimSpace(values))
		if err != nil {
			return err
		}
		b.Const(fields[1], c)
		return nil
	case "output":
		v, ok := b.Lookup(fields[1])
		if !ok {
			return fmt.Errorf("no value %q", fields[1])
		}
		b.Output(v)
		return nil
	}
	return parseOp(b, line, bodies)
}

func parseType(fields []string) (Type, error) {
	d, err := tensor.ParseDType(fields[0])
	typ := Type{DType: d}
	if err != nil || len(fields) < 2 || fields[1] == "*" || fields[1] == "=" {
		return typ, err
	}
	typ.Shape = tensor.Shape{}
	if fields[1] == "scalar" {
		return typ, nil
	}
	for i, part := range strings.Split(fields[1], "x") {
		n, err := strconv.Atoi(part)
		if err != nil {
			n = tensor.Unknown
			if part != "?" {
				for len(typ.Params) < i {
					typ.Params = append(typ.Params, "")
				}
				typ.Params = append(typ.Params, part)
			}
		}
		typ.Shape = append(typ.Shape, n)
	}
	for typ.Params != nil && len(typ.Params) < len(typ.Shape) {
		typ.Params = append(typ.Params, "")
	}
	return typ, nil
}

func parseTensor(typ Type, text string) (*tensor.Tensor, error) {
	out, err := tensor.New(typ.DType, typ.Shape)
	if err != nil {
		return nil, err
	}
	list := strings.Split(text, ",")
	for i := range out.Len() {
		word := list[0]
		if len(list) > 1 {
			word = list[i]
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil {
			return nil, err
		}
		switch typ.DType {
		case tensor.Float32:
			tensor.Data[float32](out)[i] = float32(x)
		case tensor.Int64:
			tensor.Data[int64](out)[i] = int64(x)
		case tensor.Float16:
			tensor.Data[uint16](out)[i] = tensor.ToFloat16(float32(x))
		case tensor.Bool, tensor.Uint8, tensor.Int8:
			out.Bytes()[i] = byte(int(x))
		default:
			return nil, fmt.Errorf("no literals of %s", typ.DType)
		}
	}
	return out, nil
}

func parseOp(b *Builder, line string, bodies map[string]*Graph) error {
	left, right, ok := strings.Cut(line, "=")
	opType, rest, ok2 := strings.Cut(right, "(")
	args, attrs, ok3 := strings.Cut(rest, ")")
	if !ok || !ok2 || !ok3 {
		return fmt.Errorf("no op")
	}
	op := Op{Type: strings.TrimSpace(opType)}
	if domain, name, ok := strings.Cut(op.Type, ":"); ok {
		op.Domain, op.Type = domain, name
		b.Domain(domain, 1)
	}
	for _, name := range strings.Split(args, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
		case "-":
			op.Inputs = append(op.Inputs, None)
		default:
			v, ok := b.Lookup(name)
			if !ok {
				v = b.Value(name, Type{})
			}
			op.Inputs = append(op.Inputs, v)
		}
	}
	for _, name := range strings.Split(left, ",") {
		if name = strings.TrimSpace(name); name == "-" {
			op.Outputs = append(op.Outputs, None)
			continue
		}
		v, ok := b.Lookup(name)
		if !ok {
			v = b.Value(name, Type{})
		}
		op.Outputs = append(op.Outputs, v)
	}
	for _, word := range strings.Fields(attrs) {
		name, value, _ := strings.Cut(word, "=")
		if op.Attrs == nil {
			op.Attrs = map[string]Attr{}
		}
		body, ok := bodies[strings.TrimPrefix(value, "@")]
		if !ok {
			op.Attrs[name] = parseAttr(value)
			continue
		}
		op.Attrs[name] = body
		for _, c := range body.Captured {
			if v, ok := b.Lookup(body.Values[c].Name); ok && !slices.Contains(op.Captures, v) {
				op.Captures = append(op.Captures, v)
			}
		}
	}
	b.Add(op)
	return nil
}

func parseAttr(text string) Attr {
	if list, ok := strings.CutPrefix(text, "["); ok {
		ints := []int64{}
		for _, w := range strings.Split(strings.TrimSuffix(list, "]"), ",") {
			if n, err := strconv.ParseInt(w, 10, 64); err == nil {
				ints = append(ints, n)
			}
		}
		return ints
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 32); err == nil {
		return float32(f)
	}
	return text
}

// printGraph writes ops as parseGraph reads them, with the types of their outputs; constants are printed where they are read, short ones in
// full. Groups follow when there are any.
func printGraph(g *Graph) string {
	var s strings.Builder
	for i := range g.Ops {
		s.WriteString(printOp(g, &g.Ops[i]) + "\n")
	}
	for i := range g.Outputs {
		fmt.Fprintf(&s, "output %s\n", printValue(g, g.Outputs[i]))
	}
	for i := range g.Groups {
		gr := &g.Groups[i]
		fmt.Fprintf(&s, "group %d %s %v", i, gr.Pattern, gr.Ops)
		for j, f := range gr.Fused {
			word := " = "
			if j > 0 {
				word = "; "
			}
			s.WriteString(word + printOp(g, &f))
		}
		s.WriteString("\n")
	}
	return s.String()
}

func printOp(g *Graph, o *Op) string {
	var outs, ins, attrs []string
	for _, v := range o.Outputs {
		if v == None {
			outs = append(outs, "-")
			continue
		}
		outs = append(outs, g.Values[v].Name)
	}
	for _, v := range o.Inputs {
		ins = append(ins, printValue(g, v))
	}
	for _, name := range o.attrNames() {
		attrs = append(attrs, fmt.Sprintf(" %s=%v", name, printAttr(o.Attrs[name])))
	}
	typ := ""
	if v := o.Output(0); v != None {
		typ = "  # " + g.Values[v].Type().String()
	}
	return fmt.Sprintf("%s = %s(%s)%s%s", strings.Join(outs, ", "), o.fullType(), strings.Join(ins, ", "), strings.Join(attrs, ""), typ)
}

func printAttr(a Attr) string {
	switch a := a.(type) {
	case []int64:
		return strings.ReplaceAll(fmt.Sprint(a), " ", ",")
	case *Graph:
		return "{ " + strings.ReplaceAll(strings.TrimSpace(printGraph(a)), "\n", "; ") + " }"
	}
	return fmt.Sprint(a)
}

func printValue(g *Graph, v ValueID) string {
	if v == None {
		return "-"
	}
	val := &g.Values[v]
	if val.Const == nil {
		return val.Name
	}
	if val.Const.Len() > 8 {
		return val.Name + "#"
	}
	var list []string
	for i := range val.Const.Len() {
		switch val.Const.DType() {
		case tensor.Float32:
			x := float64(tensor.Data[float32](val.Const)[i])
			list = append(list, strconv.FormatFloat(math.Round(x*1e6)/1e6, 'g', -1, 64))
		case tensor.Int64:
			list = append(list, strconv.FormatInt(tensor.Data[int64](val.Const)[i], 10))
		default:
			list = append(list, fmt.Sprint(val.Const.Bytes()[i]))
		}
	}
	return "#[" + strings.Join(list, " ") + "]"
}
