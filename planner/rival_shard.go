package planner

import "math/bits"

// maxSubset is the most nodes whose subsets a planner goes through; of more, the fastest are taken.
const maxSubset = 10

// edgeShard is EdgeShard's dynamic program for one request: the least time to have layer i done on node j, the first layer on the
// source; for throughput its second program, the least bottleneck over contiguous shards.
func edgeShard(in *instance) []NodeID {
	if in.p.Objective == Throughput {
		return in.shards(true)
	}
	l, m := newLine(in), in.nodes
	if in.pieces == 0 {
		return []NodeID{}
	}
	least, from := make([]float64, in.pieces*m), make([]NodeID, in.pieces*m)
	for k := range least {
		least[k] = inf
	}
	least[int(in.p.Source)] = in.run[int(in.p.Source)]
	for i := 1; i < in.pieces; i++ {
		for n := range m {
			for a := range m {
				if t := least[(i-1)*m+a] + l.move(i, NodeID(a), NodeID(n), true) + in.run[i*m+n]; t < least[i*m+n] {
					least[i*m+n], from[i*m+n] = t, NodeID(a)
				}
			}
		}
	}
	last := in.pieces - 1
	best, at := inf, NodeID(-1)
	for n := range m {
		if t := least[last*m+n] + l.move(in.pieces, NodeID(n), in.p.Sink, true); t < best {
			best, at = t, NodeID(n)
		}
	}
	if at < 0 {
		return nil
	}
	place := make([]NodeID, in.pieces)
	for i := last; i >= 0; i-- {
		place[i] = at
		at = from[i*m+int(at)]
	}
	return place
}

// pipeEdge is PipeEdge's dynamic program: contiguous stages, each node at most one, so that the slowest of all stages and of all
// borders is as fast as possible. A border's time is that of its values over the path between the two nodes.
func pipeEdge(in *instance) []NodeID { return in.shards(false) }

// shards is the dynamic program over (pieces done, nodes used, last node).
func (in *instance) shards(sourceFirst bool) []NodeID {
	nodes := in.fastest(maxSubset)
	m, n := len(nodes), in.pieces
	if n == 0 {
		return []NodeID{}
	}
	l := newLine(in)
	sum := make([][]float64, m) // prefix sums of compute
	weights := make([]int64, n+1)
	for k, node := range nodes {
		sum[k] = make([]float64, n+1)
		for i := range n {
			sum[k][i+1] = sum[k][i] + in.run[i*in.nodes+int(node)]
			weights[i+1] = weights[i] + in.p.Pieces[i].Weights
		}
	}
	states := m << m
	value, back := make([]float64, (n+1)*states), make([]int32, (n+1)*states)
	for k := range value {
		value[k] = inf
	}
	id := func(used uint, last int) int { return int(used)*m + last }
	fits := func(i, j, k int) bool {
		have := in.p.Nodes[nodes[k]].Memory
		return have == 0 || weights[j]-weights[i] <= have
	}
	span := func(i, j, k int) float64 {
		t := sum[k][j] - sum[k][i]
		if t != t { // infinity less infinity: a piece before i cannot run on k
			t = 0
			for x := i; x < j; x++ {
				t += in.run[x*in.nodes+int(nodes[k])]
			}
		}
		return t
	}
	for k := range m {
		if sourceFirst && nodes[k] != in.p.Source {
			continue
		}
		for j := 1; j <= n; j++ {
			if fits(0, j, k) {
				value[j*states+id(1<<k, k)] = max(span(0, j, k), l.move(0, in.p.Source, nodes[k], false))
				back[j*states+id(1<<k, k)] = -1
			}
		}
	}
	for i := 1; i < n; i++ {
		for used := uint(1); used < 1<<m; used++ {
			for last := range m {
				v := value[i*states+id(used, last)]
				if v == inf {
					continue
				}
				for k := range m {
					if used>>k&1 == 1 {
						continue
					}
					border := max(v, l.move(i, nodes[last], nodes[k], false))
					to := id(used|1<<k, k)
					for j := i + 1; j <= n && border < inf && fits(i, j, k); j++ {
						if t := max(border, span(i, j, k)); t < value[j*states+to] {
							value[j*states+to], back[j*states+to] = t, int32(i*states+id(used, last))
						}
					}
				}
			}
		}
	}
	return in.readShards(nodes, l, value, back, states)
}

// readShards reads back the best chain of shards.
func (in *instance) readShards(nodes []NodeID, l *line, value []float64, back []int32, states int) []NodeID {
	m, n := len(nodes), in.pieces
	best, at := inf, -1
	for s := range states {
		t := max(value[n*states+s], l.move(n, nodes[s%m], in.p.Sink, false))
		if t < best || (t == best && at >= 0 && t < inf && bits.OnesCount(uint(s/m)) < bits.OnesCount(uint((at%states)/m))) {
			best, at = t, n*states+s
		}
	}
	if at < 0 {
		return nil
	}
	place := make([]NodeID, n)
	for end := n; at >= 0; {
		node := nodes[at%states%m]
		from := int(back[at])
		begin := 0
		if from >= 0 {
			begin = from / states
		}
		for i := begin; i < end; i++ {
			place[i] = node
		}
		at, end = from, begin
	}
	return place
}

// fastest are the source and the nodes that run the model soonest, at most n in all, in the problem's order.
func (in *instance) fastest(n int) []NodeID {
	keep := map[NodeID]bool{in.p.Source: true}
	for len(keep) < min(n, in.nodes) {
		best, least := NodeID(-1), inf
		for k := range in.nodes {
			sum := 0.0
			for i := range in.pieces {
				sum += in.run[i*in.nodes+k]
			}
			if !keep[NodeID(k)] && (best < 0 || sum < least) {
				best, least = NodeID(k), sum
			}
		}
		keep[best] = true
	}
	var out []NodeID
	for k := range in.nodes {
		if keep[NodeID(k)] {
			out = append(out, NodeID(k))
		}
	}
	return out
}
