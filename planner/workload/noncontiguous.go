package workload

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Sizes of the non-contiguous search.
const (
	annealSeeds = 4
	annealMoves = 2_000_000
	frontSize   = 2000
	// maxPacking is the most pricing rounds of one proof attempt.
	maxPacking = 3000
)

// NonContiguous minimises the largest load over any assignment. The plan comes from simulated annealing, started from the contiguous
// optimum. The bound is the largest of: compute spread evenly; the most compute that one accelerator can carry below a load,
// times their number; and loads excluded by the linear relaxation of packing the blocks into devices (see excluded).
func (w *Workload) NonContiguous(ctx context.Context) (*Answer, error) {
	return w.nonContiguous(ctx, annealSeeds, annealMoves)
}

func (w *Workload) nonContiguous(ctx context.Context, seeds, moves int) (*Answer, error) {
	begin := time.Now()
	a, err := w.Contiguous(ctx)
	if err != nil {
		return nil, err
	}
	g := w.classes()
	p := newPricer(g, frontSize)
	a.Solver, a.Optimal, a.Gap = "anneal+packing", false, 0
	a.Claim = "simulated annealing for the plan; the bound is the linear relaxation of packing sets below a load"
	a.Bound = newDownsetDP(w.classes().convex()).floor()
	start := make([]Device, len(g.blocks))
	for op, b := range g.of {
		start[b] = a.Place[op]
	}
	for seed := range uint64(seeds) {
		if a.Bound >= a.Objective*(1-proofSlack) || ctx.Err() != nil {
			break
		}
		s := newAnnealer(p, start, seed)
		s.run(ctx, moves)
		place := g.placeOf(s.kept)
		if err := w.Fits(place); err != nil {
			return nil, fmt.Errorf("annealing went astray: %w", err)
		}
		if load := slices.Max(w.Loads(place)); load < a.Objective {
			a.Objective, a.Place = load, place
		}
	}
	a.Bound = max(a.Bound, g.carryBound(p, a.Objective))
	g.raise(ctx, p, a)
	return a.finish(begin), nil
}

// carryBound is the least load t at which the accelerators' most compute below t, with what CPUs can take off them, covers all.
func (g *graph) carryBound(p *pricer, limit float64) float64 {
	price, total := make([]float64, len(g.blocks)), 0.0
	for b := range price {
		if t := g.blocks[b].accelerator; !math.IsInf(t, 1) {
			price[b] = t
			total += t
		}
	}
	ratio := 0.0
	for b := range g.blocks {
		if x := &g.blocks[b]; x.accelerator > 0 && !math.IsInf(x.accelerator, 1) {
			ratio = max(ratio, x.accelerator/x.cpu)
		}
	}
	for _, x := range p.run(price, limit, false) {
		if float64(g.w.Accelerators)*x.earn+float64(g.w.CPUs)*x.load*ratio >= total {
			return x.load
		}
	}
	return limit
}

// raise excludes ever larger loads, by halving the way to the incumbent, until the gap is small or ctx ends.
func (g *graph) raise(ctx context.Context, p *pricer, a *Answer) {
	low, high := a.Bound, a.Objective
	for ctx.Err() == nil && high > low*(1+1e-3) {
		t := (low + high) / 2
		if g.excluded(ctx, p, t, maxPacking) {
			low = t
		} else {
			high = t
		}
	}
	a.Bound = max(a.Bound, low)
}
