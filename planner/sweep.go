package planner

import (
	"context"
	"math"
	"time"
)

var inf = math.Inf(1)

// defaultWidth is the most labels that a sweep keeps per step when nothing else is asked for.
const defaultWidth = 1 << 12

// sweep finds a best placement by dynamic programming over the problem's order, with dominance.
//
// A label is what the first i pieces leave behind: where and when each value is that later pieces need, when each node and link
// is free, and the sums under limits. Of two labels whose live values were made on the same nodes, one that is nowhere later
// and nowhere larger replaces the other; a label whose lower bound reaches the incumbent is dropped. At a cut vertex of the
// graph all labels of a node collapse to one, so blocks between cut vertices are solved apart without being looked for. Passes
// of growing width follow each other. One in which no label had to be dropped for width is exact; otherwise the least bound of
// a dropped label is a bound on every plan. Worst case nodes^width-of-the-graph labels per step.
func (in *instance) sweep(ctx context.Context, maxWidth int) (*Plan, error) {
	return in.sweepWith(ctx, sweepOptions{width: maxWidth})
}

// sweepOptions are what a sweep can be asked for.
type sweepOptions struct {
	width int
	// from is the width of the first pass; 0 means narrow.
	from int
	// contiguous asks for pipelines: a node's pieces follow each other.
	contiguous bool
	// start, when not nil, is a plan of the same instance to begin with.
	start *Plan
}

func (in *instance) sweepWith(ctx context.Context, o sweepOptions) (*Plan, error) {
	begin, maxWidth := time.Now(), o.width
	s := newSweep(ctx, in)
	s.begin = begin
	s.best, s.fallback = in.incumbent()
	if o.start != nil && (s.best == nil || o.start.Objective < s.best.Objective) {
		s.best = o.start
	}
	bound, exact := s.rootBound(), false
	name, claim := "sweep", "dynamic programming over the pieces in order, with dominance and lower bounds: optimal when no label was dropped for width"
	if o.contiguous {
		s.tail = pipelineKey
		name, claim = "pipeline", "the sweep over pipelines in the pieces' order: optimal among those"
	}
	s = s.reduced()
	tolerance, open := firstTolerance, false
	for width := max(narrow, o.from); !s.closed(bound); width *= widen {
		width = min(width, maxWidth)
		last := width == maxWidth
		if !open || last {
			bound, tolerance = s.roughly(bound, tolerance, width)
			if tolerance == 0 || width <= plain || last {
				var b float64
				b, exact = s.pass(width, 0)
				bound = max(bound, b)
			}
		}
		if exact || last || ctx.Err() != nil || s.closed(bound) {
			break
		}
		// The relaxation first, as wide as the next pass; it has been as wide as this one.
		if o.width = min(widen*width, maxWidth); width > narrow {
			o.from = o.width
		}
		s = s.reduced()
		var easier float64
		easier, open = s.in.relaxation(ctx, s, o)
		bound = max(bound, easier)
		s = s.reduced()
	}
	if s.best == nil {
		return nil, in.whyInfeasible(ctx, s.fallback)
	}
	if exact || s.closed(bound) {
		bound = s.best.Objective
	}
	best := s.whole()
	if !o.contiguous { // a pipeline has no stage to spare, and stays one
		best = in.tidied(best)
	}
	return in.prove(best, Proof{
		Solver: name, Bound: min(bound, s.best.Objective), Elapsed: time.Since(begin), First: s.first, Explored: s.explored, Claim: claim,
	}), nil
}

// narrow is the width of the first pass, which finds a plan; every pass is widen times as wide as the one before.
const (
	narrow = 16
	widen  = 8
	// plain is up to which width passes without tolerance are made even if those with one have more to do: they are quick, and find plans.
	plain = 128
)

