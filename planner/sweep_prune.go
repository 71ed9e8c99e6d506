package planner

import (
	"cmp"
	"slices"
)

// finish turns a label of the last step into the incumbent when it is better.
func (s *sweep) finish(l *label) {
	if s.best != nil && l.bound >= s.best.Objective*(1-1e-13) {
		return
	}
	place := make([]NodeID, s.in.pieces)
	var codings Codings
	i := s.in.pieces - 1
	for t := l.trail; t != nil; t = t.before {
		for _, p := range t.picks {
			if codings == nil {
				codings = Codings{}
			}
			codings[p.hop] = p.coding
		}
		if i >= 0 {
			place[i] = t.node
		}
		i--
	}
	plan, err := s.in.evaluate(place, codings)
	if err != nil {
		s.fallback, s.rejected = err, min(s.rejected, l.bound)
		return
	}
	s.offer(plan)
}

// dominate sorts the layer by bound and, if asked to, drops every label that another one of the same key beats or equals in all.
func (s *sweep) dominate(i int, drop bool) {
	y := &s.steps[i]
	slices.SortFunc(s.cur.labels, func(a, b label) int { return cmp.Compare(a.bound, b.bound) })
	if !drop {
		return
	}
	groups := map[string][]int{}
	kept := s.cur.labels[:0]
	for _, l := range s.cur.labels {
		g := groups[string(l.key)]
		beaten := false
		for _, k := range g {
			if s.covers(y, kept[k].vec, l.vec) {
				beaten = true
				break
			}
		}
		if beaten {
			continue
		}
		if len(g) < maxRivals {
			groups[string(l.key)] = append(g, len(kept))
		}
		kept = append(kept, l)
	}
	s.cur.labels = kept
}

// maxRivals is with how many labels of its key one is compared at most; fewer comparisons only keep more labels.
const maxRivals = 256

// covers reports whether label vector a costs no more than b whatever follows: it is nowhere larger, or, where loss is charged for,
// its loss is smaller by what its latest time is later. No schedule ends later by more than the latest of its times does.
func (s *sweep) covers(y *layout, a, b []float64) bool {
	size, slack := y.size, 0.0
	if s.in.charge > 0 {
		size, slack = y.loss, s.in.charge*(b[y.loss]-a[y.loss])
	}
	for k := range size {
		if a[k] > b[k]+slack {
			return false
		}
	}
	return true
}

// allowed reports whether the label can still meet every limit.
func (s *sweep) allowed(z *layout, l *label) bool {
	in, lim := s.in, s.in.limits()
	if z.used >= 0 {
		used := 0.0
		for n := range in.nodes {
			used += l.vec[z.used+n]
		}
		if used > float64(lim.Stages) {
			return false
		}
	}
	if z.weights >= 0 {
		for n := range in.nodes {
			if s.dims.memory[n] && l.vec[z.weights+n]+l.vec[z.work+n] > float64(in.p.Nodes[n].Memory) {
				return false
			}
		}
	}
	within := func(at int, limit float64) bool { return limit == 0 || at < 0 || l.vec[at] <= limit*(1+limitSlack) }
	if !within(z.energy, lim.Energy) || !within(z.price, lim.Price) || !within(z.loss, lim.Loss) || !within(z.latency, lim.Latency.Seconds()) {
		return false
	}
	if lim.Period > 0 {
		for k := range in.nodes * (in.nodes + 1) {
			if !within(z.busy+k, lim.Period.Seconds()) {
				return false
			}
		}
	}
	return true
}
