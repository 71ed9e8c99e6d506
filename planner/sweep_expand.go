package planner

import (
	"math"
	"slices"
)

// expander places the next piece for some of a step's labels. Several work side by side; each has its own room, and none changes the sweep.
type expander struct {
	s *sweep
	// layers hold the labels made in this step and those of the step before, in turn.
	layers [2]layer
	out    *layer
	todo   []delivery
	chosen []option
	follow [pipelineKey]byte
	reach  []float64
	next   []float64
	// Of the queues in a bound: when nodes and links are free and values are there; where a piece may be, and a value may be needed.
	free, link, sent []float64
	may, loose       []bool
	hot              []int // per step, the piece of the frontier that last made a label hopeless
	order            []int // labels to compare, then those kept
	born             int   // of the next label
	explored         int
}

// delivery is a hop that has to be made.
type delivery struct {
	value      ValueID
	origin, to NodeID
	from       int // where the value stands in the layout before the piece, -1 for its own outputs
	into       int // where it stands in the layout after it, -1 where nothing needs it any more
}

// turn makes room for the labels of the next step.
func (e *expander) turn(step int) {
	e.out = &e.layers[step%len(e.layers)]
	e.out.reset()
}

// childrenPerLabel is more than the labels that can come of one.
const childrenPerLabel = 1 << 24

// expand places piece i on every node that may run it, for the k-th label of the step.
func (e *expander) expand(i int, l *label, k int) {
	s, in := e.s, e.s.in
	y, z, m := &s.steps[i], &s.steps[i+1], in.nodes
	piece := &in.p.Pieces[i]
	e.born = k * childrenPerLabel
	only := NodeID(-1)
	if piece.Class != 0 {
		if k := slices.Index(y.classes, piece.Class); k >= 0 {
			only = NodeID(l.key[len(y.live)+k])
		}
	}
	for n := range NodeID(m) {
		if math.IsInf(in.run[i*m+int(n)], 1) || (only >= 0 && n != only) {
			continue
		}
		e.todo = e.todo[:0]
		for j, v := range piece.In {
			if at := y.inputs[j]; math.IsInf(l.vec[y.ready+at*m+int(n)], 1) {
				e.todo = append(e.todo, delivery{v, NodeID(l.key[at]), n, at, z.read[j]})
			}
		}
		if n != in.p.Sink {
			for j, v := range piece.Out {
				if in.p.Values[v].Output {
					e.todo = append(e.todo, delivery{v, n, in.p.Sink, -1, z.fresh[j]})
				}
			}
		}
		e.combine(func() { e.step(i, y, z, l, n) })
	}
}

// combine calls f with every combination of options of the deliveries in e.chosen, or never when one has none.
func (e *expander) combine(f func()) {
	if cap(e.chosen) < len(e.todo) {
		e.chosen = make([]option, 2*len(e.todo))
	}
	e.chosen = e.chosen[:len(e.todo)]
	e.combineFrom(0, f)
}

func (e *expander) combineFrom(k int, f func()) {
	if k == len(e.todo) {
		f()
		return
	}
	d, t := &e.todo[k], e.s.options
	for _, o := range t.rows[t.row(d.value, d.origin, d.to)] {
		e.chosen[k] = o
		e.combineFrom(k+1, f)
	}
}

// step appends the label that l becomes when piece i runs on node n after the chosen deliveries.
func (e *expander) step(i int, y, z *layout, l *label, n NodeID) {
	s := e.s
	e.explored++
	e.born++
	if s.tail > 0 && !mayFollow(l.key[len(l.key)-s.tail:], n, e.follow[:]) {
		return
	}
	here := 0.0
	if y.free >= 0 {
		here = startHere(y, l, n, s.in.nodes)
	}
	if s.in.p.Objective == Latency && e.soonest(y, l, n, here)+s.tails[i*s.in.nodes+int(n)] >= s.hopelessFrom(l.debt) {
		return
	}
	vec, key := e.out.grow(z.size, len(z.live)+len(z.classes)+s.tail)
	s.transfer(y, z, l, n, vec, key)
	copy(key[len(key)-s.tail:], e.follow[:])
	child := label{vec: vec, key: key, bound: inf, debt: l.debt, before: l.trail, node: n, born: e.born}
	e.run(i, y, z, l, n, here, &child)
	if s.allowed(z, &child) {
		child.bound = max(l.bound, e.boundOf(i+1, z, &child))
	}
	if child.bound >= s.hopelessFrom(child.debt) {
		e.out.shrink(z.size, len(key))
		return
	}
	e.clamp(i+1, z, &child)
	child.mass, child.hash = s.massOf(z, &child), hashOf(key)
	child.picks = s.picks(e.todo, e.chosen)
	e.out.labels = append(e.out.labels, child)
}

