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
	// contiguous asks for pipelines: a node's pieces follow each other.
	contiguous bool
}

func (in *instance) sweepWith(ctx context.Context, o sweepOptions) (*Plan, error) {
	begin := time.Now()
	s := newSweep(ctx, in)
	s.begin = begin
	s.best, s.fallback = in.incumbent()
	name, claim := "sweep", "dynamic programming over the pieces in order, with dominance and lower bounds: optimal when no label was dropped for width"
	if o.contiguous {
		s.tail = pipelineKey
		name, claim = "pipeline", "the sweep over pipelines in the pieces' order: optimal among those"
	}
	q := newSearch(s, !in.canRelax())
	easier := relaxation{in: in, strict: q}
	for width := min(narrow, o.width); !q.done(); width = wider(width, o.width) {
		last := width == o.width
		if last || !easier.open {
			q.widen(width, last)
		}
		if last || q.done() {
			break
		}
		easier.widen(wider(width, o.width), o.width)
		q.reduce()
	}
	if q.best == nil {
		return nil, in.whyInfeasible(ctx, q.fallback)
	}
	best := q.whole()
	if !o.contiguous { // a pipeline has no stage to spare, and stays one
		best = in.tidied(best)
	}
	return in.prove(best, Proof{
		Solver: name, Bound: q.proven(), Elapsed: time.Since(begin), First: q.first, Explored: q.explored, Claim: claim,
	}), nil
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
	labels    []label   // before the piece that a pass has come to, best bound first
	spare     []label   // room for the next ones
	crew      []*expander
	// A label whose bound reaches enough leads to no plan better than the incumbent, one whose floor reaches worth to none better by the tolerance.
	enough, worth float64
	into          []float64 // per node, the least delay of a hop to it
	rests         []float64
	tail          int // bytes of the key for pipelines
}

func newSweep(ctx context.Context, in *instance) *sweep {
	s := &sweep{ctx: ctx, in: in, options: newOptionTable(in)}
	s.dims = dimensionsOf(in)
	s.tails = s.tailTable()
	s.layouts()
	s.loadBound()
	s.delays()
	switch in.p.Objective {
	case Energy:
		s.rest(0, in.joules)
	case Price:
		s.rest(0, in.price)
	}
	return s
}

// delays finds the least delay of a hop to each node.
func (s *sweep) delays() {
	s.into = make([]float64, s.in.nodes)
	for b := range s.into {
		s.into[b] = inf
		for a := range s.in.nodes {
			if path := &s.in.p.Paths[a][b]; a != b && path.Goodput > 0 {
				s.into[b] = min(s.into[b], path.Overhead+path.RTT.Seconds()/2)
			}
		}
	}
}

// incumbent is the best of the plans that need no search, everything on one node, or why the last of them is none.
func (in *instance) incumbent() (*Plan, error) {
	var best *Plan
	var why error
	place := make([]NodeID, in.pieces)
	for n := range in.nodes {
		for i := range place {
			place[i] = NodeID(n)
		}
		plan, err := in.evaluate(place, nil)
		if err != nil {
			why = err
		} else if best == nil || plan.Objective < best.Objective {
			best = plan
		}
	}
	return best, why
}
