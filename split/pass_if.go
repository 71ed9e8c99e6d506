package split

import "github.com/cleave-mesh/cleave/internal/tensor"

// inlineIf replaces an If whose condition is a constant by the ops of the branch that it takes.
func (c *canonicalizer) inlineIf() bool {
	changed := false
	for i := range c.g.Ops {
		o := c.g.Ops[i]
		if !o.Is("If") {
			continue
		}
		cond := c.inf.contents(o.Inputs[0])
		if cond == nil || cond.DType() != tensor.Bool || cond.Len() != 1 {
			continue
		}
		name := "else_branch"
		if cond.Bytes()[0] != 0 {
			name = "then_branch"
		}
		if branch := o.Graph(name); branch != nil && len(branch.Outputs) == len(o.Outputs) {
			c.inline(OpID(i), branch)
			changed = true
		}
	}
	return changed
}

// inline puts the ops of branch in the place of op id.
func (c *canonicalizer) inline(id OpID, branch *Graph) {
	g := c.g
	o := g.Ops[id]
	g.Ops[id].Type = ""
	outer := map[string]ValueID{}
	for _, v := range o.Captures {
		outer[g.Values[v].Name] = v
	}
	ids := make([]ValueID, len(branch.Values))
	for v := range branch.Values {
		val := &branch.Values[v]
		if from, ok := outer[val.Name]; ok && containsID(branch.Captured, ValueID(v)) {
			ids[v] = from
			continue
		}
		ids[v] = c.newValue(firstID(o.Outputs), val.Name, val.Type())
		g.Values[ids[v]].Const = val.Const
	}
	move := func(list []ValueID) []ValueID {
		out := make([]ValueID, len(list))
		for i, v := range list {
			out[i] = None
			if v != None {
				out[i] = ids[v]
			}
		}
		return out
	}
	for _, inner := range branch.Ops {
		// A subgraph of the branch knows the values around it by name.
		for _, v := range inner.Captures {
			if to := &g.Values[ids[v]]; to.Name != branch.Values[v].Name {
				inner.Attrs = cloneAttrs(inner.Attrs, func(sub *Graph) *Graph { return renameCapture(sub, branch.Values[v].Name, to) })
			}
		}
		inner.Inputs, inner.Outputs, inner.Captures = move(inner.Inputs), move(inner.Outputs), move(inner.Captures)
		if inner.Name != "" {
			inner.Name = o.Name + "/" + inner.Name
		}
		g.Ops = append(g.Ops, inner)
	}
	for i, v := range branch.Outputs {
		if o.Outputs[i] != None {
			g.Ops = append(g.Ops, Op{Name: o.Name, Type: "Identity", Inputs: []ValueID{ids[v]}, Outputs: []ValueID{o.Outputs[i]}})
		}
	}
}

func containsID(list []ValueID, v ValueID) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// firstID is the first value of list that is there.
func firstID(list []ValueID) ValueID {
	for _, v := range list {
		if v != None {
			return v
		}
	}
	return 0
}
