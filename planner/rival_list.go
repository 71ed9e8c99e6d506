package planner

import (
	"cmp"
	"math"
	"slices"
)

// inOrder are the nodes that may run anything, the source first.
func (in *instance) inOrder() []NodeID {
	out := []NodeID{in.p.Source}
	for n := range in.nodes {
		if NodeID(n) != in.p.Source {
			out = append(out, NodeID(n))
		}
	}
	return out
}

// evenSplit gives each node the same number of pieces, in order.
func evenSplit(in *instance) []NodeID {
	order, place := in.inOrder(), make([]NodeID, in.pieces)
	for i := range place {
		place[i] = order[i*len(order)/max(1, in.pieces)]
	}
	return place
}

// memoryProportional gives each node a share of the pieces in proportion to its memory; a node without a limit counts like the
// largest one with a limit.
func memoryProportional(in *instance) []NodeID {
	order, place := in.inOrder(), make([]NodeID, in.pieces)
	var most int64 = 1
	for _, n := range in.p.Nodes {
		most = max(most, n.Memory)
	}
	share, total := make([]float64, len(order)), 0.0
	for k, n := range order {
		m := in.p.Nodes[n].Memory
		if m == 0 {
			m = most
		}
		share[k] = float64(m)
		total += share[k]
	}
	k, upTo := 0, share[0]/total
	for i := range place {
		for k+1 < len(order) && (float64(i)+0.5)/float64(in.pieces) > upTo {
			k++
			upTo += share[k] / total
		}
		place[i] = order[k]
	}
	return place
}

// greedy puts each piece, in order, where it is done first.
func greedy(in *instance) []NodeID {
	order := make([]int, in.pieces)
	for i := range order {
		order[i] = i
	}
	place, _ := in.earliestFinish(order)
	return place
}

// heft schedules the pieces by upward rank (mean time and mean transfer to the end), each where it is done first, in the first gap
// that is long enough.
func heft(in *instance) []NodeID {
	place, _ := in.earliestFinish(in.upwardRank())
	return place
}

// upwardRank orders the pieces by mean time and mean transfer to the end.
func (in *instance) upwardRank() []int {
	rank := make([]float64, in.pieces)
	for i := in.pieces - 1; i >= 0; i-- {
		after := 0.0
		for _, v := range in.p.Pieces[i].Out {
			for _, c := range in.p.Values[v].Consumers {
				after = max(after, in.meanMove(v)+rank[c])
			}
		}
		sum, count := 0.0, 0
		for n := range in.nodes {
			if t := in.run[i*in.nodes+n]; !math.IsInf(t, 1) {
				sum += t
				count++
			}
		}
		rank[i] = after + sum/float64(max(1, count))
	}
	order := make([]int, in.pieces)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank[b], rank[a]) })
	return order
}

// meanMove is the mean seconds of a value between two different nodes.
func (in *instance) meanMove(v ValueID) float64 {
	sum, count := 0.0, 0
	for a := range in.nodes {
		for b := range in.nodes {
			if h, ok := in.rawHop(v, NodeID(a), NodeID(b)); a != b && ok {
				sum += h.seconds()
				count++
			}
		}
	}
	return sum / float64(max(1, count))
}

// slot is a time during which a node computes.
type slot struct{ from, to float64 }

// earliestFinish places the pieces in the given order, which must respect dependencies, where each is done first. Transfers take
// their time but do not queue. It also returns when the last is done.
func (in *instance) earliestFinish(order []int) ([]NodeID, float64) {
	place, end := make([]NodeID, in.pieces), make([]float64, in.pieces)
	busy := make([][]slot, in.nodes)
	memory := make([]int64, in.nodes)
	class, length := map[int]NodeID{}, 0.0
	for _, i := range order {
		best, at, begin := inf, -1, 0.0
		for n := range in.nodes {
			t := in.run[i*in.nodes+n]
			if m, ok := class[in.p.Pieces[i].Class]; math.IsInf(t, 1) || (ok && m != NodeID(n)) {
				continue
			}
			if have := in.p.Nodes[n].Memory; have > 0 && memory[n]+in.p.Pieces[i].Weights+in.p.Pieces[i].Work > have {
				continue
			}
			ready := 0.0
			for _, v := range in.p.Pieces[i].In {
				ready = max(ready, in.arrival(v, NodeID(n), place, end))
			}
			start := gap(busy[n], ready, t)
			if start+t < best {
				best, at, begin = start+t, n, start
			}
		}
		if at < 0 {
			return nil, inf
		}
		length = max(length, best)
		place[i], end[i] = NodeID(at), best
		memory[at] += in.p.Pieces[i].Weights
		if c := in.p.Pieces[i].Class; c != 0 {
			class[c] = NodeID(at)
		}
		busy[at] = append(busy[at], slot{begin, best})
		slices.SortFunc(busy[at], func(a, b slot) int { return cmp.Compare(a.from, b.from) })
	}
	return place, length
}

// arrival is when v, whose maker is placed, can be at node n.
func (in *instance) arrival(v ValueID, n NodeID, place []NodeID, end []float64) float64 {
	val := &in.p.Values[v]
	if val.Producer == External {
		if slices.Contains(in.at(v), n) {
			return 0
		}
		if h, ok := in.rawHop(v, in.at(v)[0], n); ok {
			return h.seconds()
		}
		return inf
	}
	if place[val.Producer] == n {
		return end[val.Producer]
	}
	if h, ok := in.rawHop(v, place[val.Producer], n); ok {
		return end[val.Producer] + h.seconds()
	}
	return inf
}

// gap is the earliest start from ready on at which the node is idle for t.
func gap(busy []slot, ready, t float64) float64 {
	start := ready
	for _, b := range busy {
		if start+t <= b.from {
			break
		}
		start = max(start, b.to)
	}
	return start
}
