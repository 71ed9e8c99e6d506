package planner

import "slices"

// reduced is the sweep over the smaller instance that what is known by now allows, or s itself where nothing is gained.
func (s *sweep) reduced() *sweep {
	if s.best == nil {
		return s
	}
	if r := s.reduce(s.best); r != nil {
		if t := s.over(r); t != nil {
			return t
		}
	}
	return s
}

// over is the sweep over a reduction of s's instance, nil where the incumbent is no plan of it.
func (s *sweep) over(r *reduction) *sweep {
	best, err := r.shrink(s.best)
	if err != nil {
		return nil
	}
	t := newSweep(s.ctx, r.in)
	t.outer, t.via, t.best = s, r, best
	t.begin, t.first, t.explored, t.tail = s.begin, s.first, s.explored, s.tail
	return t
}

// whole is the incumbent as a plan of the instance before all reductions.
func (s *sweep) whole() *Plan { return s.upTo(nil) }

// upTo is the incumbent as a plan of an outer sweep's instance, nil standing for the outermost.
func (s *sweep) upTo(top *sweep) *Plan {
	plan := s.best
	for ; s != top && s.outer != nil; s = s.outer {
		place, codings := s.via.restore(plan)
		again, err := s.outer.in.evaluate(place, codings)
		if err != nil {
			return s.outer.upTo(top)
		}
		plan = again
	}
	return plan
}

// outermost is the sweep before all reductions.
func (s *sweep) outermost() *sweep {
	for s.outer != nil {
		s = s.outer
	}
	return s
}

// shrink is the plan that r was made for as one of the smaller instance, or another one where r moves none.
func (r *reduction) shrink(plan *Plan) (*Plan, error) {
	from := plan.Place
	if r.place != nil {
		from = r.place
	}
	place := make([]NodeID, r.in.pieces)
	for i, k := range r.pieces {
		place[k] = NodeID(slices.Index(r.nodes, int(from[i])))
	}
	if r.place != nil {
		return r.in.evaluate(place, r.recode(plan, place))
	}
	codings := Codings{}
	for h, c := range plan.Codings() {
		codings[Hop{h.Value, NodeID(slices.Index(r.nodes, int(h.To)))}] = c
	}
	return r.in.evaluate(place, codings)
}

// restore is a placement of the smaller instance as one of the original.
func (r *reduction) restore(plan *Plan) ([]NodeID, Codings) {
	place := make([]NodeID, len(r.pieces))
	for i, k := range r.pieces {
		place[i] = NodeID(r.nodes[plan.Place[k]])
	}
	codings := Codings{}
	for h, c := range plan.Codings() {
		codings[Hop{h.Value, NodeID(r.nodes[h.To])}] = c
	}
	return place, codings
}
