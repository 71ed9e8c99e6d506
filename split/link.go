package split

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
)

// link checks that ids are in range and that every value is defined once and before use, sorts the ops topologically
// (stable: ops that stand in order stay where they are), and fills Producer and Consumers.
func (g *Graph) link() error {
	for i := range g.Values {
		g.Values[i].Producer = -1
		g.Values[i].Consumers = nil
	}
	given := make([]bool, len(g.Values))
	for _, list := range [][]ValueID{g.Inputs, g.Captured} {
		for _, v := range list {
			if v < 0 || int(v) >= len(g.Values) {
				return invalid("graph %q: input id %d is out of range", g.Name, v)
			}
			if given[v] || g.Values[v].Const != nil {
				return invalid("value %q is defined twice", g.Values[v].Name)
			}
			given[v] = true
		}
	}
	for i := range g.Ops {
		o := &g.Ops[i]
		for _, v := range o.Outputs {
			switch {
			case v == None:
				continue
			case v < 0 || int(v) >= len(g.Values):
				return g.opError(o, invalid("output id %d is out of range", v))
			case given[v] || g.Values[v].Const != nil || g.Values[v].Producer >= 0:
				return g.opError(o, invalid("value %q is defined twice", g.Values[v].Name))
			}
			g.Values[v].Producer = OpID(i)
		}
	}
	for i := range g.Ops {
		o := &g.Ops[i]
		for _, list := range [][]ValueID{o.Inputs, o.Captures} {
			for _, v := range list {
				if v == None {
					continue
				}
				if v < 0 || int(v) >= len(g.Values) {
					return g.opError(o, invalid("input id %d is out of range", v))
				}
				if !given[v] && g.Values[v].Const == nil && g.Values[v].Producer < 0 {
					return g.opError(o, invalid("input %q is defined nowhere: the model file is incomplete", g.Values[v].Name))
				}
			}
		}
	}
	for _, v := range g.Outputs {
		if v < 0 || int(v) >= len(g.Values) {
			return invalid("graph %q: output id %d is out of range", g.Name, v)
		}
		if !given[v] && g.Values[v].Const == nil && g.Values[v].Producer < 0 {
			return invalid("graph output %q is computed by no op", g.Values[v].Name)
		}
	}
	if err := g.sortOps(); err != nil {
		return err
	}
	for i := range g.Ops {
		o := &g.Ops[i]
		for _, v := range o.Outputs {
			if v != None {
				g.Values[v].Producer = OpID(i)
			}
		}
		for _, list := range [][]ValueID{o.Inputs, o.Captures} {
			for _, v := range list {
				if v == None {
					continue
				}
				if c := &g.Values[v].Consumers; len(*c) == 0 || (*c)[len(*c)-1] != OpID(i) {
					*c = append(*c, OpID(i))
				}
			}
		}
	}
	return nil
}

// sortOps puts the ops in the topological order that is nearest to the order they have: of the ops that are ready, the
// first comes first. It fails with the name of an op on a cycle.
func (g *Graph) sortOps() error {
	sorted := true
	for i := range g.Ops {
		for v := range g.Ops[i].reads() {
			if p := g.Values[v].Producer; p >= OpID(i) {
				sorted = false
			}
		}
	}
	if sorted {
		return nil
	}
	waiting := make([]int, len(g.Ops))
	next := make([][]int, len(g.Ops))
	ready := &opHeap{}
	for i := range g.Ops {
		seen := map[OpID]bool{}
		for v := range g.Ops[i].reads() {
			if p := g.Values[v].Producer; p >= 0 && !seen[p] {
				seen[p] = true
				waiting[i]++
				next[p] = append(next[p], i)
			}
		}
		if waiting[i] == 0 {
			heap.Push(ready, i)
		}
	}
	order := make([]Op, 0, len(g.Ops))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		order = append(order, g.Ops[i])
		for _, n := range next[i] {
			if waiting[n]--; waiting[n] == 0 {
				heap.Push(ready, n)
			}
		}
	}
	if len(order) < len(g.Ops) {
		for i := range g.Ops {
			if waiting[i] > 0 {
				return g.opError(&g.Ops[i], invalid("the op is on a cycle, or depends on one"))
			}
		}
	}
	g.Ops = order
	return nil
}

// reads iterates over the values that o reads, captured ones included, with repetitions.
func (o *Op) reads() func(yield func(ValueID) bool) {
	return func(yield func(ValueID) bool) {
		for _, list := range [][]ValueID{o.Inputs, o.Captures} {
			for _, v := range list {
				if v != None && !yield(v) {
					return
				}
			}
		}
	}
}

type opHeap []int

func (h opHeap) Len() int           { return len(h) }
func (h opHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h opHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *opHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *opHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// sortedKeys is the keys of m, ascending.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
