package planner

import "slices"

// relaxation is the problem of a search without its limits, and without the pieces that read nothing, which is far easier: few codings and
// few numbers per label matter then. Its bound holds for the problem, and a plan of it that keeps the limits is an incumbent, often
// already the best. Where its codings lose too much together, loss is charged for.
type relaxation struct {
	in     *instance
	strict *search
	free   *search // nil before the first passes, and where there is nothing to relax
	width  int     // of the next passes of free
	// open reports that it is what is still open without limits that keeps plan and bound apart, more than the limits do.
	open bool
}

// canRelax reports whether there is anything to relax.
func (in *instance) canRelax() bool {
	return !in.relaxed && (in.p.Limits != (Limits{}) || slices.Contains(dimensionsOf(in).memory, true) || in.hasOrphans())
}

// widen makes passes up to the given width and takes over what they find.
func (r *relaxation) widen(width, last int) {
	q := r.strict
	if r.free == nil && r.in.canRelax() {
		r.begin(min(narrow, width), last)
	}
	if r.free == nil {
		return
	}
	r.give(r.free)
	r.run(r.free, r.width, width, last)
	r.width = wider(width, last)
	if r.free.best == nil {
		return
	}
	bound, free := r.free.proven(), r.free.best
	q.bound = max(q.bound, bound)
	if q.best == nil {
		return
	}
	r.open = free.Objective-bound > q.best.Objective-free.Objective
	if !r.open {
		r.dual(width, last)
	}
}

// begin makes the first passes without limits. Where they do not end the search, it looks for better plans near the best one on a single
// node, which leads to better ones than where the passes have come to.
func (r *relaxation) begin(width, last int) {
	if r.free = r.search(0); r.free == nil {
		return
	}
	r.give(r.free)
	r.run(r.free, width, width, last)
	r.width = wider(width, last)
	if r.free.done() {
		return
	}
	fresh := r.search(0)
	fresh.improve()
	if fresh.best != nil {
		r.free.adopt(fresh.whole())
	}
	r.dual(0, last)
}

// dual looks for the charge per unit of loss under which the least latency plus charge, less the charge of the budget, is largest:
// a bound on every plan that keeps the budget (Lagrangian relaxation). The next charge is the one under which the best plans known
// above and below the budget cost the same (Handler and Zang, A dual algorithm for the constrained shortest path problem, 1980).
// With width 0 it only looks for plans, near the known one.
func (r *relaxation) dual(width, last int) {
	q, budget := r.strict, r.in.p.Limits.Loss
	free := r.free.best
	if q.best == nil || free == nil || budget == 0 || r.in.p.Objective != Latency || free.Cost.Loss <= budget {
		return
	}
	over, under := spent{free.Objective, free.Cost.Loss}, spent{q.best.Objective, q.best.Cost.Loss}
	for range maxCharges {
		if width == 0 && q.best.Objective < free.Objective*(1+worthCharging) {
			return
		}
		charge := (under.latency - over.latency) / (over.loss - under.loss)
		if charge <= 0 || q.done() {
			return
		}
		c := r.search(charge)
		if c == nil {
			return
		}
		r.give(c)
		if width > 0 {
			r.run(c, min(narrow, width), width, last)
		} else {
			c.settle(c.pairs())
		}
		if c.best == nil {
			return
		}
		q.bound = max(q.bound, c.proven()-charge*budget)
		if c.best.Objective >= (under.latency+charge*under.loss)*(1-proofSlack) {
			return
		}
		if now := (spent{c.best.Objective - charge*c.best.Cost.Loss, c.best.Cost.Loss}); now.loss > budget {
			over = now
		} else {
			under = now
		}
	}
}

// spent is what a plan takes in seconds and accuracy.
type spent struct{ latency, loss float64 }

const (
	// maxCharges is how many charges are tried at most; the best is mostly among the first few.
	maxCharges = 12
	// worthCharging is by how much the limits have to cost time for plans to be looked for under charges before anything is proven.
	worthCharging = 0.01
)

// search prepares a search without limits, under a charge for loss. It is nil where the problem has no plan even so.
func (r *relaxation) search(charge float64) *search {
	q := r.strict
	easy, _ := r.in.withoutOrphans()
	loose, err := prepare(&instance{p: easy, relaxed: true, charge: charge})
	if err != nil {
		return nil
	}
	s := newSweep(q.ctx, loose)
	s.begin, s.tail = q.begin, q.tail
	s.best, _ = loose.incumbent()
	c := newSearch(s, true)
	c.found = func() { r.take(c) }
	return c
}

// give tells a search without limits of the strict one's plan.
func (r *relaxation) give(c *search) {
	if r.strict.best == nil {
		return
	}
	known := r.strict.whole()
	if plan, err := c.outermost().in.evaluate(known.Place, known.Codings()); err == nil {
		c.adopt(plan)
	}
}

// run makes the passes of a search of widths from one to another, and takes over its plans.
func (r *relaxation) run(c *search, from, to, last int) {
	for width := from; !c.done(); width = min(wider(width, last), to) {
		c.widen(width, width == last)
		c.reduce()
		r.take(c)
		if width == to {
			return
		}
	}
}

// take offers the strict search the plan of one without limits, its codings changed where they lose too much together.
func (r *relaxation) take(c *search) {
	in, q := r.in, r.strict
	q.explored, c.explored = q.explored+c.explored, 0
	if c.best == nil {
		return
	}
	plan := c.whole()
	codings, place := plan.Codings(), slices.Clone(plan.Place)
	_, orphans := in.withoutOrphans()
	for _, i := range orphans {
		for _, v := range in.p.Pieces[i].Out {
			if c := in.p.Values[v].Consumers; len(c) > 0 && in.run[i*in.nodes+int(place[c[0]])] < inf {
				place[i] = place[c[0]]
			}
		}
	}
	if q.tail > 0 && !contiguous(place) {
		return
	}
	strict, err := in.evaluate(place, codings)
	if err != nil {
		strict = in.afford(place, codings)
	}
	if strict != nil {
		q.adopt(strict)
	}
}

// hasOrphans reports whether some piece reads nothing: a constant that the model makes as it runs.
func (in *instance) hasOrphans() bool {
	return slices.ContainsFunc(in.p.Pieces, func(c Piece) bool { return len(c.In) == 0 && len(c.Out) > 0 })
}

// withoutOrphans is the problem with the pieces that read nothing done at once and everywhere, for nothing; and those pieces. They
// could start at any time, which keeps labels apart that are alike in all that matters.
func (in *instance) withoutOrphans() (*Problem, []int) {
	if !in.hasOrphans() || in.p.Objective != Latency {
		return in.p, nil
	}
	p := *in.p
	p.Pieces, p.Values = slices.Clone(p.Pieces), slices.Clone(p.Values)
	everywhere := make([]NodeID, in.nodes)
	for n := range everywhere {
		everywhere[n] = NodeID(n)
	}
	var orphans []int
	for i := range p.Pieces {
		c := &p.Pieces[i]
		if len(c.In) > 0 || len(c.Out) == 0 {
			continue
		}
		orphans = append(orphans, i)
		for _, v := range c.Out {
			p.Values[v].Producer, p.Values[v].At = External, everywhere
		}
		c.Out, c.Time = nil, slices.Clone(c.Time)
		for n := range c.Time {
			c.Time[n] = min(c.Time[n], 0)
		}
	}
	return &p, orphans
}
