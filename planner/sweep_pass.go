package planner

import (
	"math"
	"slices"
)

// trail remembers how a label came to be.
type trail struct {
	before *trail
	node   NodeID
	picks  []pick
}

// pick is a hop that does not use its best coding.
type pick struct {
	hop    Hop
	coding int
}

// label is a partial placement. vec and key are slices of its layer's arenas.
type label struct {
	vec   []float64
	key   []byte // origin of each live value, then the node of each open class
	bound float64
	// debt is by how much, at most, a plan of the labels that this one stands for is better than the same choices made from this one.
	debt  float64
	trail *trail
}

// floor is a lower bound on every plan of the label and of those that it stands for.
func (l *label) floor() float64 { return l.bound - l.debt }

// layer is the labels before one step.
type layer struct {
	labels []label
	vecs   []float64
	keys   []byte
}

func (l *layer) reset() {
	l.labels, l.vecs, l.keys = l.labels[:0], l.vecs[:0], l.keys[:0]
}

// grow takes zeroed room for one more label's vector and key.
func (l *layer) grow(size, key int) ([]float64, []byte) {
	if len(l.vecs)+size > cap(l.vecs) {
		l.vecs = make([]float64, 0, max(1<<14, 2*cap(l.vecs), size))
	}
	if len(l.keys)+key > cap(l.keys) {
		l.keys = make([]byte, 0, max(1<<12, 2*cap(l.keys), key))
	}
	v, k := len(l.vecs), len(l.keys)
	l.vecs, l.keys = l.vecs[:v+size], l.keys[:k+key]
	return l.vecs[v : v+size : v+size], l.keys[k : k+key : k+key]
}

// pass sweeps once over the pieces and keeps at most width labels per step. It returns a lower bound on every plan, and whether
// no label was dropped for width. With a tolerance, plans better by less than that share of the incumbent are not looked for: labels
// stand for others that are better by little, and the bound of a complete pass is the incumbent less that share of the one before, or more.
//
// A limit on stages couples the whole plan, as how pieces join into stages depends on when everything happens: labels only count
// nodes, and one that replaces another may turn out to have too many stages in the end. The pass then bounds nothing above that
// label, and is made again with labels that replace none.
func (s *sweep) pass(width int, tolerance float64) (float64, bool) {
	s.tolerance = tolerance
	bound, complete := s.passOnce(width, true)
	if rejected := s.rejected; s.in.limits().Stages > 0 && rejected < bound {
		again, done := s.passOnce(width, false)
		return max(rejected, again), done
	}
	return bound, complete
}

func (s *sweep) passOnce(width int, dominance bool) (float64, bool) {
	if s.cur == nil {
		s.cur, s.nxt = &layer{}, &layer{}
	}
	complete := true
	s.dropped, s.rejected = inf, inf
	s.cur.reset()
	s.seed()
	for i := range s.in.pieces {
		s.nxt.reset()
		for k := range s.cur.labels {
			if k%labelsPerLook == 0 && s.ctx.Err() != nil {
				s.drop(s.cur.labels)
				return s.dropped, false
			}
			s.expand(i, &s.cur.labels[k])
		}
		s.cur, s.nxt = s.nxt, s.cur
		s.dominate(i+1, dominance)
		if len(s.cur.labels) > width {
			complete = false
			s.drop(s.cur.labels[width:])
			s.cur.labels = s.cur.labels[:width]
		}
	}
	for k := range s.cur.labels {
		l := &s.cur.labels[k]
		if l.debt > 0 {
			s.dropped = min(s.dropped, l.floor())
		}
		s.finish(l)
	}
	if s.best != nil {
		s.dropped = min(s.dropped, s.best.Objective)
	}
	return s.dropped, complete
}

// labelsPerLook is how many labels are expanded between two looks at the clock.
const labelsPerLook = 256

// drop gives labels up: the pass bounds nothing above them.
func (s *sweep) drop(labels []label) {
	for k := range labels {
		s.dropped = min(s.dropped, labels[k].floor())
	}
}

// hopeless reports whether nothing that a pass looks for can come of a label, which then counts as dropped.
func (s *sweep) hopeless(l *label) bool {
	if s.best == nil || l.bound < s.best.Objective*(1-1e-13) && l.floor() < s.best.Objective*(1-s.tolerance) {
		return false
	}
	s.dropped = min(s.dropped, l.floor())
	return true
}

// seed makes the one label before the first piece.
func (s *sweep) seed() {
	in, y := s.in, &s.steps[0]
	vec, key := s.cur.grow(y.size, len(y.live)+len(y.classes)+s.tail)
	for k := range vec {
		vec[k] = 0
	}
	for k, v := range y.live {
		for n := range in.nodes {
			vec[y.ready+k*in.nodes+n] = inf
		}
		for _, n := range in.at(v) {
			vec[y.ready+k*in.nodes+int(n)] = 0
		}
	}
	for k := range key {
		key[k] = 0
	}
	root := label{vec: vec, key: key}
	// Inputs that are outputs too go to the sink at once, in the order of values.
	var todo []delivery
	for v := range in.p.Values {
		if val := &in.p.Values[v]; val.Producer == External && val.Output && !slices.Contains(in.at(ValueID(v)), in.p.Sink) {
			todo = append(todo, delivery{ValueID(v), 0, in.p.Sink})
		}
	}
	if len(todo) == 0 {
		s.cur.labels = append(s.cur.labels, root)
		return
	}
	s.combine(todo, func(chosen []option) {
		v, k := s.cur.grow(y.size, len(key))
		copy(v, vec)
		copy(k, key)
		l := label{vec: v, key: k, trail: &trail{node: -1, picks: s.picks(todo, chosen)}}
		for j, o := range chosen {
			s.carry(y, &l, todo[j], o)
		}
		s.cur.labels = append(s.cur.labels, l)
	})
}

