package workload

import (
	"math"
	"slices"
)

// reach holds ancestors and descendants of every block, itself included.
type reach struct{ up, down []set }

func (g *graph) reach() *reach {
	n := len(g.blocks)
	r := &reach{make([]set, n), make([]set, n)}
	for b := range n {
		r.up[b] = newSet(n)
		r.up[b].add(b)
		for _, p := range g.blocks[b].preds {
			r.up[b].or(r.up[p])
		}
	}
	for b := n - 1; b >= 0; b-- {
		r.down[b] = newSet(n)
		r.down[b].add(b)
		for _, s := range g.blocks[b].succs {
			r.down[b].or(r.down[s])
		}
	}
	return r
}

func (s set) or(o set) {
	for k := range s {
		s[k] |= o[k]
	}
}

func (s set) meets(o set) bool {
	for k := range s {
		if s[k]&o[k] != 0 {
			return true
		}
	}
	return false
}

// pathBound is the largest bound over some long paths, and the path that gives it.
func (g *graph) pathBound(r *reach) (float64, []int) {
	best, path := 0.0, []int{}
	for _, weight := range []func(*block) float64{
		least,
		func(b *block) float64 { return b.cpu },
		func(b *block) float64 { return least(b) + b.sendCost() },
		func(*block) float64 { return 1 },
		func(b *block) float64 { return b.size },
	} {
		p := g.longest(weight)
		if after := g.segments(p, r); after[0][g.w.Accelerators] > best {
			best, path = after[0][g.w.Accelerators], p
		}
	}
	return best, path
}

func least(b *block) float64 { return min(b.cpu, b.accelerator) }

func (b *block) sendCost() float64 {
	sum := 0.0
	for _, s := range b.sends {
		sum += s.cost
	}
	return sum
}

// longest is the path with the largest sum of weights.
func (g *graph) longest(weight func(*block) float64) []int {
	n := len(g.blocks)
	far, next := make([]float64, n), make([]int, n)
	first := -1
	for b := n - 1; b >= 0; b-- {
		next[b] = -1
		for _, s := range g.blocks[b].succs {
			if next[b] < 0 || far[s] > far[next[b]] {
				next[b] = s
			}
		}
		far[b] = weight(&g.blocks[b])
		if next[b] >= 0 {
			far[b] += far[next[b]]
		}
		if first < 0 || far[b] > far[first] {
			first = b
		}
	}
	var path []int
	for b := first; b >= 0; b = next[b] {
		path = append(path, b)
	}
	return path
}

// segments is a lower bound on the time from the start of each block of a path to the end, per number of accelerators left: the
// cheapest division of the rest of the path into blocks on CPUs and segments on accelerators, where a segment is charged for all
// that its accelerator must hold and move.
func (g *graph) segments(path []int, r *reach) [][]float64 {
	n, k := len(path), g.w.Accelerators
	value := make([][]float64, n+1)
	for i := range value {
		value[i] = make([]float64, k+1)
		for left := range value[i] {
			value[i][left] = math.Inf(1)
			if i == n {
				value[i][left] = 0
			}
		}
	}
	for i := n - 1; i >= 0; i-- {
		if g.w.CPUs > 0 {
			for left, v := range value[i+1] {
				value[i][left] = v + g.onCPUs(path, i)
			}
		}
		for j := i; j < n; j++ {
			t, fits := g.segment(path, i, j, r)
			if !fits {
				continue
			}
			for left := 1; left <= k; left++ {
				value[i][left] = min(value[i][left], t+value[j+1][left-1])
			}
		}
	}
	return value
}

// onCPUs is the least time of the i-th block of a path on CPUs: its own when it is one op, else from an op that hears of the block
// before to one that the block after hears of.
func (g *graph) onCPUs(path []int, i int) float64 {
	b := path[i]
	if len(g.blocks[b].ops) == 1 {
		return g.blocks[b].cpu
	}
	from, to := -1, -1
	if i > 0 {
		from = path[i-1]
	}
	if i+1 < len(path) {
		to = path[i+1]
	}
	t, _ := g.through(b, from, to)
	return t
}

// whole reports whether every block passes on what it hears: each op that hears of another block reaches, inside its block, each op
// that another block hears of. Only then is a path of blocks a path of ops, and an order of blocks no restriction.
func (g *graph) whole() bool {
	for b := range g.blocks {
		if _, ok := g.through(b, -1, -1); !ok {
			return false
		}
	}
	return true
}

// through is the least time, on CPUs, from an op of a block that hears of block from to one that sends to block to, where -1 stands for
// any block, and whether all of the former reach all of the latter. Where nothing is heard or sent, whole chains count.
func (g *graph) through(b, from, to int) (float64, bool) {
	x := &g.blocks[b]
	hears, least := map[int]bool{}, math.Inf(1)
	for _, u := range x.hears {
		if from >= 0 && g.of[u] != from {
			continue
		}
		for _, k := range g.w.Ops[u].Succs {
			hears[k] = hears[k] || g.of[k] == b
		}
	}
	starts := [][]int{}
	for h, ok := range hears {
		if ok {
			starts = append(starts, []int{h})
		}
	}
	if len(starts) == 0 {
		starts = [][]int{x.ops} // nothing is waited for: the longest chain up to each sender counts
	}
	for _, start := range starts {
		far, most := map[int]float64{}, 0.0
		for _, k := range x.ops {
			t, ok := 0.0, slices.Contains(start, k)
			for _, p := range g.w.Ops[k].Preds {
				if u, has := far[p]; has {
					t, ok = max(t, u), true
				}
			}
			if ok {
				far[k] = t + g.w.Ops[k].CPU
				most = max(most, far[k])
			}
		}
		sends := false
		for _, s := range x.sends {
			if to >= 0 && !slices.Contains(s.to, to) {
				continue
			}
			t, ok := far[s.op]
			if !ok {
				return 0, false
			}
			sends = true
			least = min(least, t)
		}
		if !sends {
			least = min(least, most) // nothing waits: the longest chain from the start counts
		}
	}
	return least, true
}

// segment is the least time of an accelerator's call that meets the path in blocks i to j, and whether there can be one.
func (g *graph) segment(path []int, i, j int, r *reach) (float64, bool) {
	n := len(g.blocks)
	before, after := newSet(n), newSet(n)
	if i > 0 {
		before = r.up[path[i-1]]
	}
	if j+1 < len(path) {
		after = r.down[path[j+1]]
	}
	// The hull of a path's segment: everything between its ends.
	hull := newSet(n)
	for x := range hull {
		hull[x] = r.down[path[i]][x] & r.up[path[j]][x]
	}
	if hull.meets(before) || hull.meets(after) {
		return 0, false
	}
	t, size := 0.0, 0.0
	hull.each(func(b int) {
		x := &g.blocks[b]
		t += x.accelerator
		size += x.size
		for _, s := range x.sends {
			for _, to := range s.to {
				if after.has(to) {
					t += s.cost
					break
				}
			}
		}
	})
	before.each(func(b int) {
		for _, s := range g.blocks[b].sends {
			for _, to := range s.to {
				if hull.has(to) {
					t += s.cost
					break
				}
			}
		}
	})
	return t, size <= g.w.Memory && !math.IsInf(t, 1)
}
