package planner

import (
	"cmp"
	"slices"
)

// maxMergeStages bounds the stages among which merges are tried: each trial settles the whole timeline anew.
const maxMergeStages = 256

// stages groups the pieces of a finished timeline into stages that run as one, and fills in Stages and Transfers.
//
// A node's pieces, in order, begin a new stage where one makes a value that leaves (so that it leaves at once), where one waits for a
// value that arrives later than the stage began, and where the level changes. Then neighbours of one level on a node are merged again
// wherever that delays nothing, neither the end nor an exit: a stage less is a call less.
func (t *timeline) stages(plan *Plan) {
	in := t.in
	leaves := make([]bool, in.pieces)
	for _, m := range t.moves {
		if p := in.p.Values[m.value].Producer; p >= 0 {
			leaves[p] = true
		}
	}
	s := &settled{t: t, of: make([]int, in.pieces)}
	last := make([]int, in.nodes)
	for n := range last {
		last[n] = -1
	}
	for i, n := range plan.Place {
		k := last[n]
		fresh := k < 0
		if !fresh {
			prev := s.stages[k].pieces[len(s.stages[k].pieces)-1]
			fresh = leaves[prev] || in.p.Pieces[prev].Level != in.p.Pieces[i].Level || t.waits(PieceID(i), n, t.start[s.stages[k].pieces[0]])
		}
		if fresh {
			k = len(s.stages)
			s.stages = append(s.stages, &run{node: n})
			last[n] = k
		}
		s.stages[k].pieces = append(s.stages[k].pieces, PieceID(i))
		s.stages[k].seconds += in.run[i*in.nodes+int(n)]
		s.of[i] = k
	}
	s.link()
	s.settle()
	s.merge()
	s.write(plan)
}

// waits reports whether piece i on node n takes an input from elsewhere that arrives after the given time.
func (t *timeline) waits(i PieceID, n NodeID, since float64) bool {
	for _, v := range t.in.p.Pieces[i].In {
		if t.origin[v] != n && t.ready[int(v)*t.in.nodes+int(n)] > since {
			return true
		}
	}
	return false
}

// run is a stage while stages are being merged.
type run struct {
	node       NodeID
	pieces     []PieceID
	seconds    float64
	start, end float64
}

// settled is a timeline at the level of stages.
type settled struct {
	t      *timeline
	stages []*run
	of     []int   // stage of each piece
	order  [][]int // a node's stages
	before []int   // the move that precedes each move on its link, or -1
	needs  [][]int // the moves that bring each piece's inputs
	begin  []float64
	land   []float64
	wired  []float64 // when each move leaves its link
	rank   []int     // of each stage: its turn in the last settle
	end    float64
	exits  []exitAt
}

// exitAt is an exit's value and how it comes to the sink: made there by a piece, or by a move.
type exitAt struct {
	value ValueID
	move  int // -1 when it is made there
}

func (s *settled) link() {
	in, moves := s.t.in, s.t.moves
	s.order = make([][]int, in.nodes)
	for k, r := range s.stages {
		s.order[r.node] = append(s.order[r.node], k)
	}
	last, hopOf := map[int]int{}, map[Hop]int{}
	s.before = make([]int, len(moves))
	for k, m := range moves {
		l := int(m.from)*in.nodes + int(m.to)
		s.before[k] = -1
		if b, ok := last[l]; ok {
			s.before[k] = b
		}
		last[l] = k
		hopOf[Hop{m.value, m.to}] = k
	}
	s.needs = make([][]int, in.pieces)
	for i := range s.needs {
		for _, v := range in.p.Pieces[i].In {
			if k, ok := hopOf[Hop{v, s.stages[s.of[i]].node}]; ok {
				s.needs[i] = append(s.needs[i], k)
			}
		}
	}
	for v := range in.p.Values {
		if in.p.Values[v].Exit > 0 {
			k, moved := hopOf[Hop{ValueID(v), in.p.Sink}]
			if !moved {
				k = -1
			}
			s.exits = append(s.exits, exitAt{ValueID(v), k})
		}
	}
	s.rank = make([]int, len(s.stages))
	s.begin, s.land, s.wired = make([]float64, len(moves)), make([]float64, len(moves)), make([]float64, len(moves))
}

