package workload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Answer is a placement with its proof.
type Answer struct {
	Objective float64
	// Bound is a proven lower bound on the objective of every placement of the form asked for.
	Bound   float64
	Optimal bool
	Gap     float64 // (Objective-Bound)/Objective
	Place   []Device
	Solver  string
	Claim   string
	Seconds float64
	// States counts the downsets that were listed, or the branches that were explored.
	States int
}

// proofSlack is the relative difference below which two sums of the same numbers count as equal.
const proofSlack = 1e-9

func (a *Answer) finish(begin time.Time) *Answer {
	if a.Bound >= a.Objective*(1-proofSlack) {
		a.Bound, a.Optimal = a.Objective, true
	} else {
		a.Gap = (a.Objective - a.Bound) / a.Objective
	}
	a.Seconds = time.Since(begin).Seconds()
	return a
}

// Contiguous minimises the largest load over contiguous placements: every device a convex set, devices in an order in which all
// edges run forward. It is exact: dynamic programming over downsets and devices used, after Tarnawski et al. 2020, section 5.
// A pair of downsets is one device's set; pairs are only looked at while compute and incoming transfers, which grow with the
// set, stay below a threshold. The threshold starts near the lower bound and grows until a placement is found, so that what is
// found is optimal. O(pairs of downsets below the threshold * devices). When ctx ends, or there are more than MaxDownsets, the
// best placement over prefixes of some topological orders is returned with the bound proven so far.
func (w *Workload) Contiguous(ctx context.Context) (*Answer, error) {
	begin := time.Now()
	g := w.classes().convex()
	d := newDownsetDP(g)
	a := &Answer{Objective: math.Inf(1), Bound: d.floor(), Solver: "downsets", Claim: "dynamic programming over downsets: optimal among contiguous placements"}
	rough := d.run(ctx, g.prefixes(g.orders(8)), math.Inf(1))
	d.keep(a, rough)
	l, err := g.downsets(ctx, MaxDownsets)
	if err != nil && !errors.Is(err, errTooMany) && ctx.Err() == nil {
		return nil, err
	}
	if l == nil {
		a.States = MaxDownsets
		a.Claim = "dynamic programming over the prefixes of some topological orders; the bound is compute over devices"
		if math.IsInf(a.Objective, 1) {
			return nil, fmt.Errorf("%w: none among the prefixes tried", ErrInfeasible)
		}
		return a.finish(begin), nil
	}
	a.States = l.size()
	for _, margin := range []float64{1.02, 1.1, 1.3, 1.7, 2.5, math.Inf(1)} {
		limit := min(a.Bound*margin, a.Objective)
		if math.IsInf(margin, 1) || a.Bound == 0 {
			limit = a.Objective
		}
		got := d.run(ctx, l, limit)
		if ctx.Err() != nil {
			break
		}
		d.keep(a, got)
		if got != nil || limit == a.Objective {
			a.Bound = a.Objective
			break
		}
		a.Bound = max(a.Bound, limit)
	}
	if math.IsInf(a.Objective, 1) {
		return nil, w.whyInfeasible()
	}
	return a.finish(begin), nil
}

// orders are some topological orders of the blocks: as given, depth first, and random ones of a fixed seed.
func (g *graph) orders(n int) [][]int {
	r := rand.New(rand.NewPCG(1, uint64(len(g.blocks))))
	var out [][]int
	for k := range n {
		wait := make([]int, len(g.blocks))
		var ready, order []int
		for b := range g.blocks {
			if wait[b] = len(g.blocks[b].preds); wait[b] == 0 {
				ready = append(ready, b)
			}
		}
		for len(ready) > 0 {
			at := len(ready) - 1
			switch {
			case k == 0:
				at = slices.Index(ready, slices.Min(ready))
			case k > 1:
				at = r.IntN(len(ready))
			}
			b := ready[at]
			ready = slices.Delete(ready, at, at+1)
			order = append(order, b)
			for _, s := range g.blocks[b].succs {
				if wait[s]--; wait[s] == 0 {
					ready = append(ready, s)
				}
			}
		}
		out = append(out, order)
	}
	return out
}

// downsetDP holds what does not depend on the lattice.
type downsetDP struct {
	g       *graph
	k, l    int
	states  int   // (k+1)*(l+1)
	senders []int // index into blocks[of[op]].sends, by op
}

func newDownsetDP(g *graph) *downsetDP {
	d := &downsetDP{g: g, k: g.w.Accelerators, l: g.w.CPUs, senders: make([]int, len(g.w.Ops))}
	d.states = (d.k + 1) * (d.l + 1)
	for b := range g.blocks {
		for k, s := range g.blocks[b].sends {
			d.senders[s.op] = k
		}
	}
	return d
}

// floor is a lower bound on the largest load: compute spread evenly, where the CPUs take what is best for them.
func (d *downsetDP) floor() float64 {
	least := 0.0
	for b := range d.g.blocks {
		least = max(least, min(d.on(d.g.blocks[b].accelerator, d.k), d.on(d.g.blocks[b].cpu, d.l)))
	}
	return max(least, d.g.spread(d.k, d.l))
}

func (d *downsetDP) on(t float64, devices int) float64 {
	if devices == 0 {
		return math.Inf(1)
	}
	return t
}

// spread is the least T for which the blocks, divided at will, fit on k accelerators and l CPUs within T each: CPUs take the
// blocks with the largest accelerator time per CPU time.
func (g *graph) spread(k, l int) float64 {
	var forced float64 // CPU time of what only CPUs run
	type item struct{ acc, cpu float64 }
	var items []item
	for b := range g.blocks {
		x := &g.blocks[b]
		if math.IsInf(x.accelerator, 1) {
			forced += x.cpu
		} else {
			items = append(items, item{x.accelerator, x.cpu})
		}
	}
	slices.SortFunc(items, func(a, b item) int {
		switch p, q := a.acc*b.cpu, b.acc*a.cpu; {
		case p > q:
			return -1
		case p < q:
			return 1
		}
		return 0
	})
	fits := func(t float64) bool {
		room, left := float64(l)*t-forced, 0.0
		if room < 0 {
			return false
		}
		for _, x := range items {
			if x.cpu <= room {
				room -= x.cpu
				continue
			}
			left += x.acc * (1 - room/x.cpu)
			room = 0
		}
		return left <= float64(k)*t
	}
	high := 1e-9
	for !fits(high) {
		if high *= 2; high > 1e300 {
			return math.Inf(1)
		}
	}
	low := 0.0
	for range 100 {
		if mid := (low + high) / 2; fits(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// keep takes the outcome into the answer when it is better.
func (d *downsetDP) keep(a *Answer, got *outcome) {
	if got == nil || got.load >= a.Objective {
		return
	}
	place := make([]Device, len(d.g.w.Ops))
	for op, b := range d.g.of {
		place[op] = got.device[b]
	}
	if d.g.w.Fits(place) == nil {
		a.Place = place
		a.Objective = slices.Max(d.g.w.Loads(place))
	}
}

// outcome is what one run of the dynamic program found.
type outcome struct {
	load   float64
	device []Device // of each block
}

// run finds the best chain of downsets of l with every load below limit, or nil.
func (d *downsetDP) run(ctx context.Context, l *lattice, limit float64) *outcome {
	r := &downsetRun{d: d, l: l, limit: limit}
	r.prepare()
	for i := range l.size() {
		if i&0x3f == 0 && ctx.Err() != nil {
			return nil
		}
		r.from(int32(i))
	}
	return r.outcome()
}
