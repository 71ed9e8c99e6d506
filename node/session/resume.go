package session

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
)

// Remaining are the pieces that have to be run to make every output that is not at the sink, given where values are
// kept; ascending. Inputs of the request count as kept where the problem says.
func Remaining(p *planner.Problem, have map[planner.ValueID][]planner.NodeID) []planner.PieceID {
	run := make([]bool, len(p.Pieces))
	need := make([]bool, len(p.Values))
	for v, val := range p.Values {
		need[v] = val.Output && len(have[planner.ValueID(v)]) == 0
	}
	for id := len(p.Pieces) - 1; id >= 0; id-- {
		run[id] = slices.ContainsFunc(p.Pieces[id].Out, func(v planner.ValueID) bool { return need[v] })
		if !run[id] {
			continue
		}
		for _, v := range p.Pieces[id].In {
			need[v] = need[v] || p.Values[v].Producer != planner.External && len(have[v]) == 0
		}
	}
	var out []planner.PieceID
	for id, r := range run {
		if r {
			out = append(out, planner.PieceID(id))
		}
	}
	return out
}

// lostInput is an input of the request that a remaining piece reads and nobody keeps.
func lostInput(
	p *planner.Problem, have map[planner.ValueID][]planner.NodeID, remaining []planner.PieceID,
) (planner.ValueID, bool) {
	for _, id := range remaining {
		for _, v := range p.Pieces[id].In {
			if p.Values[v].Producer == planner.External && len(have[v]) == 0 {
				return v, true
			}
		}
	}
	return 0, false
}

// Remainder is the problem of what remains of a request, and how its ids map to the whole problem's.
type Remainder struct {
	Problem *planner.Problem
	Pieces  []planner.PieceID // of the whole problem, parallel to Problem.Pieces
	Values  []planner.ValueID // of the whole problem, parallel to Problem.Values
	whole   *planner.Problem
}

// Resume makes the problem that a Replan asks for: the remaining pieces, kept values as external ones where they are
// kept, and no work or way for nodes that are excluded. Nodes keep their ids. The whole problem is only read.
func Resume(p *planner.Problem, r Replan) *Remainder {
	out := &Remainder{whole: p, Pieces: r.Remaining}
	sub := *p
	sub.Pieces, sub.Values = nil, nil

	local := make([]planner.PieceID, len(p.Pieces)) // id in sub + 1
	for i, id := range r.Remaining {
		local[id] = planner.PieceID(i + 1)
	}
	values := make([]planner.ValueID, len(p.Values)) // id in sub + 1
	for v, val := range p.Values {
		made := val.Producer != planner.External && local[val.Producer] != 0
		var consumers []planner.PieceID
		for _, c := range val.Consumers {
			if local[c] != 0 {
				consumers = append(consumers, local[c]-1)
			}
		}
		if !made && len(consumers) == 0 && !val.Output {
			continue
		}
		nv := val
		nv.Consumers = consumers
		if made {
			nv.Producer = local[val.Producer] - 1
		} else {
			nv.Producer = planner.External
			nv.At = r.Have[planner.ValueID(v)]
		}
		out.Values = append(out.Values, planner.ValueID(v))
		sub.Values = append(sub.Values, nv)
		values[v] = planner.ValueID(len(sub.Values))
	}
	for _, id := range r.Remaining {
		piece := p.Pieces[id]
		piece.In, piece.Out = rename(piece.In, values), rename(piece.Out, values)
		piece.Time = slices.Clone(piece.Time)
		for _, n := range slices.Concat(r.Unfit, r.Exclude) {
			piece.Time[n] = math.Inf(1)
		}
		sub.Pieces = append(sub.Pieces, piece)
	}
	sub.Paths = make([][]planner.Path, len(p.Paths))
	for a := range p.Paths {
		sub.Paths[a] = slices.Clone(p.Paths[a])
		for b := range sub.Paths[a] {
			if slices.Contains(r.Exclude, planner.NodeID(a)) || slices.Contains(r.Exclude, planner.NodeID(b)) {
				sub.Paths[a][b].Goodput = 0
			}
		}
	}
	out.Problem = &sub
	return out
}

// Lift turns a plan of the remainder into one in the ids of the whole problem. Pieces that do not remain have the place -1.
func (r *Remainder) Lift(plan *planner.Plan) *planner.Plan {
	up := *plan
	up.Place = make([]planner.NodeID, len(r.whole.Pieces))
	for i := range up.Place {
		up.Place[i] = -1
	}
	for i, n := range plan.Place {
		up.Place[r.Pieces[i]] = n
	}
	up.Stages = slices.Clone(plan.Stages)
	for i, s := range plan.Stages {
		pieces := make([]planner.PieceID, len(s.Pieces))
		for j, id := range s.Pieces {
			pieces[j] = r.Pieces[id]
		}
		up.Stages[i].Pieces = pieces
	}
	up.Transfers = slices.Clone(plan.Transfers)
	for i, t := range plan.Transfers {
		up.Transfers[i].Value = r.Values[t.Value]
	}
	return &up
}

func rename(values, to []planner.ValueID) []planner.ValueID {
	out := make([]planner.ValueID, len(values))
	for i, v := range values {
		out[i] = to[v] - 1
	}
	return out
}