// startHere is when node n is free and the inputs of the next piece that are there already are there.
func startHere(y *layout, l *label, n NodeID, nodes int) float64 {
	start := l.vec[y.free+int(n)]
	for _, at := range y.inputs {
		if ready := l.vec[y.ready+at*nodes+int(n)]; ready < inf {
			start = max(start, ready)
		}
	}
	return start
}

// soonest is a time before which the next piece cannot start on node n after the chosen deliveries, as if none waited for another.
func (e *expander) soonest(y *layout, l *label, n NodeID, here float64) float64 {
	m := e.s.in.nodes
	for j := range e.todo {
		if d, o := &e.todo[j], &e.chosen[j]; d.from >= 0 {
			_, arrival := o.hop.send(l.vec[y.ready+d.from*m+int(o.from)], l.vec[y.link+int(o.from)*m+int(n)])
			here = max(here, arrival)
		}
	}
	return here
}

// transfer copies what stays from layout y to z.
func (s *sweep) transfer(y, z *layout, l *label, n NodeID, vec []float64, key []byte) {
	m := s.in.nodes
	for k, j := range z.kept {
		if j >= 0 {
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

// run books piece i on node n in the child of label l, and the chosen deliveries of what it reads and makes. start is when the piece could
// start without these.
func (e *expander) run(i int, y, z *layout, l *label, n NodeID, start float64, child *label) {
	in, m := e.s.in, e.s.in.nodes
	piece, k := &in.p.Pieces[i], i*m+int(n)
	for j := range e.todo {
		if d := &e.todo[j]; d.from >= 0 {
			start = max(start, e.s.deliver(z, child, d, &e.chosen[j], l.vec[y.ready+d.from*m+int(e.chosen[j].from)]))
		}
	}
	end := 0.0
	if z.free >= 0 {
		end = start + in.run[k]
		child.vec[z.free+int(n)] = end
		child.vec[z.latency] = max(child.vec[z.latency], end)
	}
	for _, at := range z.fresh {
		if at >= 0 {
			child.vec[z.ready+at*m+int(n)] = end
		}
	}
	for j := range e.todo {
		if d := &e.todo[j]; d.from < 0 {
			e.s.deliver(z, child, d, &e.chosen[j], end)
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

// deliver books a hop of a value that is ready at the sending node at the given time, and returns its arrival.
func (s *sweep) deliver(z *layout, l *label, d *delivery, o *option, at float64) float64 {
	m := s.in.nodes
	w, link := &o.hop, int(o.from)*m+int(d.to)
	arrival := 0.0
	if z.link >= 0 {
		l.vec[z.link+link], arrival = w.send(at, l.vec[z.link+link])
	}
	if z.busy >= 0 {
		l.vec[z.busy+int(o.from)] += w.encode
		l.vec[z.busy+int(d.to)] += w.decode
		l.vec[z.wires+link] += w.wire
	}
	if z.energy >= 0 {
		l.vec[z.energy] += w.joules
	}
	if z.price >= 0 {
		l.vec[z.price] += w.price
	}
	if z.loss >= 0 {
		l.vec[z.loss] += w.loss
	}
	if d.into >= 0 {
		l.vec[z.ready+d.into*m+int(d.to)] = arrival
	}
	if z.latency >= 0 && s.in.p.Values[d.value].Output && d.to == s.in.p.Sink {
		l.vec[z.latency] = max(l.vec[z.latency], arrival)
	}
	return arrival
}

// hashOf is FNV-1a.
func hashOf(key []byte) uint32 {
	h := uint32(2166136261)
	for _, b := range key {
		h = (h ^ uint32(b)) * 16777619
	}
	return h ^ h>>16
}

// massOf is no more for a label than for one that it can replace: the sum of its times, or its bound where times do not decide. What is
// nowhere yet counts as if it were late, when it is known what that is.
func (s *sweep) massOf(z *layout, l *label) float64 {
	if z.soft == 0 {
		return l.bound
	}
	late := 0.0
	if s.best != nil {
		late = s.best.Objective
	}
	sum := 0.0
	for _, t := range l.vec[:z.soft] {
		if t == inf {
			t = late
		}
		sum += t
	}
	return sum
}

// picks are the hops among the deliveries that do not use their best coding.
func (s *sweep) picks(todo []delivery, chosen []option) []pick {
	var out []pick
	for k := range todo {
		d, o := &todo[k], &chosen[k]
		if best := s.options.rows[s.options.row(d.value, d.origin, d.to)]; o.hop.coding != best[0].hop.coding {
			out = append(out, pick{Hop{d.value, d.to}, o.hop.coding})
		}
	}
	return out
}
