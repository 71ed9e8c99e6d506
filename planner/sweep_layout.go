package planner

import (
	"math"
	"slices"
)

// dimensions says which quantities a label must carry for this problem.
type dimensions struct {
	time, period, energy, price, loss bool
	memory                            []bool
}

func dimensionsOf(in *instance) dimensions {
	l, o := in.limits(), in.p.Objective
	d := dimensions{
		time: o == Latency || l.Latency > 0, period: o == Throughput || l.Period > 0,
		energy: o == Energy || l.Energy > 0, price: o == Price || l.Price > 0, loss: l.Loss > 0 || in.charge > 0,
		memory: make([]bool, in.nodes),
	}
	var weights, work int64
	for i := range in.p.Pieces {
		weights += in.p.Pieces[i].Weights
		work = max(work, in.p.Pieces[i].Work)
	}
	for n := range in.nodes {
		have := in.p.Nodes[n].Memory
		d.memory[n] = have > 0 && weights+work > have && !in.relaxed
	}
	return d
}

// layout says where in a label's vector each quantity stands before one step, and which values are live there.
type layout struct {
	live []ValueID // made or given before, needed at or after this piece
	// kept is, per live value, where it stands in the layout before, -1 where it was made since; fresh and read say where the values stand
	// that the piece before made and read, -1 for those that nothing needs any more.
	kept, fresh, read []int
	// inputs are where the values that the next piece reads stand.
	inputs []int
	// parts are, per live value, the least that each part of a hop takes, by [from*nodes+to].
	parts [][]hopParts
	// given reports per live value whether it is there from the start, held per [live*nodes+node] whether it is there on that node.
	given, held []bool
	// least and quickest are, per live value, the fewest seconds from [origin*nodes] to a node, with and without what loss is charged with.
	least, quickest [][]float64
	classes         []int // classes with pieces both before and after
	// frontier are the pieces to come with a live input, or with none at all; minimal those of them that wait for nothing else.
	frontier, minimal []waiter
	ready             int // L*nodes times
	free, link        int
	latency           int
	busy, wires       int
	energy, price     int
	loss              int
	weights, work     int
	used              int // 1 per node that has a piece
	size              int
	// soft is how many numbers, from the first, are times of which the objective is the latest: later by little, it is more by as little.
	soft int
}

// waiter is a piece to come as far as what there is decides about it.
type waiter struct {
	live  []int     // which live values it reads
	run   []float64 // per node: how long it takes
	tails []float64 // per node: from its start there to the answer, at least
}

// layouts prepares one layout per step.
func (s *sweep) layouts() {
	in := s.in
	last := make([]int, len(in.p.Values))
	for v := range in.p.Values {
		last[v] = -1
		if c := in.p.Values[v].Consumers; len(c) > 0 {
			last[v] = int(c[len(c)-1])
		}
	}
	first, final := map[int]int{}, map[int]int{}
	for i := range in.pieces {
		if c := in.p.Pieces[i].Class; c != 0 {
			if _, ok := first[c]; !ok {
				first[c] = i
			}
			final[c] = i
		}
	}
	var live []ValueID
	for v := range in.p.Values {
		if in.p.Values[v].Producer == External && last[v] >= 0 {
			live = append(live, ValueID(v))
		}
	}
	orphans := []int{}
	for i := range in.pieces {
		// A piece that takes no time and touches no value may start whenever it likes.
		if c := &in.p.Pieces[i]; len(c.In) == 0 && (len(c.Out) > 0 || slices.Max(c.Time) > 0) {
			orphans = append(orphans, i)
		}
	}
	s.steps = make([]layout, in.pieces+1)
	for i := range s.steps {
		if i > 0 {
			live = append(live, in.p.Pieces[i-1].Out...)
		}
		live = slices.DeleteFunc(slices.Clone(live), func(v ValueID) bool { return last[v] < i })
		y := &s.steps[i]
		y.live = live
		s.standing(y, i)
		for c, f := range first {
			if f < i && final[c] >= i {
				y.classes = append(y.classes, c)
			}
		}
		slices.Sort(y.classes)
		s.frontierOf(y, i, orphans)
		s.place(y)
	}
}

// standing looks up where y's live values stood in the layout before piece i-1, and what is known of them.
func (s *sweep) standing(y *layout, i int) {
	in, m := s.in, s.in.nodes
	for _, v := range y.live {
		at := -1
		if i > 0 {
			at = slices.Index(s.steps[i-1].live, v)
		}
		y.kept = append(y.kept, at)
		y.given = append(y.given, in.p.Values[v].Producer == External)
		y.least = append(y.least, s.options.least[int(v)*m*m:(int(v)+1)*m*m])
		y.parts = append(y.parts, s.options.parts[int(v)*m*m:(int(v)+1)*m*m])
		y.quickest = append(y.quickest, s.options.quickest[int(v)*m*m:(int(v)+1)*m*m])
		for n := range m {
			y.held = append(y.held, in.p.Values[v].Producer == External && slices.Contains(in.at(v), NodeID(n)))
		}
	}
	if i > 0 {
		for _, v := range in.p.Pieces[i-1].Out {
			y.fresh = append(y.fresh, slices.Index(y.live, v))
		}
		for _, v := range in.p.Pieces[i-1].In {
			y.read = append(y.read, slices.Index(y.live, v))
		}
	}
	if i < in.pieces {
		for _, v := range in.p.Pieces[i].In {
			y.inputs = append(y.inputs, slices.Index(y.live, v))
		}
	}
}

