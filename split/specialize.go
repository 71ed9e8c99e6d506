package split

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Specialize binds shapes to inputs by name and infers the type of every value. Inputs that shapes does not name keep their
// declared shape; a symbolic dimension that one input binds is bound wherever it occurs. It fails when a name is no
// input, when a bound shape contradicts the declared one, and when types or shapes do not fit an op (ErrInvalid, with the op's name).
func Specialize(g *Graph, shapes map[string]tensor.Shape) (*Graph, error) {
	s := g.clone()
	if err := s.bind(shapes); err != nil {
		return nil, fmt.Errorf("specialise %q: %w", g.Name, err)
	}
	s.Groups = nil
	if _, err := inferTypes(s); err != nil {
		return nil, fmt.Errorf("specialise %q: %w", g.Name, err)
	}
	return s, nil
}

// bind gives inputs their shapes.
func (g *Graph) bind(shapes map[string]tensor.Shape) error {
	inputs := map[string]*Value{}
	for _, v := range g.Inputs {
		inputs[g.Values[v].Name] = &g.Values[v]
	}
	sizes := map[string]int{}
	for _, name := range sortedKeys(shapes) {
		shape := shapes[name]
		v := inputs[name]
		if v == nil {
			return invalid("the model has no input %q: its inputs are %v", name, sortedKeys(inputs))
		}
		if v.Shape != nil && len(v.Shape) != len(shape) {
			return invalid("input %q has rank %d, not %d: the model declares %s", name, len(v.Shape), len(shape), v.Type())
		}
		for i, n := range shape {
			if v.Shape == nil || n < 0 {
				continue
			}
			if v.Shape[i] >= 0 && v.Shape[i] != n {
				return invalid("input %q has size %d in dimension %d, not %d: the model declares %s", name, v.Shape[i], i, n, v.Type())
			}
			if i < len(v.Params) && v.Params[i] != "" {
				if old, ok := sizes[v.Params[i]]; ok && old != n {
					return invalid("input %q: dimension %q is bound to %d and to %d", name, v.Params[i], old, n)
				}
				sizes[v.Params[i]] = n
			}
		}
		if v.Shape == nil {
			v.Shape, v.Params = shape.Clone(), nil
			continue
		}
		v.Shape = v.Shape.Clone()
		for i, n := range shape {
			if n >= 0 {
				v.Shape[i] = n
			}
		}
	}
	for i := range g.Values {
		v := &g.Values[i]
		for d, p := range v.Params {
			if n, ok := sizes[p]; ok && v.Shape[d] < 0 {
				v.Shape = v.Shape.Clone()
				v.Shape[d] = n
			}
		}
	}
	return nil
}
