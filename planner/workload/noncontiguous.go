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
	// quickNodes and slowNodes bound the search for a division before and after annealing.
	quickNodes = 500
	slowNodes  = 5000
	// raiseStep is the relative step of loads at which looking for a better bound ends.
	raiseStep = 1e-3
	fineStep  = 1e-7
)

// NonContiguous minimises the largest load over any assignment. The plan comes from simulated annealing, started from the contiguous
// optimum, and from the search for a division (see division). The bound is the largest of: compute spread evenly; the most compute that
// one accelerator can carry below a load, times their number; loads below which there is no division; and loads excluded by the linear
// relaxation of packing the blocks into devices (see excluded). The search is exponential in the blocks at worst, and counted; each of its
// nodes takes a minimum cut per block and kind of device.
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
	a.Solver, a.Optimal, a.Gap = "anneal+division+packing", false, 0
	a.Claim = "simulated annealing and search over minimum cuts for the plan; the bound is what that search or the linear relaxation of packing sets below a load excludes"
	a.Bound = newDownsetDP(g).floor()
	if err := p.settle(ctx, a, quickNodes); err != nil {
		return nil, err
	}
	start := make([]Device, len(g.blocks))
	for op, b := range g.of {
		start[b] = a.Place[op]
	}
	for seed := range uint64(seeds) {
		if a.proven() || ctx.Err() != nil {
			break
		}
		s := newAnnealer(p, start, seed)
		s.run(ctx, moves)
		if err := p.take(a, s.kept); err != nil {
			return nil, err
		}
	}
	if !a.proven() {
		a.Bound = max(a.Bound, g.carryBound(p, a.Objective))
		if err := p.settle(ctx, a, slowNodes); err != nil {
			return nil, err
		}
		g.raise(ctx, p, a)
	}
	return a.finish(begin), nil
}

func (a *Answer) proven() bool { return a.Bound >= a.Objective*(1-proofSlack) }

// below is the largest load whose exclusion proves the incumbent.
func (a *Answer) below() float64 { return a.Objective * (1 - proofSlack/2) }

// take takes a placement of blocks into the answer when it is better.
func (p *pricer) take(a *Answer, device []Device) error {
	place := p.g.placeOf(device)
	if err := p.g.w.Fits(place); err != nil {
		return fmt.Errorf("the search went astray: %w", err)
	}
	if load := slices.Max(p.g.w.Loads(place)); load < a.Objective {
		a.Objective, a.Place = load, place
	}
	return nil
}

// settle looks for divisions below the incumbent, first just below it, then by halving the way between the bound and the least load at
// which the search gave up, with at most nodes of the search for each.
func (p *pricer) settle(ctx context.Context, a *Answer, nodes int) error {
	high, tried := a.Objective, a.Objective
	t := a.below()
	for ctx.Err() == nil && !a.proven() {
		found, none := p.divide(ctx, t, nodes)
		switch {
		case none:
			a.Bound = max(a.Bound, t)
		case found != nil:
			if err := p.take(a, found); err != nil {
				return err
			}
			high = min(high, a.Objective)
		default:
			high = t
		}
		step := raiseStep
		if high == a.Objective { // nothing in between was given up
			step = fineStep
		}
		switch {
		case high > a.Bound*(1+step):
			t = (a.Bound + high) / 2
		case tried != a.Objective:
			tried, t = a.Objective, a.below()
		default:
			return nil
		}
	}
	return nil
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
	for ctx.Err() == nil && high > low*(1+raiseStep) {
		t := (low + high) / 2
		if g.excluded(ctx, p, t, maxPacking) {
			low = t
		} else {
			high = t
		}
	}
	a.Bound = max(a.Bound, low)
}
