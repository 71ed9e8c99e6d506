package planner

import "slices"

// carry moves a live value over one hop.
func (s *sweep) carry(y *layout, l *label, d delivery, o option) {
	in := s.in
	at := 0.0
	k, live := y.index[d.value]
	if live {
		at = l.vec[y.ready+k*in.nodes+int(o.from)]
	}
	arrival := s.charge(y, l, o, d.to, at)
	if live {
		l.vec[y.ready+k*in.nodes+int(d.to)] = arrival
	}
	if y.latency >= 0 && in.p.Values[d.value].Output && d.to == in.p.Sink {
		l.vec[y.latency] = max(l.vec[y.latency], arrival)
	}
}

// carryNew takes an output that was just made to the sink; when it is live its origin holds the time, else the producer's node
// is free at that time.
func (s *sweep) carryNew(z *layout, l *label, d delivery, o option) {
	in := s.in
	if _, live := z.index[d.value]; live {
		s.carry(z, l, d, o)
		return
	}
	at := 0.0
	if z.free >= 0 {
		at = l.vec[z.free+int(d.origin)]
	}
	arrival := s.charge(z, l, o, in.p.Sink, at)
	if z.latency >= 0 {
		l.vec[z.latency] = max(l.vec[z.latency], arrival)
	}
}

// charge books a hop that starts at the given time and returns its arrival.
func (s *sweep) charge(y *layout, l *label, o option, to NodeID, at float64) float64 {
	w, link := &o.hop, int(o.from)*s.in.nodes+int(to)
	arrival := 0.0
	if y.link >= 0 {
		depart := max(at+w.encode, l.vec[y.link+link])
		l.vec[y.link+link] = depart + w.wire
		arrival = depart + w.wire + w.delay + w.decode
	}
	if y.busy >= 0 {
		l.vec[y.busy+int(o.from)] += w.encode
		l.vec[y.busy+int(to)] += w.decode
		l.vec[y.wires+link] += w.wire
	}
	if y.energy >= 0 {
		l.vec[y.energy] += w.joules
	}
	if y.price >= 0 {
		l.vec[y.price] += w.price
	}
	if y.loss >= 0 {
		l.vec[y.loss] += w.loss
	}
	return arrival
}

// transfer copies what stays from layout y to z.
func (s *sweep) transfer(i int, y, z *layout, l *label, n NodeID, vec []float64, key []byte) {
	m := s.in.nodes
	for k, v := range z.live {
		if j, ok := y.index[v]; ok {
			copy(vec[z.ready+k*m:z.ready+(k+1)*m], l.vec[y.ready+j*m:y.ready+(j+1)*m])
			key[k] = l.key[j]
			continue
		}
		for b := range m {
			vec[z.ready+k*m+b] = inf
		}
		key[k] = byte(n)
	}
	for k, c := range z.classes {
		if j := slices.Index(y.classes, c); j >= 0 {
			key[len(z.live)+k] = l.key[len(y.live)+j]
		} else {
			key[len(z.live)+k] = byte(n)
		}
	}
	// The rest of a vector has the same order and size in both layouts.
	copy(vec[len(z.live)*m:], l.vec[len(y.live)*m:])
}

// run books piece i on node n.
func (s *sweep) run(i int, y, z *layout, l *label, n NodeID, child *label) {
	in, piece := s.in, &s.in.p.Pieces[i]
	k := i*in.nodes + int(n)
	end := 0.0
	if z.free >= 0 {
		start := child.vec[z.free+int(n)]
		for _, v := range piece.In {
			start = max(start, l.vec[y.ready+y.index[v]*in.nodes+int(n)])
		}
		end = start + in.run[k]
		child.vec[z.free+int(n)] = end
		child.vec[z.latency] = max(child.vec[z.latency], end)
	}
	for _, v := range piece.Out {
		if j, ok := z.index[v]; ok {
			child.vec[z.ready+j*in.nodes+int(n)] = end
		}
	}
	if z.busy >= 0 {
		child.vec[z.busy+int(n)] += in.run[k]
	}
	if z.energy >= 0 {
		child.vec[z.energy] += in.joules[k]
	}
	if z.price >= 0 {
		child.vec[z.price] += in.price[k]
	}
	if z.used >= 0 {
		child.vec[z.used+int(n)] = 1
	}
	if z.weights >= 0 {
		child.vec[z.weights+int(n)] += float64(piece.Weights)
		child.vec[z.work+int(n)] = max(child.vec[z.work+int(n)], float64(piece.Work))
	}
}
