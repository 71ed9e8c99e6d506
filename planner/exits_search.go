package planner

import (
	"context"
	"errors"
	"math"
	"slices"
)

// maxExitSteps is how many placements, whole or begun, one set of exits may take.
const maxExitSteps = 200_000

// exitSearch looks for the best placement for one set of exits.
type exitSearch struct {
	*reduced
	in      *instance
	used    []int
	weights []float64
	loss    float64 // of the exits
	exact   Codings // all lossless ones; nil when every coding that a hop would use is lossless

	found    float64 // the least expected latency known, of this or another set
	place    []NodeID
	lossless bool // whether place's codings are exact
	bound    float64
	done     bool
	steps    int
	why      error // why the solver has no plan; nil when it has one
}

// newExitSearch prepares a set of exits; it fails with an *InfeasibleError when those alone lose too much.
func newExitSearch(p *Problem, exits []Exit, set int) (*exitSearch, error) {
	s := &exitSearch{found: math.Inf(1)}
	for k := range exits {
		if set&(1<<k) != 0 {
			s.used = append(s.used, k)
		}
	}
	s.weights = weights(exits, s.used)
	for i, k := range s.used {
		s.loss += s.weights[i] * exits[k].Loss
	}
	s.reduced = exitProblem(p, exits, s.used)
	small := s.problem
	if l := p.Limits.Loss; l > 0 {
		if s.loss > l*(1+limitSlack) {
			return nil, &InfeasibleError{Constraint: "the limit on accuracy loss for these exits", Need: s.loss, Have: l, Unit: "units"}
		}
		small.Limits.Loss = max(l-s.loss, l*limitSlack) // 0 would be no limit
	}
	var err error
	s.in, err = newInstance(small)
	if err != nil {
		return nil, err
	}
	s.exact = Codings{}
	for v := range small.Values {
		k := slices.IndexFunc(small.Values[v].Codings, func(c Coding) bool { return c.Loss == 0 })
		for n := range small.Nodes {
			if k >= 0 {
				s.exact[Hop{ValueID(v), NodeID(n)}] = k
			}
		}
	}
	return s, nil
}

// expected is the expected latency of a placement under codings; false when it is not possible.
func (s *exitSearch) expected(place []NodeID, c Codings) (float64, bool) {
	s.steps++
	if s.in.checkPlace(place) != nil {
		return 0, false
	}
	t := newTimeline(s.in, c)
	for i, n := range place {
		if t.run(PieceID(i), n) != nil {
			return 0, false
		}
	}
	if s.in.withinLimits(t.bare(place)) != nil {
		return 0, false
	}
	sum := 0.0
	for k, values := range s.answers {
		at := 0.0
		for _, v := range values {
			at = max(at, t.ready[int(v)*s.in.nodes+int(s.in.p.Sink)])
		}
		sum += s.weights[k] * at
	}
	return sum, true
}

// try takes a placement when it is better than what is known.
func (s *exitSearch) try(place []NodeID) bool {
	better := false
	for _, exact := range []bool{false, true} {
		var c Codings
		if exact {
			c = s.exact
		}
		if e, ok := s.expected(place, c); ok && e < s.found*(1-proofSlack) {
			s.found, s.place, s.lossless, better = e, slices.Clone(place), exact, true
		}
	}
	return better
}

// run searches until it is done, ctx ends or maxExitSteps are taken.
func (s *exitSearch) run(ctx context.Context, solver Planner) error {
	place := make([]NodeID, s.in.pieces)
	for n := range s.in.nodes {
		for i := range place {
			place[i] = NodeID(n)
		}
		s.try(place)
	}
	plan, err := solver.Plan(ctx, s.in.p)
	var no *InfeasibleError
	switch {
	case errors.As(err, &no):
		s.why = no
	case err != nil:
		return err
	default:
		s.try(plan.Place)
	}
	s.improve(ctx)
	s.bound = s.begun(nil)
	s.done = true
	s.branch(ctx, make([]NodeID, 0, s.in.pieces))
	return nil
}

