package workload

import (
	"math"
	"math/bits"
	"slices"
)

// graph is a workload whose ops are merged into blocks that share a device in every placement that counts.
type graph struct {
	w      *Workload
	blocks []block
	of     []int // block of each op
}

// block is a set of ops on one device.
type block struct {
	ops              []int
	cpu, accelerator float64
	size             float64
	preds, succs     []int // blocks, ascending
	// sends are the ops whose output leaves the block, with the blocks that read it; hears are the ops of other blocks
	// whose output the block reads.
	sends []send
	hears []int
}

type send struct {
	op   int
	cost float64
	to   []int
}

// classes merges the ops of one colour class.
func (w *Workload) classes() *graph {
	of, next := make([]int, len(w.Ops)), 0
	class := map[int]int{}
	for k := range w.Ops {
		c := w.Ops[k].Class
		if b, ok := class[c]; ok && c != 0 {
			of[k] = b
			continue
		}
		of[k] = next
		class[c] = next
		next++
	}
	return w.merge(of, next)
}

// convex merges further what a contiguous placement cannot separate: blocks on a circle of blocks. The blocks come in
// topological order.
func (g *graph) convex() *graph {
	comp, n := g.components()
	of := make([]int, len(g.w.Ops))
	for k := range of {
		of[k] = comp[g.of[k]]
	}
	return g.w.merge(of, n)
}

// merge builds the graph of blocks 0 to n-1.
func (w *Workload) merge(of []int, n int) *graph {
	g := &graph{w: w, of: of, blocks: make([]block, n)}
	for k := range w.Ops {
		b := &g.blocks[of[k]]
		b.ops = append(b.ops, k)
		b.cpu += w.Ops[k].CPU
		b.accelerator += w.Ops[k].Accelerator
		b.size += w.Ops[k].Size
		s := send{op: k, cost: w.Ops[k].Cost}
		for _, t := range w.Ops[k].Succs {
			if of[t] != of[k] && !slices.Contains(s.to, of[t]) {
				s.to = append(s.to, of[t])
				g.blocks[of[t]].hears = append(g.blocks[of[t]].hears, k)
				g.blocks[of[t]].preds = append(g.blocks[of[t]].preds, of[k])
				b.succs = append(b.succs, of[t])
			}
		}
		if len(s.to) > 0 {
			b.sends = append(b.sends, s)
		}
	}
	for k := range g.blocks {
		b := &g.blocks[k]
		slices.Sort(b.preds)
		slices.Sort(b.succs)
		b.preds, b.succs = slices.Compact(b.preds), slices.Compact(b.succs)
		if b.size > w.Memory {
			b.accelerator = math.Inf(1)
		}
	}
	return g
}

// components are the strongly connected components (Tarjan 1972), numbered in topological order.
func (g *graph) components() ([]int, int) {
	n := len(g.blocks)
	index, low, comp := make([]int, n), make([]int, n), make([]int, n)
	for v := range index {
		index[v], comp[v] = -1, -1
	}
	var stack []int
	clock, count := 0, 0
	type frame struct{ v, k int }
	for root := range n {
		if index[root] >= 0 {
			continue
		}
		work := []frame{{root, 0}}
		for len(work) > 0 {
			f := &work[len(work)-1]
			if f.k == 0 {
				index[f.v], low[f.v] = clock, clock
				clock++
				stack = append(stack, f.v)
			}
			if f.k < len(g.blocks[f.v].succs) {
				s := g.blocks[f.v].succs[f.k]
				f.k++
				if index[s] < 0 {
					work = append(work, frame{s, 0})
				} else if comp[s] < 0 {
					low[f.v] = min(low[f.v], index[s])
				}
				continue
			}
			v := f.v
			work = work[:len(work)-1]
			if len(work) > 0 {
				u := work[len(work)-1].v
				low[u] = min(low[u], low[v])
			}
			if low[v] == index[v] {
				for {
					u := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					comp[u] = count
					if u == v {
						break
					}
				}
				count++
			}
		}
	}
	for v := range comp {
		comp[v] = count - 1 - comp[v]
	}
	return comp, count
}

// set is a set of blocks as bits.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) has(k int) bool { return s[k>>6]>>(k&63)&1 == 1 }
func (s set) add(k int)      { s[k>>6] |= 1 << (k & 63) }

// each calls f with every member, ascending.
func (s set) each(f func(int)) {
	for k, w := range s {
		for w != 0 {
			f(k<<6 + bits.TrailingZeros64(w))
			w &= w - 1
		}
	}
}
