package planner

import "math"

// improveByPairs looks for better plans in which only pieces of two nodes change places, between these two: for each pair of nodes, until none
// has a better plan. What one pair's sweep leaves open is far less than the whole, so that narrow passes find what passes over
// all nodes find only when they are wide; from everything on one node it leads to the best helper first, then to the next. Exchanges
// between two parts at a time are Kernighan and Lin's way to partition graphs (An efficient heuristic procedure for partitioning
// graphs, 1970); here a pair is not improved swap by swap but planned anew.
func (q *search) improveByPairs() {
	if !q.pairs || q.best == nil || q.in.nodes < 3 {
		return
	}
	settled := map[[2]NodeID]float64{}
	for !same(q.settled, q.best.Objective) {
		q.settled = q.best.Objective
		for x := range NodeID(q.in.nodes) {
			for y := x + 1; int(y) < q.in.nodes; y++ {
				if pair := [2]NodeID{x, y}; !same(settled[pair], q.best.Objective) && q.ctx.Err() == nil {
					q.improvePair(x, y)
					settled[pair] = q.best.Objective
				}
			}
		}
	}
}

// same reports whether two objectives are the same sum, perhaps in another order.
func same(a, b float64) bool { return math.Abs(a-b) <= proofSlack*math.Abs(b) }

// improvePair plans the pieces that are on one of two nodes anew, over these two.
func (q *search) improvePair(x, y NodeID) {
	r := q.between(x, y, q.best.Place)
	if r == nil {
		return
	}
	t := q.over(r)
	if t == nil {
		return
	}
	for width := narrow; width <= pairWidth; width *= widen {
		for _, tolerance := range []float64{0, pairTolerance} {
			t = t.reduced()
			if _, complete := t.pass(width, tolerance); complete {
				width = pairWidth
			}
		}
	}
	q.explored, q.first = t.explored, t.first
	if plan := t.upTo(q.sweep); plan.Objective < q.best.Objective*(1-proofSlack) {
		q.best = plan
	}
}

const (
	// pairWidth is the width of a pair's last pass.
	pairWidth = 128
	// pairTolerance is that of a pass that looks for better plans of a pair, beside an exact one of the same width: its labels differ more.
	pairTolerance = 0.02
)

// between is the instance in which pieces on nodes x and y may change between these, and all others stay where they are. It is nil where
// no piece can.
func (s *sweep) between(x, y NodeID, place []NodeID) *reduction {
	in, free := s.in, false
	r := in.unreduced()
	for i := range r.in.p.Pieces {
		c, at := &r.in.p.Pieces[i], place[i]
		for n := range NodeID(in.nodes) {
			if n == at {
				continue
			}
			if (at == x || at == y) && (n == x || n == y) {
				free = free || in.run[i*in.nodes+int(n)] < inf
				continue
			}
			c.Time[n] = inf
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
