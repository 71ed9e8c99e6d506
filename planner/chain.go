package planner

import (
	"context"
	"time"
)

// chain is the exact planner for models without branches: every piece reads what the one before it made. Any number of nodes in
// any order; a node may come back. Along a chain nothing overlaps, so latency is a sum, and so are energy and price:
// dynamic programming over (piece, node), O(pieces * nodes^2). With limits, or for throughput, it refuses; sweep takes those.
type chain struct{}

func (chain) Name() string { return "chain" }

func (chain) Plan(_ context.Context, p *Problem) (*Plan, error) {
	begin := time.Now()
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	if err := in.mustBeChain(); err != nil {
		return nil, err
	}
	place, least := in.chainPlace()
	if place == nil {
		return nil, &InfeasibleError{Constraint: "no way leads through the nodes for the whole chain"}
	}
	plan, err := in.evaluate(place, nil)
	if err != nil {
		return nil, err
	}
	return in.prove(plan, Proof{
		Solver: "chain", Bound: least, Elapsed: time.Since(begin), Explored: in.pieces * in.nodes * in.nodes,
		Claim: "dynamic programming over (piece, node): optimal for a chain, whose latency is a sum",
	}), nil
}

// mustBeChain is nil when piece i reads one value, which piece i-1 made (the first: an input), nothing else is read or is an
// output, and no limit couples the pieces.
func (in *instance) mustBeChain() error {
	p := in.p
	switch {
	case p.Objective == Throughput:
		return unsuited("chain minimises sums; throughput is a maximum")
	case p.Limits != (Limits{}):
		return unsuited("chain keeps no limits")
	case !in.free() && additive(p.Objective):
		return unsuited("chain minimises %s where nothing else binds alone: memory, or inputs at several nodes, do", p.Objective)
	}
	for n := range p.Nodes {
		if dimensionsOf(in).memory[n] {
			return unsuited("chain does not weigh the memory of node %q", p.Nodes[n].Name)
		}
	}
	for i := range p.Pieces {
		c := &p.Pieces[i]
		if len(c.In) != 1 || len(c.Out) != 1 || int(p.Values[c.In[0]].Producer) != i-1 || c.Class != 0 {
			return unsuited("piece %q does not stand in a chain", c.Name)
		}
		if v := &p.Values[c.Out[0]]; v.Output != (i == len(p.Pieces)-1) {
			return unsuited("value %q of a chain is an output before its end", v.Name)
		}
	}
	for _, v := range p.Values {
		if v.Producer == External && (v.Output || len(v.Consumers) != 1) {
			return unsuited("value %q is an input that is not read just once", v.Name)
		}
	}
	return nil
}

// chainPlace is the best placement of a chain and its sum.
func (in *instance) chainPlace() ([]NodeID, float64) {
	m := in.nodes
	least, from := make([]float64, in.pieces*m), make([]NodeID, in.pieces*m)
	for i := range in.pieces {
		v := in.p.Pieces[i].In[0]
		for n := range m {
			best := inf
			if i == 0 {
				best = in.fetch(v, NodeID(n))
			} else {
				for a := range m {
					if t := least[(i-1)*m+a] + in.cheapest(v, NodeID(a), NodeID(n)); t < best {
						best, from[i*m+n] = t, NodeID(a)
					}
				}
			}
			least[i*m+n] = best + in.cost(i, NodeID(n))
		}
	}
	if in.pieces == 0 {
		return []NodeID{}, 0
	}
	last := in.pieces - 1
	best, at := inf, NodeID(-1)
	for n := range m {
		if t := least[last*m+n] + in.cheapest(in.p.Pieces[last].Out[0], NodeID(n), in.p.Sink); t < best {
			best, at = t, NodeID(n)
		}
	}
	if at < 0 {
		return nil, inf
	}
	place := make([]NodeID, in.pieces)
	for i := last; i >= 0; i-- {
		place[i] = at
		at = from[i*m+int(at)]
	}
	return place, best
}
