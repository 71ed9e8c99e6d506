package split

import "github.com/cleave-mesh/cleave/internal/tensor"

// attr is the attribute called name as a T; def when the op does not have it or has it as another type.
func attr[T any](o *Op, name string, def T) T {
	if v, ok := o.Attrs[name].(T); ok {
		return v
	}
	return def
}

// Int is the integer attribute called name, or def when the op does not have it.
func (o *Op) Int(name string, def int64) int64 { return attr(o, name, def) }

// Float is the float attribute called name, or def when the op does not have it.
func (o *Op) Float(name string, def float32) float32 { return attr(o, name, def) }

// Str is the string attribute called name, or def when the op does not have it.
func (o *Op) Str(name, def string) string { return attr(o, name, def) }

// Ints is the attribute called name, or nil; the caller must not change it. So too for the three that follow.
func (o *Op) Ints(name string) []int64 { return attr[[]int64](o, name, nil) }

// Floats is the attribute called name, or nil.
func (o *Op) Floats(name string) []float32 { return attr[[]float32](o, name, nil) }

// Strs is the attribute called name, or nil.
func (o *Op) Strs(name string) []string { return attr[[]string](o, name, nil) }

// Tensor is the attribute called name, or nil.
func (o *Op) Tensor(name string) *tensor.Tensor { return attr[*tensor.Tensor](o, name, nil) }

// Graph is the subgraph called name, or nil.
func (o *Op) Graph(name string) *Graph { return attr[*Graph](o, name, nil) }

// Input is the i-th input, or None when the op has fewer.
func (o *Op) Input(i int) ValueID {
	if i < 0 || i >= len(o.Inputs) {
		return None
	}
	return o.Inputs[i]
}

// Output is the i-th output, or None when the op has fewer.
func (o *Op) Output(i int) ValueID {
	if i < 0 || i >= len(o.Outputs) {
		return None
	}
	return o.Outputs[i]
}

// Is reports whether o is ONNX's own operator of this type.
func (o *Op) Is(opType string) bool { return o.Domain == "" && o.Type == opType }

// Subgraphs calls f for every graph among the attributes, by attribute name ascending.
func (o *Op) Subgraphs(f func(name string, g *Graph)) {
	for _, name := range o.attrNames() {
		switch a := o.Attrs[name].(type) {
		case *Graph:
			f(name, a)
		case []*Graph:
			for _, g := range a {
				f(name, g)
			}
		}
	}
}

// attrNames is the attributes' names, ascending.
func (o *Op) attrNames() []string { return sortedKeys(o.Attrs) }