// frontierOf lists the pieces that wait for something of layout y, before piece i, or for nothing at all.
func (s *sweep) frontierOf(y *layout, i int, orphans []int) {
	in, m := s.in, s.in.nodes
	var frontier []int
	seen := map[int]bool{}
	for _, v := range y.live {
		for _, c := range in.p.Values[v].Consumers {
			if int(c) >= i && !seen[int(c)] {
				seen[int(c)] = true
				frontier = append(frontier, int(c))
			}
		}
	}
	for _, c := range orphans {
		if c >= i {
			frontier = append(frontier, c)
		}
	}
	slices.Sort(frontier)
	for _, c := range frontier {
		w := waiter{run: in.run[c*m : (c+1)*m], tails: s.tails[c*m : (c+1)*m]}
		complete := true
		for _, v := range in.p.Pieces[c].In {
			if k := slices.Index(y.live, v); k >= 0 {
				w.live = append(w.live, k)
			} else {
				complete = false
			}
		}
		y.frontier = append(y.frontier, w)
		if complete {
			y.minimal = append(y.minimal, w)
		}
	}
}

// place assigns offsets.
func (s *sweep) place(y *layout) {
	n, at := s.in.nodes, 0
	take := func(on bool, size int) int {
		if !on {
			return -1
		}
		at += size
		return at - size
	}
	y.ready = take(true, len(y.live)*n)
	y.free = take(s.dims.time, n)
	y.link = take(s.dims.time, n*n)
	y.latency = take(s.dims.time, 1)
	y.busy = take(s.dims.period, n)
	y.wires = take(s.dims.period, n*n)
	y.energy = take(s.dims.energy, 1)
	y.price = take(s.dims.price, 1)
	y.loss = take(s.dims.loss, 1)
	mem := slices.Contains(s.dims.memory, true)
	y.weights = take(mem, n)
	y.work = take(mem, n)
	y.used = take(s.in.limits().Stages > 0, n)
	y.size = at
	switch l := s.in.limits(); {
	case l.Latency+l.Period > 0 || l.Stages > 0:
	case s.in.p.Objective == Latency:
		y.soft = y.latency + 1
	case s.in.p.Objective == Throughput:
		y.soft = y.wires + n*n
	}
}

// tailTable is, per piece and node, the least seconds from the piece's start there to the answer, along any one path: later
// pieces on their best nodes, hops under their fastest codings, no queues.
func (s *sweep) tailTable() []float64 {
	in := s.in
	tails := make([]float64, in.pieces*in.nodes)
	for i := in.pieces - 1; i >= 0; i-- {
		for n := range in.nodes {
			most := 0.0
			for _, v := range in.p.Pieces[i].Out {
				most = max(most, s.tailOf(tails, v, NodeID(n)))
			}
			tails[i*in.nodes+n] = in.run[i*in.nodes+n] + most
		}
	}
	return tails
}

// tailOf is the least seconds from value v being ready at node n to the answer.
func (s *sweep) tailOf(tails []float64, v ValueID, n NodeID) float64 {
	in, most := s.in, 0.0
	if in.p.Values[v].Output && n != in.p.Sink {
		most = s.options.least[s.options.row(v, n, in.p.Sink)]
	}
	for _, c := range in.p.Values[v].Consumers {
		least := inf
		for b := range in.nodes {
			t := tails[int(c)*in.nodes+b]
			if NodeID(b) != n {
				t += s.options.least[s.options.row(v, n, NodeID(b))]
			}
			least = min(least, t)
		}
		most = max(most, least)
	}
	return most
}

// loadBound prepares the bound by work: shares are weights of nodes that sum to 1, lightest[i] the least weighted seconds of
// the pieces from i on. Whatever the placement, the busiest node is busy for at least the weighted mean.
func (s *sweep) loadBound() {
	in := s.in
	s.shares = make([]float64, in.nodes)
	total := 0.0
	for n := range in.nodes {
		sum := 0.0
		for i := range in.pieces {
			if t := in.run[i*in.nodes+n]; !math.IsInf(t, 1) {
				sum += t
			}
		}
		if sum > 0 {
			s.shares[n] = 1 / sum
		}
		total += s.shares[n]
	}
	for n := range s.shares {
		if total > 0 {
			s.shares[n] /= total
		}
	}
	s.lightest = make([]float64, in.pieces+1)
	for i := in.pieces - 1; i >= 0; i-- {
		least := inf
		for n := range in.nodes {
			if t := in.run[i*in.nodes+n]; !math.IsInf(t, 1) {
				least = min(least, s.shares[n]*t)
			}
		}
		s.lightest[i] = s.lightest[i+1] + least
	}
}