// delivery is a hop that has to be made.
type delivery struct {
	value      ValueID
	origin, to NodeID
}

// combine calls f with every combination of options of the deliveries, or never when one has none.
func (s *sweep) combine(todo []delivery, f func([]option)) {
	chosen := make([]option, len(todo))
	var rec func(int)
	rec = func(k int) {
		if k == len(todo) {
			f(chosen)
			return
		}
		d := todo[k]
		for _, o := range s.options.rows[s.options.row(d.value, d.origin, d.to)] {
			chosen[k] = o
			rec(k + 1)
		}
	}
	rec(0)
}

// expand places piece i on every node that may run it.
func (s *sweep) expand(i int, l *label) {
	in, y, z := s.in, &s.steps[i], &s.steps[i+1]
	piece := &in.p.Pieces[i]
	only := NodeID(-1)
	if piece.Class != 0 {
		if k := slices.Index(y.classes, piece.Class); k >= 0 {
			only = NodeID(l.key[len(y.live)+k])
		}
	}
	var todo []delivery
	for n := range in.nodes {
		if math.IsInf(in.run[i*in.nodes+n], 1) || (only >= 0 && NodeID(n) != only) {
			continue
		}
		todo = todo[:0]
		for _, v := range piece.In {
			k := y.index[v]
			if math.IsInf(l.vec[y.ready+k*in.nodes+n], 1) {
				todo = append(todo, delivery{v, NodeID(l.key[k]), NodeID(n)})
			}
		}
		inputs := len(todo)
		if NodeID(n) != in.p.Sink {
			for _, v := range piece.Out {
				if in.p.Values[v].Output {
					todo = append(todo, delivery{v, NodeID(n), in.p.Sink})
				}
			}
		}
		if len(todo) == 0 {
			s.step(i, y, z, l, NodeID(n), nil, nil, 0)
			continue
		}
		s.combine(todo, func(chosen []option) { s.step(i, y, z, l, NodeID(n), todo, chosen, inputs) })
	}
}

// step appends the label that l becomes when piece i runs on node n after the given deliveries; the first `inputs` of them
// bring its inputs, the others take its outputs to the sink.
func (s *sweep) step(i int, y, z *layout, l *label, n NodeID, todo []delivery, chosen []option, inputs int) {
	s.explored++
	if s.tail > 0 && !mayFollow(l.key[len(l.key)-s.tail:], n, s.follow[:]) {
		return
	}
	scratch := label{vec: s.scratch(y.size), key: l.key}
	copy(scratch.vec, l.vec)
	for k := range inputs {
		s.carry(y, &scratch, todo[k], chosen[k])
	}
	vec, key := s.nxt.grow(z.size, len(z.live)+len(z.classes)+s.tail)
	s.transfer(i, y, z, &scratch, n, vec, key)
	copy(key[len(key)-s.tail:], s.follow[:])
	child := label{vec: vec, key: key}
	s.run(i, y, z, &scratch, n, &child)
	for k := inputs; k < len(todo); k++ {
		s.carryNew(z, &child, todo[k], chosen[k])
	}
	if !s.allowed(z, &child) {
		s.shrink(z.size, len(key))
		return
	}
	s.clamp(i+1, z, &child)
	child.bound = max(l.bound, s.boundOf(i+1, z, &child))
	child.debt = l.debt
	if s.hopeless(&child) {
		s.shrink(z.size, len(key))
		return
	}
	child.trail = &trail{before: l.trail, node: n, picks: s.picks(todo, chosen)}
	s.nxt.labels = append(s.nxt.labels, child)
}

// picks are the hops among the deliveries that do not use their best coding.
func (s *sweep) picks(todo []delivery, chosen []option) []pick {
	var out []pick
	for k, o := range chosen {
		d := todo[k]
		if best := s.options.rows[s.options.row(d.value, d.origin, d.to)]; o.hop.coding != best[0].hop.coding {
			out = append(out, pick{Hop{d.value, d.to}, o.hop.coding})
		}
	}
	return out
}

func (s *sweep) shrink(size, key int) {
	s.nxt.vecs = s.nxt.vecs[:len(s.nxt.vecs)-size]
	s.nxt.keys = s.nxt.keys[:len(s.nxt.keys)-key]
}

func (s *sweep) scratch(size int) []float64 {
	if cap(s.room) < size {
		s.room = make([]float64, 2*size)
	}
	return s.room[:size]
}
