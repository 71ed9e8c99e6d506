package split

import (
	"fmt"
	"maps"
	"slices"
)

// Stage is a convex set of groups, extracted as a graph of its own.
type Stage struct {
	// Graph has the stage's boundary values as Inputs and Outputs, keeps their names, and holds the constants it needs.
	Graph *Graph
	// Groups are the ids in the parent graph, ascending.
	Groups []GroupID
	// In and Out are the boundary values' ids in the parent graph, parallel to Graph.Inputs and Graph.Outputs.
	In, Out []ValueID
}

// Stage extracts groups, in any order, as a graph of its own. Its inputs are the values from outside in order of first
// use; its outputs are the values that ops outside read or that are outputs of g, in order of production. It fails when an
// id is out of range or repeated, when the set is not convex (ErrNotConvex, with the group that breaks it), and when a value
// that is not a tensor would cross the border.
func (g *Graph) Stage(groups []GroupID) (*Stage, error) {
	groups = slices.Clone(groups)
	slices.Sort(groups)
	inside := make([]bool, len(g.Groups))
	for _, id := range groups {
		if id < 0 || int(id) >= len(g.Groups) {
			return nil, fmt.Errorf("extract stage: group %d is out of range: the graph has %d", id, len(g.Groups))
		}
		if inside[id] {
			return nil, fmt.Errorf("extract stage: group %d is given twice", id)
		}
		inside[id] = true
	}
	owner := g.opGroups()
	if err := g.checkConvex(inside, owner); err != nil {
		return nil, fmt.Errorf("extract stage: %w", err)
	}

	s := &Stage{Groups: groups}
	sub := &Graph{Name: g.Name, Opset: maps.Clone(g.Opset), Metadata: maps.Clone(g.Metadata)}
	ids := map[ValueID]ValueID{}
	local := func(v ValueID) ValueID {
		if v == None {
			return None
		}
		if id, ok := ids[v]; ok {
			return id
		}
		id := ValueID(len(sub.Values))
		val := g.Values[v]
		val.Consumers, val.Producer = nil, -1
		sub.Values = append(sub.Values, val)
		ids[v] = id
		return id
	}
	locals := func(vs []ValueID) []ValueID {
		if vs == nil {
			return nil
		}
		out := make([]ValueID, len(vs))
		for i, v := range vs {
			out[i] = local(v)
		}
		return out
	}

	var ops []OpID
	for _, id := range groups {
		ops = append(ops, g.Groups[id].Ops...)
	}
	slices.Sort(ops)
	opIDs := make(map[OpID]OpID, len(ops))
	for _, op := range ops {
		o := g.Ops[op]
		for v := range o.reads() {
			val := &g.Values[v]
			if val.Const != nil || val.Producer >= 0 && inside[owner[val.Producer]] {
				continue
			}
			if _, seen := ids[v]; !seen {
				s.In = append(s.In, v)
				sub.Inputs = append(sub.Inputs, local(v))
			}
		}
		o.Inputs, o.Outputs, o.Captures = locals(o.Inputs), locals(o.Outputs), locals(o.Captures)
		opIDs[op] = OpID(len(sub.Ops))
		sub.Ops = append(sub.Ops, o)
	}
	isOutput := g.outputSet()
	for _, op := range ops {
		for _, v := range g.Ops[op].Outputs {
			if v == None {
				continue
			}
			leaves := isOutput[v]
			for _, c := range g.Values[v].Consumers {
				leaves = leaves || !inside[owner[c]]
			}
			if leaves {
				s.Out = append(s.Out, v)
				sub.Outputs = append(sub.Outputs, local(v))
			}
		}
	}
	for _, v := range s.In {
		if val := &g.Values[v]; val.Kind != TensorKind && val.Producer >= 0 {
			return nil, fmt.Errorf("extract stage: %s %q would come in: only tensors may cross", val.Kind, val.Name)
		}
	}
	for _, v := range s.Out {
		val := &g.Values[v]
		for _, c := range val.Consumers {
			if val.Kind != TensorKind && !inside[owner[c]] {
				return nil, fmt.Errorf("extract stage: %s %q would go out: only tensors may cross", val.Kind, val.Name)
			}
		}
	}
	for _, id := range groups {
		gr := g.Groups[id]
		gr.In, gr.Out = locals(gr.In), locals(gr.Out)
		gr.Ops = slices.Clone(gr.Ops)
		for i, op := range gr.Ops {
			gr.Ops[i] = opIDs[op]
		}
		gr.Fused = slices.Clone(gr.Fused)
		for i := range gr.Fused {
			f := &gr.Fused[i]
			f.Inputs, f.Outputs = locals(f.Inputs), locals(f.Outputs)
		}
		sub.Groups = append(sub.Groups, gr)
	}
	if err := sub.link(); err != nil {
		return nil, fmt.Errorf("extract stage: %w", err)
	}
	s.Graph = sub
	return s, nil
}

// outputSet is g.Outputs as a set.
func (g *Graph) outputSet() map[ValueID]bool {
	set := make(map[ValueID]bool, len(g.Outputs))
	for _, v := range g.Outputs {
		set[v] = true
	}
	return set
}

// opGroups is each op's group.
func (g *Graph) opGroups() []GroupID {
	owner := make([]GroupID, len(g.Ops))
	for id := range g.Groups {
		for _, op := range g.Groups[id].Ops {
			owner[op] = GroupID(id)
		}
	}
	return owner
}

// checkConvex fails when a path leaves the marked groups and comes back.
func (g *Graph) checkConvex(inside []bool, owner []GroupID) error {
	// after marks outside groups that something inside reaches. Groups are in topological order, so one sweep is enough.
	after := make([]bool, len(g.Groups))
	for id := range g.Groups {
		for _, v := range g.Groups[id].In {
			p := g.Values[v].Producer
			if p < 0 {
				continue
			}
			from := owner[p]
			if inside[id] && after[from] {
				return fmt.Errorf("%w: %q needs %q from %q, which is outside and depends on the inside", ErrNotConvex,
					g.Groups[id].Name, g.Values[v].Name, g.Groups[from].Name)
			}
			if !inside[id] && (inside[from] || after[from]) {
				after[id] = true
			}
		}
	}
	return nil
}
