package planner

import "math"

// bruteForce is the least objective over every placement and every coding of every hop.
func bruteForce(in *instance) (float64, bool) {
	b := brute{in: in, codings: Codings{}, place: make([]NodeID, in.pieces), best: inf}
	var given []Hop
	for v := range in.p.Values {
		if val := &in.p.Values[v]; val.Producer == External && val.Output {
			given = append(given, Hop{ValueID(v), in.p.Sink})
		}
	}
	b.each(given, func() {
		if b.t = newTimeline(in, b.codings); b.t.err == nil {
			b.piece(0)
		}
	})
	return b.best, b.found
}

// brute walks over the tree of placements and codings: what a prefix of the pieces leads to is worked out once.
type brute struct {
	in      *instance
	t       *timeline
	codings Codings
	place   []NodeID
	saved   []float64
	best    float64
	found   bool
}

// each calls f under every combination of the hops' codings.
func (b *brute) each(hops []Hop, f func()) {
	if len(hops) == 0 {
		f()
		return
	}
	for c := range b.in.p.Values[hops[0].Value].Codings {
		b.codings[hops[0]] = c
		b.each(hops[1:], f)
	}
	delete(b.codings, hops[0])
}

// piece places piece i everywhere, with every coding of what that makes travel.
func (b *brute) piece(i int) {
	in, t := b.in, b.t
	if i == in.pieces {
		b.leaf()
		return
	}
	c := &in.p.Pieces[i]
	for n := range NodeID(in.nodes) {
		if math.IsInf(in.run[i*in.nodes+int(n)], 1) {
			continue
		}
		b.place[i] = n
		var hops []Hop
		for _, v := range c.In {
			if math.IsNaN(t.ready[int(v)*in.nodes+int(n)]) {
				hops = append(hops, Hop{v, n})
			}
		}
		for _, v := range c.Out {
			if in.p.Values[v].Output && n != in.p.Sink {
				hops = append(hops, Hop{v, in.p.Sink})
			}
		}
		from := b.save()
		b.each(hops, func() {
			if t.run(PieceID(i), n) == nil {
				b.piece(i + 1)
			}
			b.restore(from)
		})
		b.saved = b.saved[:from]
	}
}

// leaf takes the finished timeline where it keeps the limits.
func (b *brute) leaf() {
	if b.in.checkPlace(b.place) != nil {
		return
	}
	plan := b.t.bare(b.place)
	if b.in.limits().Stages > 0 {
		b.t.stages(plan)
	}
	if b.in.withinLimits(plan) == nil && plan.Objective < b.best {
		b.best, b.found = plan.Objective, true
	}
}

// save puts the timeline's state on the stack and returns where it stands.
func (b *brute) save() int {
	t, from := b.t, len(b.saved)
	b.saved = append(append(append(append(b.saved, t.latency, float64(len(t.moves))), t.ready...), t.free...), t.link...)
	return from
}

func (b *brute) restore(from int) {
	t, at := b.t, b.saved[from:]
	t.latency, t.moves = at[0], t.moves[:int(at[1])]
	at = at[2:]
	for _, part := range [][]float64{t.ready, t.free, t.link} {
		at = at[copy(part, at):]
	}
}
