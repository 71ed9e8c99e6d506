package workload

import (
	"context"
	"math"
)

// excluded reports whether it is proven that no assignment has all loads at most t: the linear relaxation of covering the blocks
// by sets of load at most t needs more accelerators than there are. Any prices whose best set is known exactly, or from above, give
// a proof (Farley 1990): the blocks' prices together, less what the CPUs can earn, over what the best set earns.
func (g *graph) excluded(ctx context.Context, p *pricer, t float64, steps int) bool {
	k, l := float64(g.w.Accelerators), float64(g.w.CPUs)
	m := newMaster(len(g.blocks), g.w.CPUs)
	smooth := append([]float64(nil), m.dual...)
	for range steps {
		if ctx.Err() != nil {
			return false
		}
		// Prices between the last ones and those of the program calm the search.
		for j := range smooth {
			smooth[j] = 0.5*smooth[j] + 0.5*m.dual[j]
		}
		progress := false
		for _, prices := range [][]float64{smooth, m.dual} {
			front := p.run(prices[:len(g.blocks)], t, true)
			top := &front[len(front)-1]
			set := p.trace(top)
			cpuSet, cpuMost := g.cpuBest(prices, t)
			total := 0.0
			for _, v := range prices[:len(g.blocks)] {
				total += v
			}
			if top.earn > 0 && total-l*max(0, cpuMost) > top.earn*k*(1+proofSlack) {
				return true
			}
			earn := 0.0
			for _, b := range set {
				earn += m.dual[b]
			}
			if earn > 1+1e-7 {
				progress = m.enter(column{blocks: set, cost: 1}) || progress
			}
			earn = m.dual[m.n]
			for _, b := range cpuSet {
				earn += m.dual[b]
			}
			if l > 0 && earn > 1e-7 {
				progress = m.enter(column{blocks: cpuSet, cpu: true}) || progress
			}
			if progress {
				break
			}
		}
		if !progress {
			return false
		}
	}
	return false
}

// trace reads back the set of a label.
func (p *pricer) trace(l *priced) []int {
	var set []int
	for k := len(p.order) - 1; l.from != nil; k-- {
		if l.in {
			set = append(set, p.order[k])
		}
		l = l.from
	}
	return set
}

// cpuBest is a good set for one CPU within t, and an upper bound on what any such set earns.
func (g *graph) cpuBest(price []float64, t float64) ([]int, float64) {
	var set []int
	most := 0.0
	var rest []int
	for b := range g.blocks {
		switch x := &g.blocks[b]; {
		case price[b] <= 0 || x.cpu > t:
		case x.cpu == 0:
			set = append(set, b)
			most += price[b]
		default:
			rest = append(rest, b)
		}
	}
	front := []priced{{}}
	q := &pricer{most: cpuFront}
	trails := map[*priced]int{}
	for _, b := range rest {
		next := make([]priced, 0, 2*len(front))
		next = append(next, front...)
		for f := range front {
			if l := front[f].load + g.blocks[b].cpu; l <= t {
				n := priced{load: l, earn: front[f].earn + price[b], from: &front[f], in: true}
				trails[&front[f]] = b
				next = append(next, n)
			}
		}
		front = q.prune(next)
	}
	top := front[len(front)-1]
	for l := &top; l.from != nil; l = l.from {
		set = append(set, trails[l.from])
	}
	if math.IsInf(most, 0) {
		return nil, 0
	}
	return set, most + top.earn
}

// cpuFront is how many points of a CPU's front are kept.
const cpuFront = 2000
