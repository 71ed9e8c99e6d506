package planner

import "slices"

// clamp raises times that no later piece can make use of to the earliest time at which anything can still happen. Labels that
// differ only in such times become comparable.
func (s *sweep) clamp(i int, y *layout, l *label) {
	if y.free < 0 || i == s.in.pieces || s.late {
		return
	}
	in := s.in
	early := s.earliestStart(i, y, l)
	for n := range in.nodes {
		l.vec[y.free+n] = max(l.vec[y.free+n], early)
	}
	l.vec[y.latency] = max(l.vec[y.latency], early)
	for a := range in.nodes {
		first := early
		for k, v := range y.live {
			if in.p.Values[v].Producer == External || NodeID(l.key[k]) == NodeID(a) {
				first = min(first, l.vec[y.ready+k*in.nodes+a])
			}
		}
		for b := range in.nodes {
			at := y.link + a*in.nodes + b
			l.vec[at] = max(l.vec[at], first)
		}
	}
	for k, v := range y.live {
		for n := range in.nodes {
			if in.p.Values[v].Producer == External && slices.Contains(in.at(v), NodeID(n)) || NodeID(l.key[k]) == NodeID(n) {
				continue
			}
			at := y.ready + k*in.nodes + n
			l.vec[at] = max(l.vec[at], early)
		}
	}
}

// earliestStart is a time before which no piece from i on can start.
func (s *sweep) earliestStart(i int, y *layout, l *label) float64 {
	in := s.in
	early := inf
	for _, c := range y.minimal {
		start := 0.0
		for _, v := range in.p.Pieces[c].In {
			k, ok := y.index[v]
			if !ok {
				continue
			}
			start = max(start, slices.Min(l.vec[y.ready+k*in.nodes:y.ready+(k+1)*in.nodes]))
		}
		early = min(early, start)
	}
	return early
}

// boundOf is a lower bound on the objective of every plan that the label can become.
func (s *sweep) boundOf(i int, y *layout, l *label) float64 {
	in := s.in
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
	return s.latencyBound(i, y, l)
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

func (s *sweep) latencyBound(i int, y *layout, l *label) float64 {
	in, m := s.in, s.in.nodes
	bound := l.vec[y.latency]
	load := s.lightest[i]
	for n := range m {
		load += s.shares[n] * l.vec[y.free+n]
	}
	bound = max(bound, load)
	// When a value can be at a node at the earliest.
	if cap(s.reach) < len(y.live)*m {
		s.reach = make([]float64, 2*len(y.live)*m)
	}
	reach := s.reach[:len(y.live)*m]
	for k, v := range y.live {
		for n := range m {
			at := l.vec[y.ready+k*m+n]
			if at == inf {
				base := 0.0
				if in.p.Values[v].Producer != External {
					base = l.vec[y.ready+k*m+int(l.key[k])]
				}
				at = base + s.options.least[s.options.row(v, NodeID(l.key[k]), NodeID(n))]
			}
			reach[k*m+n] = at
		}
	}
	for _, c := range y.frontier {
		least := inf
		for n := range m {
			tail := s.tails[c*m+n]
			if tail == inf {
				continue
			}
			start := l.vec[y.free+n]
			for _, v := range in.p.Pieces[c].In {
				if k, ok := y.index[v]; ok {
					start = max(start, reach[k*m+n])
				}
			}
			least = min(least, start+tail)
		}
		bound = max(bound, least)
	}
	if in.charge > 0 {
		bound += in.charge * l.vec[y.loss]
	}
	return bound
}

// rootBound is a lower bound on every plan.
func (s *sweep) rootBound() float64 {
	s.cur, s.nxt = &layer{}, &layer{}
	s.seed()
	least := inf
	for k := range s.cur.labels {
		if s.in.pieces > 0 {
			least = min(least, s.boundOf(0, &s.steps[0], &s.cur.labels[k]))
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