// roughly makes passes that leave plans for later which are better by little, ever less, as long as they are complete within the width. It
// returns the bound, and the tolerance to go on with, 0 where nothing but an exact pass is left.
func (s *sweep) roughly(bound, tolerance float64, width int) (float64, float64) {
	for ; tolerance >= leastTolerance; tolerance /= finer {
		if s.gap(bound) <= tolerance {
			continue
		}
		b, complete := s.pass(width, tolerance)
		bound = max(bound, b)
		if !complete {
			return bound, tolerance
		}
	}
	return bound, 0
}

// Tolerances of passes that only narrow the gap, as shares of the incumbent.
const (
	firstTolerance = 0.05
	leastTolerance = 0.01
	finer          = 2
)

// gap is the share of the incumbent by which the bound lies below it.
func (s *sweep) gap(bound float64) float64 {
	if s.best == nil || s.best.Objective <= 0 {
		return 0
	}
	return 1 - bound/s.best.Objective
}

// Codings are the ones that the plan's transfers use.
func (p *Plan) Codings() Codings {
	out := Codings{}
	for _, t := range p.Transfers {
		out[Hop{t.Value, t.To}] = t.Coding
	}
	return out
}

// closed reports whether the incumbent meets the bound.
func (s *sweep) closed(bound float64) bool {
	return s.best != nil && s.best.Objective <= bound*(1+proofSlack)
}

// offer takes a plan that search found when it is better than the incumbent.
func (s *sweep) offer(plan *Plan) {
	if s.best != nil && plan.Objective >= s.best.Objective {
		return
	}
	s.best = plan
	if s.first == 0 {
		s.first = time.Since(s.begin)
	}
}

// proofSlack is the relative difference below which a bound and an objective are the same sum in another order.
const proofSlack = 1e-9

// prove completes a plan's proof: gap and optimality follow from the bound.
func (in *instance) prove(plan *Plan, proof Proof) *Plan {
	if proof.Bound >= plan.Objective*(1-proofSlack) {
		proof.Bound, proof.Optimal = plan.Objective, true
	} else {
		proof.Gap = (plan.Objective - proof.Bound) / plan.Objective
	}
	plan.Proof = proof
	return plan
}

// sweep is the state of one solve.
type sweep struct {
	ctx       context.Context
	in        *instance
	options   *optionTable
	tails     []float64 // [piece*nodes+node]
	steps     []layout  // before piece i; one more for the end
	begin     time.Time
	best      *Plan
	first     time.Duration // when search first improved on the plans that need none
	fallback  error         // why the last candidate was not feasible
	late      bool          // whether times that nothing can make use of are kept: only to show what raising them saves
	outer     *sweep        // before the reduction via, nil where there was none
	via       *reduction
	tolerance float64 // of this pass
	dropped   float64 // least bound of the plans that this pass gave up
	rejected  float64 // least bound of a label of the last step whose plan broke a limit
	explored  int
	dims      dimensions
	lightest  []float64
	shares    []float64 // weights of nodes in the load bound
	cur, nxt  *layer
	rests     []float64
	tail      int // bytes of the key for pipelines
	follow    [pipelineKey]byte
	room      []float64
	reach     []float64
}

func newSweep(ctx context.Context, in *instance) *sweep {
	s := &sweep{ctx: ctx, in: in, options: newOptionTable(in)}
	s.dims = dimensionsOf(in)
	s.tails = s.tailTable()
	s.layouts()
	s.loadBound()
	return s
}

// incumbent is the best of the plans that need no search: everything on one node, and every two-node prefix cut.
func (in *instance) incumbent() (*Plan, error) {
	var best *Plan
	var why error
	try := func(place []NodeID) {
		plan, err := in.evaluate(place, nil)
		if err != nil {
			why = err
		} else if best == nil || plan.Objective < best.Objective {
			best = plan
		}
	}
	place := make([]NodeID, in.pieces)
	for n := range in.nodes {
		for i := range place {
			place[i] = NodeID(n)
		}
		try(place)
	}
	return best, why
}
