package planner

// afford makes a placement keep the accuracy budget: as long as its codings lose too much together, the hop for which that delays the
// answer least per unit of loss takes a coding that loses less. It returns nil where no such plan keeps the limits.
func (in *instance) afford(place []NodeID, codings Codings) *Plan {
	if in.checkPlace(place) != nil {
		return nil
	}
	latency, loss, moves, ok := in.spend(place, codings)
	for ok && loss > in.p.Limits.Loss {
		var change Hop
		coding, least := -1, inf
		for _, m := range moves {
			h := Hop{m.value, m.to}
			old := codings[h]
			for _, o := range in.options(m.value, in.p.madeAt(m.value, place), m.to) {
				if o.hop.loss >= m.way.loss {
					continue
				}
				codings[h] = o.hop.coding
				if then, now, _, ok := in.spend(place, codings); ok && now < loss {
					if rate := (then - latency) / (loss - now); rate < least {
						change, coding, least = h, o.hop.coding, rate
					}
				}
			}
			codings[h] = old
		}
		if coding < 0 {
			return nil
		}
		codings[change] = coding
		latency, loss, moves, ok = in.spend(place, codings)
	}
	if plan, err := in.evaluate(place, codings); err == nil {
		return plan
	}
	return nil
}

// spend is the latency and the loss of a placement, and its hops.
func (in *instance) spend(place []NodeID, codings Codings) (latency, loss float64, moves []move, ok bool) {
	t := newTimeline(in, codings)
	for i, n := range place {
		if t.run(PieceID(i), n) != nil {
			return 0, 0, nil, false
		}
	}
	for k := range t.moves {
		loss += t.moves[k].way.loss
	}
	return t.latency, loss, t.moves, true
}

// madeAt is the node that makes v.
func (p *Problem) madeAt(v ValueID, place []NodeID) NodeID {
	if i := p.Values[v].Producer; i != External {
		return place[i]
	}
	return -1
}
