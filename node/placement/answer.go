package placement

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// Recipe turns a plan for the question's problem into what nodes carry out. model, graph and shapes fill the recipe's fields
// of the same names.
func (q *Question) Recipe(p *planner.Problem, ix *Index, plan *planner.Plan, model, graph string, shapes map[string][]int) (*Recipe, error) {
	if len(plan.Place) != len(p.Pieces) {
		return nil, fmt.Errorf("%w: %d places for %d pieces", ErrRecipe, len(plan.Place), len(p.Pieces))
	}
	r := &Recipe{Model: model, Graph: graph, Shapes: shapes, Entry: q.Machines[q.Entry].ID, Stages: []Stage{}, Sends: []Send{}}
	for i, s := range plan.Stages {
		if len(s.Pieces) == 0 {
			return nil, fmt.Errorf("%w: stage %d is empty", ErrRecipe, i)
		}
		st := Stage{Node: q.Machines[s.Node].ID, Backend: p.Pieces[s.Pieces[0]].Backend[s.Node]}
		for _, piece := range s.Pieces {
			st.Groups = append(st.Groups, ix.Groups[piece])
		}
		slices.Sort(st.Groups)
		r.Stages = append(r.Stages, st)
	}
	for _, t := range plan.Transfers {
		codings := p.Values[t.Value].Codings
		if t.Coding < 0 || t.Coding >= len(codings) {
			return nil, fmt.Errorf("%w: value %q travels under coding %d of %d", ErrRecipe, p.Values[t.Value].Name, t.Coding, len(codings))
		}
		r.Sends = append(r.Sends, Send{
			Value: ix.Values[t.Value], From: q.Machines[t.From].ID, To: q.Machines[t.To].ID, Codec: codings[t.Coding].Codec,
		})
	}
	return r, r.Check(q.Graph)
}

// Machine finds the index of a machine by name or id; -1 when there is none.
func (q *Question) Machine(nameOrID string) int {
	return slices.IndexFunc(q.Machines, func(m Machine) bool { return m.Name == nameOrID || string(m.ID) == nameOrID })
}

// Uses lists the values that travel between stages, each once, ascending.
func (r *Recipe) Uses() []split.ValueID {
	var vs []split.ValueID
	for _, s := range r.Sends {
		vs = append(vs, s.Value)
	}
	slices.Sort(vs)
	return slices.Compact(vs)
}
