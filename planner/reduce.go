package planner

import (
	"cmp"
	"slices"
)

// reduction is a smaller instance that has a best plan of the original one: places and nodes that no plan uses which is as good as the one
// known are gone, or that can be done without, and pieces that are always together, or can be, are one.
type reduction struct {
	in *instance
	// nodes are the original nodes of the smaller instance's, pieces its piece of each original one.
	nodes, pieces []int
	// place, where not nil, is the known plan's placement in the original instance, moved to one that is as good and still there.
	place []NodeID
}

// reduce is the smaller instance that the known plan allows, nil where nothing is taken away.
func (s *sweep) reduce(known *Plan) *reduction {
	r, joined := s.forbid(known), false
	// A first pass often ends the search sooner than a contraction takes.
	if s.explored > 0 && s.tail == 0 && s.in.contractible() {
		small := r
		if small == nil {
			small = s.in.same()
		}
		if joined = small.contract(s.ctx, s.in, known); joined {
			r = small
		}
	}
	if r == nil {
		return nil
	}
	r.dropNodes()
	if !joined {
		r.mergeFixed()
	}
	if _, err := prepare(r.in); err != nil {
		return nil
	}
	return r
}

// reduceSlack keeps the places of the known plan itself, whatever the order of additions.
const reduceSlack = 1e-9

// forbid takes away every place that no plan as good as the known one uses. It returns nil where all of them stay.
func (s *sweep) forbid(known *Plan) *reduction {
	if known.Objective <= 0 {
		return nil
	}
	return s.in.keeping(s.usable(known.Objective * (1 + reduceSlack)))
}

// keeping is the instance without the places that are not open, by [piece*nodes+node]; what is closed to one piece of a class is closed to
// all. It is nil where no place goes.
func (in *instance) keeping(open []bool) *reduction {
	m, fewer := in.nodes, false
	closed := map[[2]int]bool{}
	class := func(k int) [2]int { return [2]int{in.p.Pieces[k/m].Class, k % m} }
	for k, may := range open {
		if c := class(k); c[0] != 0 && !may {
			closed[c] = true
		}
	}
	r := in.same()
	for k, may := range open {
		if may && !closed[class(k)] && in.run[k] < inf {
			continue
		}
		fewer = fewer || in.run[k] < inf
		r.in.p.Pieces[k/m].Time[k%m] = inf
	}
	if !fewer {
		return nil
	}
	return r
}

// same is the instance as a reduction of itself; the pieces, their times and the values are its own.
func (in *instance) same() *reduction {
	p := *in.p
	p.Pieces, p.Values = slices.Clone(p.Pieces), slices.Clone(p.Values)
	r := &reduction{in: &instance{p: &p, relaxed: in.relaxed, charge: in.charge, pieces: in.pieces, nodes: in.nodes}}
	for i := range p.Pieces {
		p.Pieces[i].Time = slices.Clone(p.Pieces[i].Time)
		r.pieces = append(r.pieces, i)
	}
	for n := range in.nodes {
		r.nodes = append(r.nodes, n)
	}
	return r
}

// usable reports for each [piece*nodes+node] whether a plan below limit may have the piece there: for latency, the piece cannot start so
// late there that the longest path from it is too long, even if every piece that could be on several nodes took no node's time; for
// sums, what the piece adds there beyond its least is not too much; for throughput, it does not take too long itself.
func (s *sweep) usable(limit float64) []bool {
	in, m := s.in, s.in.nodes
	out := make([]bool, in.pieces*m)
	early := s.earliest(limit)
	for k := range out {
		if in.run[k] == inf {
			continue
		}
		i := k / m
		switch in.p.Objective {
		case Latency:
			out[k] = early[k]+s.tails[k] < limit
		case Throughput:
			out[k] = in.run[k] < limit
		case Energy:
			out[k] = s.rest(0, in.joules)-s.leastOf(i, in.joules)+in.joules[k] < limit
		case Price:
			out[k] = s.rest(0, in.price)-s.leastOf(i, in.price)+in.price[k] < limit
		}
	}
	return out
}

// leastOf is the least of a cost of piece i over its nodes.
func (s *sweep) leastOf(i int, cost []float64) float64 { return s.rest(i, cost) - s.rest(i+1, cost) }

// earliest is, per piece and node, when the piece can start there at the earliest in a plan below limit.
func (s *sweep) earliest(limit float64) []float64 {
	in, m := s.in, s.in.nodes
	start, made := make([]float64, in.pieces*m), make([]float64, len(in.p.Values)*m)
	free := make([]float64, m)
	if in.p.Objective != Latency {
		return start
	}
	for v := range in.p.Values {
		if in.p.Values[v].Producer != External {
			continue
		}
		for n := range m {
			if !slices.Contains(in.at(ValueID(v)), NodeID(n)) {
				made[v*m+n] = s.options.least[s.options.row(ValueID(v), 0, NodeID(n))]
			}
		}
	}
	for i := range in.pieces {
		c, left, only := &in.p.Pieces[i], 0, 0
		for n := range m {
			at := free[n]
			for _, v := range c.In {
				at = max(at, made[int(v)*m+n])
			}
			if at+s.tails[i*m+n] >= limit {
				at = inf
			} else {
				left, only = left+1, n
			}
			start[i*m+n] = at
		}
		if left == 1 {
			free[only] = start[i*m+only] + in.run[i*m+only]
		}
		for _, v := range c.Out {
			for b := range m {
				least := inf
				for n := range m {
					at := start[i*m+n] + in.run[i*m+n]
					if n != b {
						at += s.options.least[s.options.row(v, NodeID(n), NodeID(b))]
					}
					least = min(least, at)
				}
				made[int(v)*m+b] = least
			}
		}
	}
	return start
}