// settle works out when every stage and move happens. It reports false when stages wait for each other in a circle.
func (s *settled) settle() bool {
	in, moves, n := s.t.in, s.t.moves, len(s.stages)
	next, wait := make([][]int, n+len(moves)), make([]int, n+len(moves))
	edge := func(a, b int) {
		next[a] = append(next[a], b)
		wait[b]++
	}
	prev := make([]int, n)
	for _, order := range s.order {
		for k, r := range order {
			prev[r] = -1
			if k > 0 {
				prev[r] = order[k-1]
				edge(order[k-1], r)
			}
			for _, i := range s.stages[r].pieces {
				for _, m := range s.needs[i] {
					edge(n+m, r)
				}
			}
		}
	}
	for k, m := range moves {
		if s.before[k] >= 0 {
			edge(n+s.before[k], n+k)
		}
		if p := in.p.Values[m.value].Producer; p >= 0 {
			edge(s.of[p], n+k)
		}
	}
	var queue []int
	total := len(moves)
	for _, order := range s.order {
		total += len(order)
		for _, r := range order {
			if wait[r] == 0 {
				queue = append(queue, r)
			}
		}
	}
	for k := range moves {
		if wait[n+k] == 0 {
			queue = append(queue, n+k)
		}
	}
	s.end = 0
	done := 0
	for ; done < len(queue); done++ {
		k := queue[done]
		if k < n {
			s.rank[k] = done
			s.settleStage(s.stages[k], prev[k])
		} else {
			s.settleMove(k - n)
		}
		for _, b := range next[k] {
			if wait[b]--; wait[b] == 0 {
				queue = append(queue, b)
			}
		}
	}
	return done == total
}

func (s *settled) settleStage(r *run, prev int) {
	r.start = 0
	if prev >= 0 {
		r.start = s.stages[prev].end
	}
	for _, i := range r.pieces {
		for _, m := range s.needs[i] {
			r.start = max(r.start, s.land[m])
		}
	}
	r.end = r.start + r.seconds
	s.end = max(s.end, r.end)
}

func (s *settled) settleMove(k int) {
	m := &s.t.moves[k]
	s.begin[k] = 0
	if p := s.t.in.p.Values[m.value].Producer; p >= 0 {
		s.begin[k] = s.stages[s.of[p]].end
	}
	taken := 0.0
	if b := s.before[k]; b >= 0 {
		taken = s.wired[b]
	}
	s.wired[k], s.land[k] = m.way.send(s.begin[k], taken)
	s.end = max(s.end, s.land[k])
}

// answers is when each exit is at the sink, and then the end of everything.
func (s *settled) answers() []float64 {
	out := make([]float64, 0, len(s.exits)+1)
	for _, e := range s.exits {
		if e.move >= 0 {
			out = append(out, s.land[e.move])
		} else if p := s.t.in.p.Values[e.value].Producer; p >= 0 {
			out = append(out, s.stages[s.of[p]].end)
		}
	}
	return append(out, s.end)
}

// merge joins neighbouring stages of a node wherever nothing ends later for it.
func (s *settled) merge() {
	limit := s.answers()
	if len(s.stages) > maxMergeStages {
		return
	}
	for n := range s.order {
		for k := 0; k+1 < len(s.order[n]); {
			if !s.join(n, k, limit) {
				k++
			}
		}
	}
	s.settle()
}

// join merges the k-th stage of node n with the one after it, unless that would answer later than limit or close a circle.
func (s *settled) join(n, k int, limit []float64) bool {
	old := s.order[n]
	a, b := s.stages[old[k]], s.stages[old[k+1]]
	if in := s.t.in.p.Pieces; in[a.pieces[0]].Level != in[b.pieces[0]].Level {
		return false
	}
	kept := *a
	a.pieces = slices.Concat(a.pieces, b.pieces)
	a.seconds += b.seconds
	s.order[n] = slices.Delete(slices.Clone(old), k+1, k+2)
	for _, i := range b.pieces {
		s.of[i] = old[k]
	}
	if s.settle() && !later(s.answers(), limit) {
		return true
	}
	*a = kept
	s.order[n] = old
	for _, i := range b.pieces {
		s.of[i] = old[k+1]
	}
	return false
}

// later reports whether one of the times is later than its limit.
func later(times, limit []float64) bool {
	for k, at := range times {
		if at > limit[k]*(1+limitSlack) {
			return true
		}
	}
	return false
}

// write fills in the plan's stages, in an order in which they can run, and its transfers.
func (s *settled) write(plan *Plan) {
	var all []int
	for _, order := range s.order {
		all = append(all, order...)
	}
	slices.SortFunc(all, func(a, b int) int {
		return cmp.Or(cmp.Compare(s.stages[a].start, s.stages[b].start), cmp.Compare(s.rank[a], s.rank[b]))
	})
	for _, k := range all {
		r := s.stages[k]
		plan.Stages = append(plan.Stages, Stage{Node: r.node, Pieces: r.pieces, Start: seconds(r.start), End: seconds(r.end)})
	}
	for k, m := range s.t.moves {
		plan.Transfers = append(plan.Transfers, Transfer{
			Value: m.value, From: m.from, To: m.to, Coding: m.way.coding, Start: seconds(s.begin[k]), End: seconds(s.land[k]),
		})
	}
	slices.SortStableFunc(plan.Transfers, func(a, b Transfer) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Value, b.Value), cmp.Compare(a.To, b.To))
	})
}
