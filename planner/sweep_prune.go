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

// dominate drops every label that another one of the same key can stand for, if asked to, and sorts the others by bound. Labels of one key
// are compared by one expander, so that the result is the same however many there are.
func (s *sweep) dominate(i int, drop bool) {
	crew := s.crewFor(len(s.labels))
	s.together(crew, func(w int) {
		e := s.crew[w]
		e.order = e.order[:0]
		for k := range s.labels {
			if crew == 1 || s.labels[k].hash%uint32(crew) == uint32(w) {
				e.order = append(e.order, k)
			}
		}
		if drop {
			e.order = s.undominated(i, e.order)
		}
		slices.SortFunc(e.order, s.compareBounds)
	})
	s.gather(crew)
}

// gather puts the labels that the first of the crew have kept in one order, by bound.
func (s *sweep) gather(crew int) {
	rest := make([][]int, crew)
	for w, e := range s.crew[:crew] {
		rest[w] = e.order
	}
	s.spare = s.spare[:0]
	for {
		first := -1
		for w := range rest {
			if len(rest[w]) > 0 && (first < 0 || s.compareBounds(rest[w][0], rest[first][0]) < 0) {
				first = w
			}
		}
		if first < 0 {
			break
		}
		s.spare = append(s.spare, s.labels[rest[first][0]])
		rest[first] = rest[first][1:]
	}
	s.labels, s.spare = s.spare, s.labels
}

// compareBounds puts labels of lower bounds first.
func (s *sweep) compareBounds(a, b int) int {
	return cmp.Or(cmp.Compare(s.labels[a].bound, s.labels[b].bound), s.compareLabels(a, b))
}

// compareLabels puts labels first that can stand for others, and otherwise any two in the same order whoever made them.
func (s *sweep) compareLabels(a, b int) int {
	x, y := &s.labels[a], &s.labels[b]
	return cmp.Or(cmp.Compare(x.mass, y.mass), cmp.Compare(x.born, y.born))
}

// undominated are those of the given labels that no other one of them stands for.
func (s *sweep) undominated(i int, order []int) []int {
	y := &s.steps[i]
	slices.SortFunc(order, s.compareLabels)
	// Credit grows with the pieces: early labels would use all of it, and later ones are as many.
	credit := 0.0
	if s.best != nil {
		credit = creditShare * s.tolerance * s.best.Objective * float64(i) / float64(s.in.pieces)
	}
	groups := map[string][]int{}
	kept := order[:0]
	for _, k := range order {
		l := &s.labels[k]
		g := groups[string(l.key)]
		covered := slices.ContainsFunc(g, func(o int) bool {
			late, ok := s.covers(y, s.labels[o].vec, l.vec, max(0, credit-l.debt))
			if ok {
				s.labels[o].debt = max(s.labels[o].debt, l.debt+late)
			}
			return ok
		})
		if covered {
			continue
		}
		if len(g) < maxRivals {
			groups[string(l.key)] = append(g, k)
		}
		kept = append(kept, k)
	}
	return kept
}

const (
	// maxRivals is with how many labels of its key one is compared at most; fewer comparisons only keep more labels.
	maxRivals = 256
	// creditShare is the part of a pass's tolerance that labels may be in debt; the rest drops labels whose bound is near the incumbent.
	creditShare = 0.7
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