// dropNodes takes away the nodes on which no piece can be any more and where nothing is given or wanted.
func (r *reduction) dropNodes() {
	p := r.in.p
	m := len(p.Nodes)
	keep := make([]bool, m)
	keep[p.Source], keep[p.Sink] = true, true
	for i := range p.Pieces {
		for n, t := range p.Pieces[i].Time {
			keep[n] = keep[n] || t < inf
		}
	}
	for v := range p.Values {
		for _, n := range p.Values[v].At {
			keep[n] = true
		}
	}
	now := make([]NodeID, m)
	r.nodes = nil
	for n := range m {
		now[n] = -1
		if keep[n] {
			now[n] = NodeID(len(r.nodes))
			r.nodes = append(r.nodes, n)
		}
	}
	renumber := func(ids []NodeID) []NodeID {
		if ids == nil {
			return nil
		}
		out := []NodeID{}
		for _, n := range ids {
			if now[n] >= 0 {
				out = append(out, now[n])
			}
		}
		return out
	}
	p.Source, p.Sink = now[p.Source], now[p.Sink]
	for i := range p.Pieces {
		c := &p.Pieces[i]
		c.Time, c.Pin = chosen(c.Time, r.nodes), renumber(c.Pin)
	}
	for v := range p.Values {
		p.Values[v].At, p.Values[v].Stay = renumber(p.Values[v].At), renumber(p.Values[v].Stay)
	}
	paths := chosen(p.Paths, r.nodes)
	for a := range paths {
		paths[a] = chosen(paths[a], r.nodes)
	}
	p.Nodes, p.Paths = chosen(p.Nodes, r.nodes), paths
}

func chosen[T any](all []T, which []int) []T {
	out := make([]T, len(which))
	for k, i := range which {
		out[k] = all[i]
	}
	return out
}

// mergeFixed makes one piece of neighbours that can only be on one node, the same, where the second reads nothing but what the first or
// fixed pieces before it made there, and alone reads what the first made: nothing happens between them. All of a fixed piece's class is
// fixed on that node, so that classes need not be told apart any more.
func (r *reduction) mergeFixed() {
	p := r.in.p
	fixed := make([]int, len(p.Pieces))
	for i := range p.Pieces {
		fixed[i] = onlyNode(p.Pieces[i].Time)
	}
	var merged []Piece
	for i := range p.Pieces {
		c := p.Pieces[i]
		if i > 0 && r.follows(i, fixed) {
			last := &merged[len(merged)-1]
			last.Out, last.Time = c.Out, slices.Clone(last.Time)
			last.Time[fixed[i]] += c.Time[fixed[i]]
			last.Weights, last.Work = last.Weights+c.Weights, max(last.Work, c.Work)
			last.Class = cmp.Or(last.Class, c.Class)
			for _, v := range c.In {
				if int(p.Values[v].Producer) != i-1 && !slices.Contains(last.In, v) {
					last.In = append(slices.Clone(last.In), v)
				}
			}
		} else {
			merged = append(merged, c)
		}
		r.pieces[i] = len(merged) - 1
	}
	for v := range p.Values {
		val := &p.Values[v]
		if val.Producer != External {
			val.Producer = PieceID(r.pieces[val.Producer])
		}
		readers := []PieceID{}
		for _, c := range val.Consumers {
			if k := PieceID(r.pieces[c]); k != val.Producer && !slices.Contains(readers, k) {
				readers = append(readers, k)
			}
		}
		val.Consumers = readers
	}
	p.Pieces = merged
}

// follows reports whether piece i can be one with the piece before it.
func (r *reduction) follows(i int, fixed []int) bool {
	p, n := r.in.p, fixed[i]
	if n < 0 || fixed[i-1] != n || len(p.Pieces[i-1].Out) == 0 {
		return false
	}
	for _, v := range p.Pieces[i-1].Out {
		val := &p.Values[v]
		if val.Output || len(val.Consumers) != 1 || int(val.Consumers[0]) != i {
			return false
		}
	}
	for _, v := range p.Pieces[i].In {
		val := &p.Values[v]
		if val.Producer == External {
			if !slices.Contains(r.in.at(v), NodeID(n)) {
				return false
			}
		} else if fixed[val.Producer] != n {
			return false
		}
	}
	return true
}

// onlyNode is the one node that can run a piece, -1 where there are several.
func onlyNode(time []float64) int {
	only := -1
	for n, t := range time {
		if t == inf {
			continue
		}
		if only >= 0 {
			return -1
		}
		only = n
	}
	return only
}
