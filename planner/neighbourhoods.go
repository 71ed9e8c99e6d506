package planner

import "math"

// improve looks for better plans near the incumbent, by planning anew what a neighbourhood leaves open, until no neighbourhood has a better
// plan: large neighbourhood search (Shaw, Using constraint programming and local search methods to solve vehicle routing problems,
// 1998). So little is open in a neighbourhood that narrow passes find there what passes over everything find only when they are wide.
//
// Pairs of nodes come first, until they are settled: pieces on two nodes may change between these, however many they are. From everything
// on one node this leads to the best helper, then to the next. Then windows take their turn with them: neighbouring pieces may go to any node.
func (q *search) improve() {
	if !q.nearby || q.best == nil || q.in.nodes < 3 || same(q.settled, q.best.Objective) {
		return
	}
	pairs := q.pairs()
	q.settle(pairs)
	q.settle(append(pairs, q.windows()...))
	q.settled = q.best.Objective
}

// settle plans anew in each neighbourhood in turn until none has a better plan.
func (q *search) settle(hoods []neighbourhood) {
	settled := make([]float64, len(hoods))
	for before := 0.0; !same(before, q.best.Objective); {
		before = q.best.Objective
		for k, open := range hoods {
			if !same(settled[k], q.best.Objective) && q.ctx.Err() == nil {
				q.improveWithin(open)
				settled[k] = q.best.Objective
			}
		}
	}
}

// same reports whether two objectives are the same sum, perhaps in another order.
func same(a, b float64) bool { return math.Abs(a-b) <= proofSlack*math.Abs(b) }

// neighbourhood reports whether piece i, now on node `now`, may go to another node.
type neighbourhood func(i int, now, to NodeID) bool

func (q *search) pairs() []neighbourhood {
	var out []neighbourhood
	for x := range NodeID(q.in.nodes) {
		for y := x + 1; int(y) < q.in.nodes; y++ {
			out = append(out, func(_ int, now, to NodeID) bool { return (now == x || now == y) && (to == x || to == y) })
		}
	}
	return out
}

func (q *search) windows() []neighbourhood {
	var out []neighbourhood
	length := max(leastWindow, q.in.pieces/windowShare)
	for from := -length / 2; from < q.in.pieces-length/2; from += length / windowOverlap {
		out = append(out, func(i int, _, _ NodeID) bool { return from <= i && i < from+length })
	}
	return out
}

// improveWithin plans anew what the neighbourhood leaves open.
func (q *search) improveWithin(open neighbourhood) {
	r := q.around(open)
	if r == nil {
		return
	}
	t := q.over(r)
	if t == nil {
		return
	}
	for width := narrow; width <= nearbyWidth; width *= widen {
		for _, tolerance := range []float64{0, nearbyTolerance} {
			t = t.reduced()
			if _, complete := t.pass(width, tolerance); complete {
				width = nearbyWidth
			}
		}
	}
	q.explored, q.first = t.explored, t.first
	if plan := t.upTo(q.sweep); plan.Objective < q.best.Objective*(1-proofSlack) {
		q.best = plan
		q.found()
	}
}

const (
	// nearbyWidth is the width of a neighbourhood's last pass.
	nearbyWidth = 128
	// nearbyTolerance is that of a pass that looks for plans beside an exact one of the same width: its labels differ more.
	nearbyTolerance = 0.02
	// A window is a windowShare-th part of the pieces, but has at least leastWindow; each piece is in windowOverlap of them.
	windowShare   = 4
	windowOverlap = 4
	leastWindow   = 16
)

// around is the instance in which pieces stay where the incumbent has them unless the neighbourhood opens other nodes to them. It is nil
// where it opens none, and where it opens all.
func (s *sweep) around(open neighbourhood) *reduction {
	in, m := s.in, s.in.nodes
	places := make([]bool, in.pieces*m)
	for k := range places {
		now, n := s.best.Place[k/m], NodeID(k%m)
		places[k] = n == now || open(k/m, now, n)
	}
	r := in.keeping(places)
	if r == nil {
		return nil
	}
	r.dropNodes()
	r.mergeFixed()
	if _, err := prepare(r.in); err != nil {
		return nil
	}
	return r
}
