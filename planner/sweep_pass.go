package planner

import (
	"runtime"
	"slices"
	"sync"
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
	mass  float64 // orders the labels before they are compared
	// debt is by how much, at most, a plan of the labels that this one stands for is better than the same choices made from this one.
	debt float64
	// trail leads to the last piece's node and picks, once the label is kept; until then before leads to those of the piece before.
	trail, before *trail
	node          NodeID
	picks         []pick
	hash          uint32 // of key
	born          int    // orders the labels of a step alike, whoever made them
}

// floor is a lower bound on every plan of the label and of those that it stands for.
func (l *label) floor() float64 { return l.bound - l.debt }

// layer is labels of one step, with the room that they take.
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

// shrink gives the room of the last label back.
func (l *layer) shrink(size, key int) {
	l.vecs, l.keys = l.vecs[:len(l.vecs)-size], l.keys[:len(l.keys)-key]
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
	complete := true
	s.aim()
	s.dropped, s.rejected = s.worth, inf
	s.seed()
	for i := range s.in.pieces {
		if !s.expandAll(i) {
			s.drop(s.labels)
			return s.dropped, false
		}
		s.dominate(i+1, dominance)
		if len(s.labels) > width {
			complete = false
			s.drop(s.labels[width:])
			s.labels = s.labels[:width]
		}
		for k := range s.labels {
			l := &s.labels[k]
			l.trail, l.picks = &trail{before: l.before, node: l.node, picks: l.picks}, nil
		}
	}
	for k := range s.labels {
		l := &s.labels[k]
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

// expandAll replaces the labels of step i by those of the next one. It reports whether it came to the end before the time was over.
func (s *sweep) expandAll(i int) bool {
	crew := s.crewFor(len(s.labels))
	done := make([]bool, crew)
	s.together(crew, func(w int) {
		e := s.crew[w]
		e.turn(i + 1)
		for from := w * labelsPerLook; from < len(s.labels); from += crew * labelsPerLook {
			if s.ctx.Err() != nil {
				return
			}
			for k := from; k < min(from+labelsPerLook, len(s.labels)); k++ {
				e.expand(i, &s.labels[k], k)
			}
		}
		done[w] = true
	})
	if slices.Contains(done, false) {
		return false
	}
	s.labels = s.labels[:0]
	for _, e := range s.crew[:crew] {
		s.labels = append(s.labels, e.out.labels...)
		s.explored += e.explored
		e.explored = 0
	}
	return true
}

// crewFor is how many expanders so many labels are worth; all of them are there.
func (s *sweep) crewFor(labels int) int {
	crew := min(runtime.GOMAXPROCS(0), maxCrew, 1+labels/labelsPerExpander)
	for len(s.crew) < crew {
		s.crew = append(s.crew, &expander{s: s, hot: make([]int, len(s.steps))})
	}
	return crew
}

// together calls f for each of the crew and waits for all.
func (s *sweep) together(crew int, f func(w int)) {
	var others sync.WaitGroup
	for w := 1; w < crew; w++ {
		others.Go(func() { f(w) })
	}
	f(0)
	others.Wait()
}

const (
	// labelsPerLook is how many labels an expander takes at a time, and expands between two looks at the clock.
	labelsPerLook = 64
	// labelsPerExpander is how many labels make one more expander worth waking.
	labelsPerExpander = 256
	// maxCrew is how many expanders there are at most: on a node they work beside requests.
	maxCrew = 4
)

// drop gives labels up: the pass bounds nothing above them.
func (s *sweep) drop(labels []label) {
	for k := range labels {
		s.dropped = min(s.dropped, labels[k].floor())
	}
}

// aim sets what a pass looks for.
func (s *sweep) aim() {
	s.enough, s.worth = inf, inf
	if s.best != nil {
		s.enough, s.worth = s.best.Objective*(1-1e-13), s.best.Objective*(1-s.tolerance)
	}
}

// hopelessFrom is the bound from which on nothing that a pass looks for can come of a label in such debt.
func (s *sweep) hopelessFrom(debt float64) float64 { return min(s.enough, s.worth+debt) }

// seed makes the labels before the first piece: one, or several where inputs can be brought to the sink in several ways.
func (s *sweep) seed() {
	in, y := s.in, &s.steps[0]
	s.crewFor(1)
	e := s.crew[0]
	e.turn(0)
	e.todo = e.todo[:0]
	// Inputs that are outputs too go to the sink at once, in the order of values.
	for v := range in.p.Values {
		if val := &in.p.Values[v]; val.Producer == External && val.Output && !slices.Contains(in.at(ValueID(v)), in.p.Sink) {
			e.todo = append(e.todo, delivery{value: ValueID(v), to: in.p.Sink, into: slices.Index(y.live, ValueID(v))})
		}
	}
	e.combine(func() {
		vec, key := e.out.grow(y.size, len(y.live)+len(y.classes)+s.tail)
		clear(vec)
		clear(key)
		for k, held := range y.held {
			if !held {
				vec[y.ready+k] = inf
			}
		}
		l := label{vec: vec, key: key}
		for j := range e.todo {
			s.deliver(y, &l, &e.todo[j], &e.chosen[j], 0)
		}
		if len(e.todo) > 0 {
			l.trail = &trail{node: -1, picks: s.picks(e.todo, e.chosen)}
		}
		e.out.labels = append(e.out.labels, l)
	})
	s.labels = append(s.labels[:0], e.out.labels...)
}
