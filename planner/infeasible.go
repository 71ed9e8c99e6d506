package planner

import (
	"context"
	"errors"
)

// whyInfeasible names the constraint that cannot be met. It lifts each limit in turn; where the rest can be met without it, it
// finds the least that the limit would have to be, by making it the objective.
func (in *instance) whyInfeasible(ctx context.Context, fallback error) error {
	p := *in.p
	l := p.Limits
	for _, lift := range []struct {
		set       bool
		clear     func(*Limits)
		objective Objective
		have      float64
		name      string
		unit      string
	}{
		{l.Latency > 0, func(l *Limits) { l.Latency = 0 }, Latency, l.Latency.Seconds(), "latency", "s"},
		{l.Period > 0, func(l *Limits) { l.Period = 0 }, Throughput, l.Period.Seconds(), "period", "s"},
		{l.Energy > 0, func(l *Limits) { l.Energy = 0 }, Energy, l.Energy, "energy", "J"},
		{l.Price > 0, func(l *Limits) { l.Price = 0 }, Price, l.Price, "price", "units"},
	} {
		if !lift.set {
			continue
		}
		relaxed := p
		relaxed.Limits = l
		lift.clear(&relaxed.Limits)
		relaxed.Objective = lift.objective
		if need, ok := solveFor(ctx, &relaxed); ok {
			return &InfeasibleError{Constraint: "the limit on " + lift.name, Need: need, Have: lift.have, Unit: lift.unit}
		}
	}
	if err := in.memoryShortfall(ctx); err != nil {
		return err
	}
	if fallback != nil {
		return fallback
	}
	return &InfeasibleError{Constraint: "no placement meets all constraints together"}
}

// solveFor is the least objective of the problem, when it has a plan.
func solveFor(ctx context.Context, p *Problem) (float64, bool) {
	in, err := newInstance(p)
	if err != nil {
		return 0, false
	}
	s := newSweep(ctx, in)
	s.best, _ = in.incumbent()
	s.pass(blameWidth, 0)
	if s.best == nil {
		return 0, false
	}
	return s.best.Objective, true
}

// blameWidth is the width of the sweeps that look for the constraint to blame.
const blameWidth = 256

// memoryShortfall is an *InfeasibleError about the node with the least shortage when lifting all memory limits makes the problem
// feasible, else nil.
func (in *instance) memoryShortfall(ctx context.Context) error {
	relaxed := *in.p
	relaxed.Nodes = append([]Node(nil), in.p.Nodes...)
	limited := false
	for n := range relaxed.Nodes {
		limited = limited || relaxed.Nodes[n].Memory > 0
		relaxed.Nodes[n].Memory = 0
	}
	if !limited {
		return nil
	}
	rin, err := newInstance(&relaxed)
	if err != nil {
		return nil
	}
	s := newSweep(ctx, rin)
	s.best, _ = rin.incumbent()
	s.pass(blameWidth, 0)
	if s.best == nil {
		return nil
	}
	err = in.withinLimits(s.best)
	var short *InfeasibleError
	if errors.As(err, &short) {
		return short
	}
	return nil
}
