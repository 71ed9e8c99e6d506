package placement

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// maxEvaluated is how many sizes of one block's parts are evaluated.
const maxEvaluated = 24

// trial is a candidate whose parts have been evaluated in their place.
type trial struct {
	divisions []split.Division
	stated    *Stated
	plan      *planner.Plan
}

// refine evaluates a candidate and shifts its parts' borders as long as that helps; nil when the candidate cannot run as it is.
func (s *Search) refine(ctx context.Context, now *Outcome, c candidate) (*trial, error) {
	best, err := s.evaluate(now, c, c.d.Parts)
	if best == nil || err != nil {
		return nil, err
	}
	v, err := s.Graph.BlockOutput(c.d.First, c.d.Last)
	if err != nil {
		return nil, err
	}
	size, step := s.Graph.Values[v].Shape[c.d.Axis], stepOf(s.Graph, c.d)
	parts, evaluated := c.d.Parts, 0
	for shift := max(1, size/step/16) * step; shift >= step; {
		improved := false
		for from := range parts {
			for to := range parts {
				if from == to || parts[from] <= shift || evaluated >= maxEvaluated || ctx.Err() != nil {
					continue
				}
				other := slices.Clone(parts)
				other[from] -= shift
				other[to] += shift
				evaluated++
				t, err := s.evaluate(now, c, other)
				if err != nil {
					return nil, err
				}
				if t != nil && t.plan.Objective < best.plan.Objective {
					best, parts, improved = t, other, true
				}
			}
		}
		if !improved {
			shift = shift / 2 / step * step
		}
	}
	return best, nil
}

// evaluate is the plan with the block in parts of these sizes, each on its machine, and everything else where the home plan has it. It
// is nil when that is not possible.
func (s *Search) evaluate(now *Outcome, c candidate, parts []int) (*trial, error) {
	d := c.d
	d.Parts = parts
	divisions := append(slices.Clone(now.Divisions), d)
	slices.SortFunc(divisions, func(a, b split.Division) int { return int(a.First) - int(b.First) })
	index := slices.IndexFunc(divisions, func(x split.Division) bool { return x.First == d.First })
	st, err := s.State(divisions)
	if errors.Is(err, split.ErrNotDivisible) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now.Tried++
	place := make([]planner.NodeID, len(st.Frame.Groups))
	for i, id := range st.Frame.Groups {
		switch o := st.Divided.Groups[id]; {
		case o.Division != index:
			n, ok := c.from.place[st.Graph.Groups[id].Name]
			if !ok {
				n = c.from.all
			}
			place[i] = n
		case o.Part < 0 || o.Group < 0 && st.entry(id):
			place[i] = c.home
		default:
			place[i] = c.nodes[o.Part]
		}
	}
	var no *planner.InfeasibleError
	plan, err := planner.Evaluate(st.Problem, place, nil)
	if errors.As(err, &no) { // the quickest codec of every hop may lose too much together
		plan, err = planner.Evaluate(st.Problem, place, exactCodings(st.Problem, place))
	}
	if errors.As(err, &no) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &trial{divisions: divisions, stated: st, plan: plan}, nil
}

// tie puts all pieces of a part into one class, so that they run on one machine. A part with a piece that has a class already is left
// as it is.
func (st *Stated) tie() {
	type part struct{ division, part int }
	classes, highest := map[part]int{}, 0
	for i := range st.Problem.Pieces {
		highest = max(highest, st.Problem.Pieces[i].Class)
	}
	members := func(f func(part, *planner.Piece)) {
		for i, id := range st.Frame.Groups {
			if o := st.Divided.Groups[id]; o.Part >= 0 && !(o.Group < 0 && st.entry(id)) {
				f(part{o.Division, o.Part}, &st.Problem.Pieces[i])
			}
		}
	}
	members(func(p part, piece *planner.Piece) {
		if piece.Class != 0 {
			classes[p] = -1
		} else if classes[p] == 0 {
			highest++
			classes[p] = highest
		}
	})
	members(func(p part, piece *planner.Piece) {
		if classes[p] > 0 {
			piece.Class = classes[p]
		}
	})
}

// exactCodings is, for each hop of a placement, the quickest coding that loses nothing.
func exactCodings(p *planner.Problem, place []planner.NodeID) planner.Codings {
	out := planner.Codings{}
	for v := range p.Values {
		val := &p.Values[v]
		from := p.Source
		if val.Producer != planner.External {
			from = place[val.Producer]
		}
		to := []planner.NodeID{}
		for _, c := range val.Consumers {
			to = append(to, place[c])
		}
		if val.Output {
			to = append(to, p.Sink)
		}
		for _, n := range to {
			best, least := -1, math.Inf(1)
			for k, c := range val.Codings {
				took := c.Encode/speed(p, from) + float64(c.Bytes)/p.Paths[from][n].Goodput + c.Decode/speed(p, n)
				if c.Loss == 0 && took < least {
					best, least = k, took
				}
			}
			if best >= 0 {
				out[planner.Hop{Value: planner.ValueID(v), To: n}] = best
			}
		}
	}
	return out
}

// entry reports whether the group, a Slice, cuts a value from outside of its part.
func (st *Stated) entry(id split.GroupID) bool {
	mine := st.Divided.Groups[id]
	for _, v := range st.Graph.Groups[id].In {
		p := st.Graph.Values[v].Producer
		if p < 0 {
			continue
		}
		owner := slices.IndexFunc(st.Graph.Groups, func(g split.Group) bool { return slices.Contains(g.Ops, p) })
		if o := st.Divided.Groups[owner]; o.Division == mine.Division && o.Part == mine.Part {
			return false
		}
	}
	return true
}
