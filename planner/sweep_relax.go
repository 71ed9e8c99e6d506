package planner

import (
	"context"
	"slices"
)

// relaxation solves the problem without its limits, and without the pieces that read nothing, which is far easier: few codings and few
// numbers per label matter then. Its bound holds for the problem, and a plan of it that keeps the limits is an incumbent, often already
// the best. Where its codings lose too much together, loss is charged for.
func (in *instance) relaxation(ctx context.Context, s *sweep, o sweepOptions) (bound float64, open bool) {
	d := dimensionsOf(in)
	if in.relaxed || in.p.Limits == (Limits{}) && !slices.Contains(d.memory, true) && !in.hasOrphans() {
		return 0, false
	}
	r := relaxed{in: in, s: s, o: o}
	r.easy, r.orphans = in.withoutOrphans()
	free := r.solve(ctx, 0)
	if free == nil {
		return 0, false
	}
	bound = free.Proof.Bound
	// Charges and limits are worth more time where it is they that keep plan and bound apart, not what is still open without them.
	open = s.best != nil && free.Objective-bound > s.best.Objective-free.Objective
	if budget := in.p.Limits.Loss; !open && budget > 0 && in.p.Objective == Latency && free.Cost.Loss > budget {
		bound = max(bound, r.dual(ctx, free, bound))
	}
	return bound, open
}

// relaxed is a problem without its limits.
type relaxed struct {
	in      *instance
	s       *sweep
	o       sweepOptions
	easy    *Problem
	orphans []int
}

// dual looks for the charge per unit of loss under which the least latency plus charge, less the charge of the budget, is largest:
// a bound on every plan that keeps the budget (Lagrangian relaxation). The next charge is the one under which the best plans known
// above and below the budget cost the same (Handler and Zang, A dual algorithm for the constrained shortest path problem, 1980).
func (r *relaxed) dual(ctx context.Context, free *Plan, bound float64) float64 {
	if r.s.best == nil {
		return bound
	}
	budget := r.in.p.Limits.Loss
	over, under := spent{free.Objective, free.Cost.Loss}, spent{r.s.best.Objective, r.s.best.Cost.Loss}
	for range maxCharges {
		charge := (under.latency - over.latency) / (over.loss - under.loss)
		if charge <= 0 || ctx.Err() != nil || r.s.closed(bound) {
			break
		}
		plan := r.solve(ctx, charge)
		if plan == nil {
			break
		}
		bound = max(bound, plan.Proof.Bound-charge*budget)
		if plan.Objective >= (under.latency+charge*under.loss)*(1-proofSlack) {
			break
		}
		if now := (spent{plan.Objective - charge*plan.Cost.Loss, plan.Cost.Loss}); now.loss > budget {
			over = now
		} else {
			under = now
		}
	}
	return bound
}

// spent is what a plan takes in seconds and accuracy.
type spent struct{ latency, loss float64 }

// maxCharges is how many charges are tried at most; the best is mostly among the first few.
const maxCharges = 12

// solve sweeps the relaxed problem under a charge for loss, takes its plan where it keeps the limits, and returns it, nil when
// there is none.
func (r *relaxed) solve(ctx context.Context, charge float64) *Plan {
	loose, err := prepare(&instance{p: r.easy, relaxed: true, charge: charge})
	if err != nil {
		return nil
	}
	o := r.o
	if r.s.best != nil {
		o.start, _ = loose.evaluate(r.s.best.Place, r.s.best.Codings())
	}
	plan, err := loose.sweepWith(ctx, o)
	if err != nil {
		return nil
	}
	in, s := r.in, r.s
	place := slices.Clone(plan.Place)
	for _, i := range r.orphans {
		for _, v := range in.p.Pieces[i].Out {
			if c := in.p.Values[v].Consumers; len(c) > 0 && in.run[i*in.nodes+int(place[c[0]])] < inf {
				place[i] = place[c[0]]
			}
		}
	}
	s.explored += plan.Proof.Explored
	if strict, err := in.evaluate(place, plan.Codings()); err == nil {
		s.offer(strict)
	} else if strict := in.afford(place, plan.Codings()); strict != nil {
		s.offer(strict)
	}
	return plan
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
