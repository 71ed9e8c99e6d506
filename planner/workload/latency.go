package workload

import (
	"context"
	"math"
	"slices"
	"time"
)

// Latency minimises when the last op is done: any number of CPU cores, each accelerator one convex set that runs as a single call.
//
// The answer comes from dynamic programming over downsets in which every downset is a barrier, then from moving the borders of the
// sets while that helps; where the labels of an exact search over downsets are not too many, that search has the last word. The bound comes from segments of one long path: a convex set meets a path in one segment, holds at least
// the segment's convex hull, and never an ancestor of what comes before the segment or a descendant of what comes after, so that
// the hull's compute and the transfers between it and those are paid for sure. Dynamic programming over the path chooses the
// segments, within memory and number of accelerators. The bound is the best over several paths.
func (w *Workload) Latency(ctx context.Context) (*Answer, error) {
	begin := time.Now()
	g := w.classes().convex()
	a := &Answer{Objective: math.Inf(1), Solver: "segments", Claim: "dynamic programming over downsets for the plan, over segments of long paths for the bound"}
	r := g.reach()
	var path []int
	a.Bound, path = g.pathBound(r)
	lossless := g.lossless()
	if !lossless {
		// A class on CPUs need not be convex, nor pass on what it hears, so that blocks may lose plans: the bound forgets the
		// classes instead.
		free := *w
		free.Ops = slices.Clone(w.Ops)
		for k := range free.Ops {
			free.Ops[k].Class = 0
		}
		h := free.classes().convex()
		a.Bound, _ = h.pathBound(h.reach())
	}
	var full *lattice
	for _, l := range g.lattices(ctx) {
		a.States = max(a.States, l.size())
		for _, place := range g.barriers(ctx, l) {
			if w.Fits(place) != nil {
				continue
			}
			if t, ok := w.Finish(place); ok && t < a.Objective {
				a.Objective, a.Place = t, place
			}
		}
		if l.complete {
			full = l
		}
	}
	if a.Place != nil {
		g.polish(ctx, a)
	}
	if full != nil && lossless && a.Bound < a.Objective*(1-proofSlack) && g.exactCalls(ctx, full, a, path, r, maxCallLabels) {
		a.Bound, a.Solver = a.Objective, "calls"
		a.Claim = "labels over downsets, a step being a whole call or one block on CPUs: optimal"
	}
	if a.Place == nil {
		return nil, w.whyInfeasible()
	}
	return a.finish(begin), nil
}

// lossless reports whether blocks lose no plans for latency: no classes had to be merged with what lies between them, and every
// block passes on what it hears.
func (g *graph) lossless() bool { return len(g.blocks) == len(g.w.classes().blocks) && g.whole() }

// maxCallLabels is the most labels that the exact search for latency keeps before it gives up.
const maxCallLabels = 20 << 20

// lattices are the prefixes of some orders, and every downset when there are not too many.
func (g *graph) lattices(ctx context.Context) []*lattice {
	out := []*lattice{g.prefixes(g.orders(16))}
	if l, err := g.downsets(ctx, MaxDownsets); err == nil {
		out = append(out, l)
	}
	return out
}

// Finish is when the last op is done under a placement, and false when an accelerator's set is not convex. CPUs are one pool.
func (w *Workload) Finish(place []Device) (float64, bool) {
	calls := make([]call, w.Accelerators)
	for k := range w.Ops {
		if d := place[k]; !w.IsCPU(d) {
			calls[d].ops = append(calls[d].ops, k)
			calls[d].seconds += w.Ops[k].Accelerator
			w.charge(place, k, &calls[d])
		}
	}
	// A call waits for its inputs, its ops for the call: Kahn's algorithm over CPU ops and calls.
	n := len(w.Ops)
	unit := func(k int) int {
		if w.IsCPU(place[k]) {
			return k
		}
		return n + int(place[k])
	}
	wait, start := make([]int, n+w.Accelerators), make([]float64, n+w.Accelerators)
	for k := range w.Ops {
		for _, s := range w.Ops[k].Succs {
			if unit(k) != unit(s) {
				wait[unit(s)]++
			}
		}
	}
	var ready []int
	seen := make([]bool, n+w.Accelerators)
	for k := range w.Ops {
		if u := unit(k); wait[u] == 0 && !seen[u] {
			seen[u] = true
			ready = append(ready, u)
		}
	}
	end, done := 0.0, 0
	for len(ready) > 0 {
		u := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		ops, finish := []int{u}, start[u]
		if u < n {
			finish += w.Ops[u].CPU
		} else {
			ops = calls[u-n].ops
			finish += calls[u-n].seconds
		}
		end = max(end, finish)
		for _, k := range ops {
			done++
			for _, s := range w.Ops[k].Succs {
				if v := unit(s); v != u {
					start[v] = max(start[v], finish)
					if wait[v]--; wait[v] == 0 {
						ready = append(ready, v)
					}
				}
			}
		}
	}
	return end, done == n
}

// call is an accelerator's set.
type call struct {
	ops     []int
	seconds float64
}

// charge adds op k's transfers to its own call: its output once when a reader is elsewhere, and each input of which k is the
// first reader in the call.
func (w *Workload) charge(place []Device, k int, c *call) {
	d := place[k]
	for _, s := range w.Ops[k].Succs {
		if place[s] != d {
			c.seconds += w.Ops[k].Cost
			break
		}
	}
	for _, p := range w.Ops[k].Preds {
		if place[p] == d {
			continue
		}
		first := slices.IndexFunc(w.Ops[p].Succs, func(s int) bool { return place[s] == d })
		if w.Ops[p].Succs[first] == k {
			c.seconds += w.Ops[p].Cost
		}
	}
}
