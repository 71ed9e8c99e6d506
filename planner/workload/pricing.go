package workload

import (
	"cmp"
	"math"
	"slices"
)

// pricer answers, for prices of blocks: what is the most that a set of blocks can earn when its load on one accelerator is at most a
// given load? The load of a set is its compute plus the cost of every output whose maker and readers are not all on one side:
// a hypergraph cut. Dynamic programming over the blocks in an order that keeps few outputs open; a label is (state of the open
// outputs, load, earnings), and only labels of which no other has less load and more earnings are kept. When there are more than
// most of them, neighbours are merged into one that is better than both, so that the answer stays an upper bound.
type pricer struct {
	g     *graph
	order []int
	nets  []net
	first [][]int // nets that open at each position
	last  [][]int // nets that close at each position
	ofs   [][]int // nets of each block
	most  int
}

// net is an output with its maker and readers.
type net struct {
	cost   float64
	blocks []int
}

// netState of an open output: no block seen in the set, all of them, or some: paid.
const (
	netNone = iota
	netAll
	netCut
)

func newPricer(g *graph, most int) *pricer {
	p := &pricer{g: g, most: most, ofs: make([][]int, len(g.blocks))}
	shared := map[string]int{}
	for b := range g.blocks {
		for _, s := range g.blocks[b].sends {
			if s.cost == 0 {
				continue
			}
			members := append([]int{b}, s.to...)
			slices.Sort(members)
			key := ""
			for _, m := range members {
				key += string(rune(m)) + ","
			}
			// Outputs with the same maker and readers are cut together.
			if k, ok := shared[key]; ok {
				p.nets[k].cost += s.cost
				continue
			}
			shared[key] = len(p.nets)
			p.nets = append(p.nets, net{s.cost, members})
		}
	}
	for k, n := range p.nets {
		for _, b := range n.blocks {
			p.ofs[b] = append(p.ofs[b], k)
		}
	}
	p.arrange()
	return p
}

// arrange orders the blocks greedily: always the one after which the fewest nets are open.
func (p *pricer) arrange() {
	n := len(p.g.blocks)
	left := make([]int, len(p.nets))
	open := make([]bool, len(p.nets))
	for k := range p.nets {
		left[k] = len(p.nets[k].blocks)
	}
	done := make([]bool, n)
	for len(p.order) < n {
		best, score := -1, math.MaxInt
		for b := range n {
			if done[b] {
				continue
			}
			s := 0
			touches := false
			for _, k := range p.ofs[b] {
				touches = touches || open[k]
				if !open[k] && left[k] > 1 {
					s += 2
				}
				if open[k] && left[k] == 1 {
					s -= 2
				}
			}
			if touches {
				s--
			}
			if s < score {
				best, score = b, s
			}
		}
		done[best] = true
		p.order = append(p.order, best)
		for _, k := range p.ofs[best] {
			open[k] = true
			left[k]--
			open[k] = left[k] > 0
		}
	}
	at := make([]int, n)
	for k, b := range p.order {
		at[b] = k
	}
	p.first, p.last = make([][]int, n), make([][]int, n)
	for k, x := range p.nets {
		lo, hi := n, 0
		for _, b := range x.blocks {
			lo, hi = min(lo, at[b]), max(hi, at[b])
		}
		p.first[lo] = append(p.first[lo], k)
		p.last[hi] = append(p.last[hi], k)
	}
}

// priced is a label: a point of one state's front.
type priced struct {
	load, earn float64
	// from is the label before, in keeps how the last block was decided; nil where labels were merged or not traced.
	from *priced
	in   bool
}

// run returns the front of (load, earnings) over all sets with load at most limit, load ascending.
func (p *pricer) run(price []float64, limit float64, trace bool) []priced {
	slot := make([]int, len(p.nets))
	var live []int
	states := map[string][]priced{"": {{}}}
	for k, b := range p.order {
		for _, x := range p.first[k] {
			slot[x] = len(live)
			live = append(live, x)
		}
		next := map[string][]priced{}
		keys := make([]string, 0, len(states))
		for key := range states {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			front := states[key]
			for _, in := range []bool{false, true} {
				t := p.g.blocks[b].accelerator
				if in && math.IsInf(t, 1) {
					continue
				}
				s := make([]byte, len(live))
				copy(s, key)
				for j := len(key); j < len(live); j++ {
					s[j] = 'n' // new
				}
				paid := 0.0
				for _, x := range p.ofs[b] {
					j := slot[x]
					want := byte(netNone)
					if in {
						want = netAll
					}
					switch {
					case s[j] == 'n':
						s[j] = want
					case s[j] != want && s[j] != netCut:
						s[j] = netCut
						paid += p.nets[x].cost
					}
				}
				add := func(load, earn float64) {
					out := string(p.shut(s, live, k))
					for f := range front {
						l := priced{load: front[f].load + load, earn: front[f].earn + earn, in: in}
						if l.load > limit {
							break
						}
						if trace {
							l.from = &front[f]
						}
						next[out] = append(next[out], l)
					}
				}
				if in {
					add(t+paid, price[b])
				} else {
					add(paid, 0)
				}
			}
		}
		kept := live[:0]
		for _, x := range live {
			if !slices.Contains(p.last[k], x) {
				slot[x] = len(kept)
				kept = append(kept, x)
			}
		}
		live = kept
		for key := range next {
			next[key] = p.prune(next[key])
		}
		states = next
	}
	var all []priced
	for _, f := range states {
		all = append(all, f...)
	}
	return p.prune(all)
}

// shut is the state without the nets that close at position k.
func (p *pricer) shut(s []byte, live []int, k int) []byte {
	out := make([]byte, 0, len(s))
	for j, x := range live {
		if !slices.Contains(p.last[k], x) {
			out = append(out, s[j])
		}
	}
	return out
}

// prune keeps the front, and merges neighbours optimistically while it is too long.
func (p *pricer) prune(l []priced) []priced {
	slices.SortFunc(l, func(a, b priced) int { return cmp.Or(cmp.Compare(a.load, b.load), cmp.Compare(b.earn, a.earn)) })
	out := make([]priced, 0, min(len(l), p.most))
	for _, x := range l {
		if len(out) == 0 || x.earn > out[len(out)-1].earn {
			out = append(out, x)
		}
	}
	for len(out) > p.most {
		half := out[:0]
		for k := 0; k < len(out); k += 2 {
			x := out[k]
			if k+1 < len(out) {
				x.earn, x.from, x.in = out[k+1].earn, out[k+1].from, out[k+1].in
			}
			half = append(half, x)
		}
		out = half
	}
	return out
}
