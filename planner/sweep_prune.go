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

// dominate sorts the layer by bound and, if asked to, drops every label that another one of the same key can stand for.
func (s *sweep) dominate(i int, drop bool) {
	y := &s.steps[i]
	slices.SortFunc(s.cur.labels, func(a, b label) int { return cmp.Compare(a.bound, b.bound) })
	if !drop {
		return
	}
	// Credit grows with the pieces: early labels would use all of it, and later ones are as many.
	credit := 0.0
	if s.best != nil {
		credit = creditShare * s.tolerance * s.best.Objective * float64(i) / float64(s.in.pieces)
	}
	groups := map[string][]int{}
	kept := s.cur.labels[:0]
	for _, l := range s.cur.labels {
		g := groups[string(l.key)]
		covered := false
		for _, k := range g {
			if late, ok := s.covers(y, kept[k].vec, l.vec, max(0, credit-l.debt)); ok {
				kept[k].debt = max(kept[k].debt, l.debt+late)
				covered = true
				break
			}
		}
		if covered {
			continue
		}
		if len(g) < maxRivals {
			groups[string(l.key)] = append(g, len(kept))
		}
		kept = append(kept, l)
	}
	s.cur.labels = kept
}

const (
	// maxRivals is with how many labels of its key one is compared at most; fewer comparisons only keep more labels.
	maxRivals = 256
	// creditShare is the part of a pass's tolerance that labels may be in debt; the rest drops labels whose bound is near the incumbent.
	creditShare = 0.5
)

// covers reports whether label vector a costs at most late more than b whatever follows, late being no more than credit: sums under
// limits are no larger and no time is later by more than that, as no schedule ends later by more than the latest of its times does. Where
// loss is charged for, less of it makes up for later times, and more of it counts as late.
func (s *sweep) covers(y *layout, a, b []float64, credit float64) (late float64, ok bool) {
	size, spared := y.size, 0.0
	if s.in.charge > 0 {
		size, spared = y.loss, s.in.charge*(b[y.loss]-a[y.loss])
	}
	for k := y.soft; k < size; k++ {
		if a[k] > b[k]+spared {
			return 0, false
		}
	}
	for k := range y.soft {
		if d := a[k] - b[k] - spared; d > late {
			if d > credit {
				return 0, false
			}
			late = d
		}
	}
	return late, true
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
