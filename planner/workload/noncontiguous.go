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
	a.Bound = newDownsetDP(g).floor()
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
// Blocks that cost a CPU nothing are left out when there are CPUs.
func (g *graph) carryBound(p *pricer, limit float64) float64 {
	price, total, ratio := make([]float64, len(g.blocks)), 0.0, 0.0
	for b := range price {
		x := &g.blocks[b]
		if math.IsInf(x.accelerator, 1) || x.accelerator == 0 || (g.w.CPUs > 0 && x.cpu == 0) {
			continue
		}
		price[b] = x.accelerator
		total += x.accelerator
		if x.cpu > 0 {
			ratio = max(ratio, x.accelerator/x.cpu)
		}
	}
	least := limit
	for _, x := range p.run(price, limit, false) {
		t := x.load
		if left := total - float64(g.w.Accelerators)*x.earn; left > 0 {
			if g.w.CPUs == 0 || ratio == 0 {
				continue
			}
			t = max(t, left/(float64(g.w.CPUs)*ratio))
		}
		least = min(least, t)
	}
	return least
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
