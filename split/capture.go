package split

import "slices"

// cloneAttrs is attrs with every subgraph replaced by f of it.
func cloneAttrs(attrs map[string]Attr, f func(*Graph) *Graph) map[string]Attr {
	out := make(map[string]Attr, len(attrs))
	for name, a := range attrs {
		switch a := a.(type) {
		case *Graph:
			out[name] = f(a)
		case []*Graph:
			list := make([]*Graph, len(a))
			for i, g := range a {
				list[i] = f(g)
			}
			out[name] = list
		default:
			out[name] = a
		}
	}
	return out
}

// renameCapture is g reading the outer value to where it read the outer value called from. A constant becomes a constant of
// the subgraph.
func renameCapture(g *Graph, from string, to *Value) *Graph {
	at := slices.IndexFunc(g.Captured, func(v ValueID) bool { return g.Values[v].Name == from })
	if at < 0 {
		return g
	}
	g = g.clone()
	old := g.Captured[at]
	// A value of the subgraph that has the new name already is either the same capture or one that has to give way.
	for v := range g.Values {
		if ValueID(v) == old || g.Values[v].Name != to.Name {
			continue
		}
		if slices.Contains(g.Captured, ValueID(v)) {
			g.Captured = slices.Delete(g.Captured, at, at+1)
			g.substitute(old, ValueID(v))
			return g
		}
		g.Values[v].Name += "#inner"
	}
	g.Values[old].Name = to.Name
	if to.Const != nil {
		g.Values[old].Const = to.Const
		g.Captured = slices.Delete(g.Captured, at, at+1)
	}
	for i := range g.Ops {
		if o := &g.Ops[i]; slices.Contains(o.Captures, old) {
			o.Attrs = cloneAttrs(o.Attrs, func(sub *Graph) *Graph { return renameCapture(sub, from, to) })
			if to.Const != nil {
				o.Captures = slices.DeleteFunc(slices.Clone(o.Captures), func(v ValueID) bool { return v == old })
			}
		}
	}
	return g
}

// substitute makes all ops of g, and its outputs, read by instead of old, which had been captured.
func (g *Graph) substitute(old, by ValueID) {
	for i := range g.Ops {
		o := &g.Ops[i]
		for j, v := range o.Inputs {
			if v == old {
				o.Inputs[j] = by
			}
		}
		if slices.Contains(o.Captures, old) {
			to := g.Values[by]
			o.Attrs = cloneAttrs(o.Attrs, func(sub *Graph) *Graph { return renameCapture(sub, g.Values[old].Name, &to) })
			o.Captures = slices.DeleteFunc(slices.Clone(o.Captures), func(v ValueID) bool { return v == old })
			if !slices.Contains(o.Captures, by) {
				o.Captures = append(o.Captures, by)
			}
		}
	}
	for i, v := range g.Outputs {
		if v == old {
			g.Outputs[i] = by
		}
	}
	for _, id := range g.Values[old].Consumers {
		if !slices.Contains(g.Values[by].Consumers, id) {
			g.Values[by].Consumers = append(g.Values[by].Consumers, id)
		}
	}
	slices.Sort(g.Values[by].Consumers)
	g.Values[old].Consumers = nil
}
