package planner

import "slices"

// search is a sweep in passes of growing width, over what reductions leave of the problem, until its plan is proven or the time is over.
type search struct {
	*sweep
	bound float64 // no plan is below it
	rough float64 // tolerance of the next pass that has one
	exact bool    // whether a pass saw every plan that could be better
	// nearby asks for better plans near the incumbent, which sums do not need; found is called for each. settled is the objective of the one
	// that has no better plan in its neighbourhoods.
	nearby  bool
	found   func()
	settled float64
}

// newSearch starts from a sweep and its incumbent.
func newSearch(s *sweep, nearby bool) *search {
	q := &search{sweep: s, bound: s.rootBound(), rough: firstTolerance, nearby: nearby && s.tail == 0 && !additive(s.in.p.Objective), found: func() {}}
	q.reduce()
	return q
}

const (
	// narrow is the width of the first pass, which finds a plan; every pass is widen times as wide as the one before, up to wide. What is not
	// solved by then gets all the width there is: rough passes take what they need, and one that falls short is of little use.
	narrow = 16
	widen  = 8
	wide   = 1024
	// plain is up to which width passes without tolerance are made even if those with one have more to do: they are quick, and find plans.
	plain = 128
	// Tolerances of passes that only narrow the gap, as shares of the incumbent.
	firstTolerance = 0.045
	leastTolerance = 0.002
	finer          = 1.5
)

// wider is the width that follows another, last being the most.
func wider(width, last int) int {
	if width *= widen; width > wide {
		return last
	}
	return min(width, last)
}

// done reports whether there is nothing left to look for, or no time.
func (q *search) done() bool { return q.exact || q.closed(q.bound) || q.ctx.Err() != nil }

// proven is what is known to bound every plan.
func (q *search) proven() float64 {
	switch {
	case q.best == nil:
		return q.bound
	case q.exact || q.closed(q.bound):
		return q.best.Objective
	}
	return min(q.bound, q.best.Objective)
}

// widen makes the passes of one width. First come rough ones, that leave plans for later which are better by little, ever less, as long as
// they are complete within the width. An exact one follows where it is quick or the last, or where rough ones had nothing left to do.
func (q *search) widen(width int, last bool) {
	if width > narrow {
		q.improve()
	}
	fine := q.rough < leastTolerance
	for ; q.rough >= leastTolerance && !q.done(); q.rough /= finer {
		if q.gap() > q.rough && !q.roughly(width) {
			break
		}
	}
	if (fine || width <= plain || last) && !q.done() {
		var b float64
		b, q.exact = q.pass(width, 0)
		q.bound = max(q.bound, b)
	}
}

// roughly makes a pass that leaves better plans by little for later, and reports whether it was complete.
func (q *search) roughly(width int) bool {
	b, complete := q.pass(width, q.rough)
	q.bound = max(q.bound, b)
	return complete
}

// adopt takes a plan of the instance before all reductions where it is better than the incumbent, and goes on from the last of the reductions
// that keep it.
func (q *search) adopt(plan *Plan) {
	if q.best != nil && plan.Objective >= q.best.Objective {
		return
	}
	chain := []*sweep{q.sweep}
	for s := q.sweep; s.outer != nil; s = s.outer {
		chain = append(chain, s.outer)
	}
	at := chain[len(chain)-1]
	for _, next := range slices.Backward(chain[:len(chain)-1]) {
		if next.via.place != nil {
			break // it was made for another plan, and moves it
		}
		inner, err := next.via.shrink(plan)
		if err != nil {
			break
		}
		at, plan = next, inner
	}
	at.best, at.first, at.explored = nil, q.first, q.explored
	at.offer(plan)
	q.sweep = at
	q.reduce()
}

// reduce goes on with the smaller instance that what is known by now allows.
func (q *search) reduce() { q.sweep = q.reduced() }

// gap is the share of the incumbent by which the bound lies below it.
func (q *search) gap() float64 {
	if q.best == nil || q.best.Objective <= 0 {
		return 0
	}
	return 1 - q.bound/q.best.Objective
}
