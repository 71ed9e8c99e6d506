package planner

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/planner/maxflow"
)

// tiers is the exact ordered multi-tier cut of a DAG: nodes stand in a row, the source first and then the slower before the faster, and
// no value goes back except the answer. It minimises the sum of compute and hops when a value that passes several tiers is handed
// on from tier to tier: then the sum splits into one cut per pair of neighbouring tiers, and one minimum cut of a network with a
// layer per pair finds all of them (Ishikawa 2003, for labels in a row). O(V^2 E) in (tiers-1) times the problem's size.
type tiers struct{}

func (tiers) Name() string { return "tiers" }

func (tiers) Plan(_ context.Context, p *Problem) (*Plan, error) {
	begin := time.Now()
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	if p.Objective == Throughput {
		return nil, unsuited("tiers minimises sums; throughput is a maximum")
	}
	row := in.tierOrder()
	place, sum := in.tierCut(row)
	if place == nil {
		return nil, &InfeasibleError{Constraint: "no way leads along the tiers"}
	}
	plan, err := in.evaluate(place, nil)
	if err != nil {
		return nil, err
	}
	proof := Proof{Solver: "tiers", Elapsed: time.Since(begin), Explored: len(row), Bound: in.floor()}
	proof.Claim = "one minimum cut over all tiers: the least sum of compute and hops when values are handed on from tier to tier, " +
		formatObjective(p.Objective, sum)
	return in.prove(plan, proof), nil
}

// tierOrder is the source, then the other nodes, slower ones first.
func (in *instance) tierOrder() []NodeID {
	total := make([]float64, in.nodes)
	for n := range total {
		for i := range in.pieces {
			total[n] += in.run[i*in.nodes+n]
		}
	}
	row := in.inOrder()
	slices.SortStableFunc(row[1:], func(a, b NodeID) int { return cmp.Compare(total[b], total[a]) })
	return row
}

// tierCut is the best placement of pieces on the tiers of row, in which no value goes back, and its sum. The sink must be the first
// or the last tier.
func (in *instance) tierCut(row []NodeID) ([]NodeID, float64) {
	k, n := len(row), in.pieces
	if k == 1 {
		sum := 0.0
		for i := range n {
			sum += in.cost(i, row[0])
		}
		return prefix(n, n, row[0], row[0]), sum
	}
	s, t := n*(k-1), n*(k-1)+1
	// Vertex (i, j) is on s's side when piece i stands on tier j or before it.
	at := func(i PieceID, j int) int { return int(i)*(k-1) + j }
	f := maxflow.New(t+1, 6*n*k)
	for i := range PieceID(n) {
		f.Arc(at(i, 0), t, in.cost(int(i), row[0]))
		f.Arc(s, at(i, k-2), in.cost(int(i), row[k-1]))
		for j := 1; j < k-1; j++ {
			f.Arc(at(i, j), at(i, j-1), in.cost(int(i), row[j]))
			f.Arc(at(i, j-1), at(i, j), inf)
		}
	}
	for v := range in.p.Values {
		if !in.tierValue(f, ValueID(v), row, at, s, t) {
			return nil, inf
		}
	}
	class := map[int]PieceID{}
	for i := range PieceID(n) {
		c := in.p.Pieces[i].Class
		if b, ok := class[c]; ok && c != 0 {
			for j := range k - 1 {
				f.Arc(at(i, j), at(b, j), inf)
				f.Arc(at(b, j), at(i, j), inf)
			}
		}
		class[c] = i
	}
	sum := f.Run(s, t)
	if sum == inf {
		return nil, inf
	}
	place := make([]NodeID, n)
	for i := range place {
		place[i] = row[k-1]
		for j := k - 2; j >= 0 && f.Side(at(PieceID(i), j)); j-- {
			place[i] = row[j]
		}
	}
	return place, sum
}

// tierValue charges value v at every border between tiers that it crosses, and reports whether it can be served.
func (in *instance) tierValue(f *maxflow.Network, v ValueID, row []NodeID, at func(PieceID, int) int, s, t int) bool {
	val, k := &in.p.Values[v], len(row)
	home, far := in.p.Sink == row[0], in.p.Sink == row[k-1]
	if val.Output && !home && !far || val.Producer == External && !slices.Equal(in.at(v), row[:1]) {
		return false
	}
	for j := range k - 1 {
		maker := s
		if val.Producer != External {
			maker = at(val.Producer, j)
		}
		var readers []int
		for _, c := range val.Consumers {
			readers = append(readers, at(c, j))
			if maker != s {
				f.Arc(at(c, j), maker, inf)
			}
		}
		if val.Output && far {
			readers = append(readers, t)
		}
		f.Once(maker, readers, in.cheapest(v, row[j], row[j+1]))
		if val.Output && home && maker != s {
			f.Arc(s, maker, in.cheapest(v, row[j+1], row[j]))
		}
	}
	return true
}
