package planner

import "slices"

// clamp raises times that no later piece can make use of to the earliest ones that matter. Labels that differ only in such times become
// comparable.
func (e *expander) clamp(i int, y *layout, l *label) {
	s, m := e.s, e.s.in.nodes
	if y.free < 0 || i == s.in.pieces || s.late {
		return
	}
	reach := e.reaches(y, y.quickest, l)
	free := l.vec[y.free : y.free+m]
	early := e.nextStarts(y, free, reach)
	for n := range free {
		free[n] = max(free[n], min(e.next[n], early+s.into[n]))
	}
	l.vec[y.latency] = max(l.vec[y.latency], early)
	if s.in.p.Objective == Latency && s.in.charge == 0 {
		l.vec[y.latency] = max(l.vec[y.latency], l.bound)
	}
	for a := range m {
		link := l.vec[y.link+a*m : y.link+(a+1)*m]
		for b := range link {
			// What will be made on a leaves it no sooner than a is free; what is there and not yet on b may leave at once.
			first := free[a]
			for k := range y.live {
				if ready := l.vec[y.ready+k*m : y.ready+(k+1)*m]; ready[b] == inf && (y.given[k] || int(l.key[k]) == a) {
					first = min(first, ready[a])
				}
			}
			link[b] = max(link[b], first)
		}
	}
	// A copy serves pieces of its own node alone: hops start where the value was made or given.
	for k := range y.live {
		origin, ready, held := int(l.key[k]), l.vec[y.ready+k*m:y.ready+(k+1)*m], y.held[k*m:(k+1)*m]
		for n := range ready {
			if ready[n] < free[n] && !held[n] && n != origin {
				ready[n] = free[n]
			}
		}
	}
}

// nextStarts is a time before which no piece to come can start, and leaves in e.next, per node, when one of those that wait for nothing else
// can start there at the earliest.
func (e *expander) nextStarts(y *layout, free, reach []float64) float64 {
	m, early := len(free), inf
	if e.next == nil {
		e.next = make([]float64, m)
	}
	for n := range e.next {
		e.next[n] = inf
		for _, w := range y.minimal {
			if w.tails[n] == inf {
				continue
			}
			start := 0.0
			for _, k := range w.live {
				start = max(start, reach[k*m+n])
			}
			e.next[n] = min(e.next[n], start)
		}
		early = min(early, max(free[n], e.next[n]))
	}
	return early
}

// boundOf is a lower bound on the objective of every plan that the label can become. It goes no further than to find a label hopeless.
func (e *expander) boundOf(i int, y *layout, l *label) float64 {
	s, in := e.s, e.s.in
	switch in.p.Objective {
	case Energy:
		return l.vec[y.energy] + s.rest(i, in.joules)
	case Price:
		return l.vec[y.price] + s.rest(i, in.price)
	case Throughput:
		sum, most := 0.0, 0.0
		for n := range in.nodes {
			sum += s.shares[n] * l.vec[y.busy+n]
			most = max(most, l.vec[y.busy+n])
		}
		for k := range in.nodes * in.nodes {
			most = max(most, l.vec[y.wires+k])
		}
		return max(most, sum+s.lightest[i])
	}
	extra := 0.0
	if in.charge > 0 {
		extra = in.charge * l.vec[y.loss]
	}
	return extra + e.latencyBound(i, y, l, s.hopelessFrom(l.debt)-extra)
}

// rest is the least sum of a per-piece cost over the pieces from i on.
func (s *sweep) rest(i int, cost []float64) float64 {
	if s.rests == nil {
		in := s.in
		s.rests = make([]float64, in.pieces+1)
		for k := in.pieces - 1; k >= 0; k-- {
			least := inf
			for n := range in.nodes {
				if in.run[k*in.nodes+n] < inf {
					least = min(least, cost[k*in.nodes+n])
				}
			}
			s.rests[k] = s.rests[k+1] + least
		}
	}
	return s.rests[i]
}

// latencyBound is a lower bound on the latency of every plan below enough that the label can become: the work that is left, over all
// nodes, the longest path from what each waiting piece needs, and queues. It goes no further than to reach enough.
func (e *expander) latencyBound(i int, y *layout, l *label, enough float64) float64 {
	s, m := e.s, e.s.in.nodes
	load := s.lightest[i]
	for n := range m {
		load += s.shares[n] * min(l.vec[y.free+n], l.vec[y.latency])
	}
	bound := max(l.vec[y.latency], load)
	if bound >= enough {
		return bound
	}
	reach := e.reaches(y, y.least, l)
	free := l.vec[y.free : y.free+m]
	hot := e.hot[i]
	if hot < len(y.frontier) {
		if bound = max(bound, y.frontier[hot].bound(free, reach, bound)); bound >= enough {
			return bound
		}
	}
	for c := range y.frontier {
		if bound = max(bound, y.frontier[c].bound(free, reach, bound)); bound >= enough {
			e.hot[i] = c
			return bound
		}
	}
	return max(bound, e.queued(y, l, reach, enough))
}

