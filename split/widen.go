package split

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// widen makes a graph that computes in half precision compute in float32: constants and values become float32, and the graph's own
// inputs and outputs keep their type behind a Cast. No processor that Cleave runs on is faster in half precision, and rounding every
// result to it would add up. It happens before any cut, so that a split run still equals the uncut one. Graphs with subgraphs,
// sequences or optionals are left as they are.
func (c *canonicalizer) widen() error {
	g := c.g
	half := func(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }
	found := false
	for i := range g.Values {
		v := &g.Values[i]
		if v.Kind != TensorKind {
			return nil
		}
		found = found || half(v.DType)
	}
	for i := range g.Ops {
		if len(g.Ops[i].Captures) > 0 || g.Ops[i].hasSubgraph() {
			return nil
		}
	}
	if !found {
		return nil
	}
	outer := map[ValueID]tensor.DType{} // the graph's inputs and outputs of half precision
	for _, list := range [][]ValueID{g.Inputs, g.Outputs} {
		for _, v := range list {
			if half(g.Values[v].DType) && g.Values[v].Const == nil {
				outer[v] = g.Values[v].DType
			}
		}
	}
	for i := range g.Values {
		v := &g.Values[i]
		if _, border := outer[ValueID(i)]; border || !half(v.DType) {
			continue
		}
		v.DType = tensor.Float32
		if v.Const != nil {
			v.Const = widened(v.Const)
		}
	}
	for i := range g.Ops {
		o := &g.Ops[i]
		for name, a := range o.Attrs {
			switch a := a.(type) {
			case *tensor.Tensor:
				if half(a.DType()) {
					o.Attrs[name] = widened(a)
				}
			case int64:
				if (name == "to" || name == "dtype" || name == "output_dtype" || name == "output_datatype") && half(tensor.DType(a)) {
					o.Attrs[name] = int64(tensor.Float32)
				}
			}
		}
	}
	c.castBorder(outer)
	return c.clean()
}

// castBorder puts a float32 twin beside each input and output in outer, with a Cast between the two.
func (c *canonicalizer) castBorder(outer map[ValueID]tensor.DType) {
	g := c.g
	twins := map[ValueID]ValueID{}
	taken := map[string]bool{}
	for i := range g.Values {
		taken[g.Values[i].Name] = true
	}
	isInput := map[ValueID]bool{}
	for _, v := range g.Inputs {
		isInput[v] = true
	}
	var before, after []Op
	for id := range ValueID(len(g.Values)) { // in order, so that equal graphs stay equal
		d, border := outer[id]
		if !border {
			continue
		}
		v := g.Values[id]
		name := v.Name + "_float32"
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_float32_%d", v.Name, n)
		}
		taken[name] = true
		twin := ValueID(len(g.Values))
		v.Name, v.DType, v.Producer, v.Consumers = name, tensor.Float32, -1, nil
		g.Values = append(g.Values, v)
		twins[id] = twin
		if isInput[id] {
			before = append(before, Op{Name: name, Type: "Cast", Inputs: []ValueID{id}, Outputs: []ValueID{twin}, Attrs: map[string]Attr{"to": int64(tensor.Float32)}})
		} else {
			after = append(after, Op{Name: name, Type: "Cast", Inputs: []ValueID{twin}, Outputs: []ValueID{id}, Attrs: map[string]Attr{"to": int64(d)}})
		}
	}
	for i := range g.Ops {
		for _, list := range [][]ValueID{g.Ops[i].Inputs, g.Ops[i].Outputs} {
			for k, v := range list {
				if twin, ok := twins[v]; ok {
					list[k] = twin
				}
			}
		}
	}
	g.Ops = append(append(before, g.Ops...), after...)
}

// hasSubgraph reports whether an attribute is a graph.
func (o *Op) hasSubgraph() bool {
	for _, a := range o.Attrs {
		switch a.(type) {
		case *Graph, []*Graph:
			return true
		}
	}
	return false
}

// widened is a float32 copy of a tensor of half precision.
func widened(t *tensor.Tensor) *tensor.Tensor {
	out, err := tensor.New(tensor.Float32, t.Shape())
	if err != nil {
		return t // cannot be: t has the same shape
	}
	d := tensor.Data[float32](out)
	for i, h := range tensor.Data[uint16](t) {
		if t.DType() == tensor.BFloat16 {
			d[i] = tensor.FromBFloat16(h)
		} else {
			d[i] = tensor.FromFloat16(h)
		}
	}
	return out
}
