package planner

import "math"

// improve looks for better plans near the incumbent, by planning anew what a neighbourhood leaves open, until no neighbourhood has a better
// plan: large neighbourhood search (Shaw, Using constraint programming and local search methods to solve vehicle routing problems,
// 1998). So little is open in a neighbourhood that narrow passes find there what passes over everything find only when they are wide.
//
// Pairs of nodes come first: pieces on two nodes may change between these, however many they are. From everything on one node this
// leads to the best helper, then to the next. Then come windows: neighbouring pieces may go to any node.
func (q *search) improve() {
	if !q.nearby || q.best == nil || q.in.nodes < 3 {
		return
	}
	hoods := q.neighbourhoods()
	settled := make([]float64, len(hoods))
	for !same(q.settled, q.best.Objective) {
		q.settled = q.best.Objective
		for k, open := range hoods {
			if same(settled[k], q.best.Objective) || q.ctx.Err() != nil {
				continue
			}
			q.improveWithin(open)
			settled[k] = q.best.Objective
		}
	}
}

// same reports whether two objectives are the same sum, perhaps in another order.
func same(a, b float64) bool { return math.Abs(a-b) <= proofSlack*math.Abs(b) }

// neighbourhood reports whether piece i, now on node `now`, may go to another node.
type neighbourhood func(i int, now, to NodeID) bool

func (q *search) neighbourhoods() []neighbourhood {
	var out []neighbourhood
	for x := range NodeID(q.in.nodes) {
		for y := x + 1; int(y) < q.in.nodes; y++ {
			out = append(out, func(_ int, now, to NodeID) bool { return (now == x || now == y) && (to == x || to == y) })
		}
	}
	window := max(leastWindow, q.in.pieces/windows)
	for from := -window / 2; from < q.in.pieces; from += window / 2 {
		out = append(out, func(i int, _, _ NodeID) bool { return from <= i && i < from+window })
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
	// windows is how many windows would cover the pieces side by side; twice as many overlap. leastWindow is a window's least length.
	windows     = 4
	leastWindow = 16
)

// around is the instance in which pieces stay where the incumbent has them unless the neighbourhood opens other nodes to them. It is nil
// where it opens none.
func (s *sweep) around(open neighbourhood) *reduction {
	in, free := s.in, false
	r := in.unreduced()
	for i := range r.in.p.Pieces {
		now := s.best.Place[i]
		for n := range NodeID(in.nodes) {
			switch {
			case n == now:
			case open(i, now, n):
				free = free || in.run[i*in.nodes+int(n)] < inf
			default:
				r.in.p.Pieces[i].Time[n] = inf
			}
		}
	}
	if !free {
		return nil
	}
	r.dropNodes()
	r.mergeFixed()
	if _, err := prepare(r.in); err != nil {
		return nil
	}
	return r
}