// improve moves pieces, alone or with all that follow, as long as that helps.
func (s *exitSearch) improve(ctx context.Context) {
	for again := s.place != nil; again && ctx.Err() == nil && s.steps < maxExitSteps/2; {
		again = false
		for i := range s.place {
			for n := range s.in.nodes {
				for _, until := range []int{i + 1, len(s.place)} {
					other := slices.Clone(s.place)
					for k := i; k < until; k++ {
						other[k] = NodeID(n)
					}
					again = s.try(other) || again
				}
			}
		}
	}
}

// branch places the next piece on every node whose bound is below the best.
func (s *exitSearch) branch(ctx context.Context, place []NodeID) {
	if len(place) == s.in.pieces {
		s.try(place)
		return
	}
	for n := range s.in.nodes {
		if ctx.Err() != nil || s.steps >= maxExitSteps {
			s.done = false
			return
		}
		s.steps++
		next := append(place, NodeID(n))
		if s.begun(next) < s.found*(1-proofSlack) {
			s.branch(ctx, next)
		}
	}
}

// begun is a lower bound on the expected latency of every placement that begins with place: what is placed stands where it is, and
// everything else runs as soon as its inputs can be there, wherever that is soonest, each hop with its quickest coding, and nothing
// waits for a node or a link.
func (s *exitSearch) begun(place []NodeID) float64 {
	in := s.in
	ready := make([]float64, len(in.p.Values)*in.nodes) // when a value can be at a node
	for k := range ready {
		ready[k] = inf
	}
	settle := func(v ValueID, made []float64) {
		for n := range in.nodes {
			for a, at := range made {
				if a == n {
					ready[int(v)*in.nodes+n] = min(ready[int(v)*in.nodes+n], at)
				} else if !math.IsInf(at, 1) {
					for _, w := range in.ways(v, NodeID(a), NodeID(n)) {
						ready[int(v)*in.nodes+n] = min(ready[int(v)*in.nodes+n], at+w.seconds())
					}
				}
			}
		}
	}
	for v := range in.p.Values {
		if in.p.Values[v].Producer == External {
			made := slices.Repeat([]float64{inf}, in.nodes)
			for _, n := range in.at(ValueID(v)) {
				made[n] = 0
			}
			settle(ValueID(v), made)
		}
	}
	free := make([]float64, in.nodes) // of pieces that are placed: a node runs them one after the other
	for i := range in.pieces {
		ends := slices.Repeat([]float64{inf}, in.nodes)
		for n := range in.nodes {
			if i < len(place) && place[i] != NodeID(n) {
				continue
			}
			start := free[n]
			for _, v := range in.p.Pieces[i].In {
				start = max(start, ready[int(v)*in.nodes+n])
			}
			ends[n] = start + in.run[i*in.nodes+n]
			if i < len(place) {
				free[n] = ends[n]
			}
		}
		for _, v := range in.p.Pieces[i].Out {
			settle(v, ends)
		}
	}
	sum := 0.0
	for k, values := range s.answers {
		at := 0.0
		for _, v := range values {
			at = max(at, ready[int(v)*in.nodes+int(in.p.Sink)])
		}
		if s.weights[k] > 0 {
			sum += s.weights[k] * at
		}
	}
	return sum
}

// plan is the best placement as a plan.
func (s *exitSearch) plan() (*ExitPlan, error) {
	var c Codings
	if s.lossless {
		c = s.exact
	}
	plan, err := s.in.evaluate(s.place, c)
	if err != nil {
		return nil, err
	}
	e, _ := s.expected(s.place, c)
	return &ExitPlan{Problem: s.problem, Plan: plan, Pieces: s.pieces, Values: s.values, Used: s.used, Expected: e, Loss: s.loss + plan.Cost.Loss}, nil
}