// queued is a bound that knows of queues: pieces of the frontier that, in any plan below enough, can only be on one node, run there one after
// the other, and what they need travels one after the other where it is sure that nothing else brings it there before.
func (e *expander) queued(y *layout, l *label, reach []float64, enough float64) float64 {
	m, bound := e.s.in.nodes, 0.0
	e.free = append(e.free[:0], l.vec[y.free:y.free+m]...)
	e.link = append(e.link[:0], l.vec[y.link:y.link+m*m]...)
	e.sent = append(e.sent[:0], l.vec[y.ready:y.ready+len(y.live)*m]...)
	e.loose = slices.Grow(e.loose[:0], len(y.live)*m)[:len(y.live)*m]
	clear(e.loose)
	e.may = slices.Grow(e.may[:0], m)[:m]
	for c := range y.frontier {
		w := &y.frontier[c]
		only, choices := 0, 0
		for n, tail := range w.tails {
			start := l.vec[y.free+n]
			for _, k := range w.live {
				start = max(start, reach[k*m+n])
			}
			if e.may[n] = start+tail < enough; e.may[n] {
				only, choices = n, choices+1
			}
		}
		switch choices {
		case 0:
			return enough
		case 1:
			start := e.sure(y, l, w, only, reach)
			if bound = max(bound, start+w.tails[only]); bound >= enough {
				return enough
			}
			e.free[only] = start + w.run[only]
		default:
			for _, k := range w.live {
				for n, may := range e.may {
					e.loose[k*m+n] = e.loose[k*m+n] || may
				}
			}
		}
	}
	return bound
}

// sure is when a piece that can only be on node n can start there, after those before it that can only be there too. It books the hops that
// the piece is sure to be the first to need there.
func (e *expander) sure(y *layout, l *label, w *waiter, n int, reach []float64) float64 {
	m, start := e.s.in.nodes, e.free[n]
	for _, k := range w.live {
		at := k*m + n
		if e.sent[at] == inf {
			hop := &y.parts[k][int(l.key[k])*m+n]
			if e.loose[at] || hop.from < 0 {
				start = max(start, reach[at])
				continue
			}
			link := &e.link[int(hop.from)*m+n]
			*link = max(l.vec[y.ready+k*m+int(hop.from)]+hop.encode, *link) + hop.wire
			e.sent[at] = *link + hop.rest
		}
		start = max(start, e.sent[at])
	}
	return start
}

// reaches is when each live value can be at each node at the earliest, by hops of the given seconds.
func (e *expander) reaches(y *layout, hops [][]float64, l *label) []float64 {
	m := e.s.in.nodes
	if cap(e.reach) < len(y.live)*m {
		e.reach = make([]float64, 2*len(y.live)*m)
	}
	reach := e.reach[:len(y.live)*m]
	for k := range y.live {
		origin := int(l.key[k])
		base, hop := 0.0, hops[k][origin*m:(origin+1)*m]
		ready := l.vec[y.ready+k*m : y.ready+(k+1)*m]
		if !y.given[k] {
			base = ready[origin]
		}
		for n, at := range ready {
			if at == inf {
				at = base + hop[n]
			}
			reach[k*m+n] = at
		}
	}
	return reach
}

// bound is the least time of the answer over the nodes that the piece can start on, or anything up to known where it is no more than that.
func (w *waiter) bound(free, reach []float64, known float64) float64 {
	m, least := len(free), inf
	for n, tail := range w.tails {
		start := free[n]
		for _, k := range w.live {
			start = max(start, reach[k*m+n])
		}
		if least = min(least, start+tail); least <= known {
			break
		}
	}
	return least
}

// rootBound is a lower bound on every plan.
func (s *sweep) rootBound() float64 {
	s.aim()
	s.seed()
	least := inf
	for k := range s.labels {
		if s.in.pieces > 0 {
			least = min(least, s.crew[0].boundOf(0, &s.steps[0], &s.labels[k]))
		}
	}
	if least == inf {
		return 0
	}
	return least
}

// floor is a lower bound on every plan that needs no search: the longest path and the work for latency, the work for throughput,
// the least sum of pieces for energy and price.
func (in *instance) floor() float64 {
	s := &sweep{in: in}
	switch in.p.Objective {
	case Energy:
		return s.rest(0, in.joules)
	case Price:
		return s.rest(0, in.price)
	}
	s.loadBound()
	bound := s.lightest[0]
	if in.p.Objective == Throughput {
		return bound
	}
	s.options = newOptionTable(in)
	s.tails = s.tailTable()
	for i := range in.pieces {
		least := inf
		for n := range in.nodes {
			start := 0.0
			for _, v := range in.p.Pieces[i].In {
				if in.p.Values[v].Producer == External && !slices.Contains(in.at(v), NodeID(n)) {
					start = max(start, s.options.least[s.options.row(v, 0, NodeID(n))])
				}
			}
			least = min(least, start+s.tails[i*in.nodes+n])
		}
		bound = max(bound, least)
	}
	return bound
}
