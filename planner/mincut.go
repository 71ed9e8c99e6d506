package planner

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/planner/maxflow"
)

// minCut is the exact two-way cut of a DAG by maximum flow, for objectives that are sums: energy, price, and latency without
// overlap (every piece and hop one after the other). It splits between the source and one other node, and tries each other node.
//
// Construction (after Hu, Bao, Wang, Liu: "Dynamic adaptive DNN surgery", INFOCOM 2019, with the arcs that it lacks): s is the
// device, t the cloud. s to v costs v's time in the cloud, v to t its time on the device. Every value has a vertex u' so that it
// is sent once however many pieces read it: maker to u' costs the cheapest coding's hop, u' to each reader is infinite. In the
// one-way form readers have infinite arcs back to the maker, so that nothing returns; in the two-way form a second vertex u”
// charges the hop back. Inputs and outputs are vertices tied to s or t, so that upload and download are paid for.
//
// O(V^2 E) for maximum flow in the worst case, near linear on layered models.
type minCut struct {
	name    string
	returns bool
}

func (m minCut) Name() string { return m.name }

func (m minCut) Plan(ctx context.Context, p *Problem) (*Plan, error) {
	begin := time.Now()
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	if p.Objective == Throughput {
		return nil, unsuited("%s minimises sums; throughput is a maximum", m.name)
	}
	var best *Plan
	var why error
	sum := inf
	explored := 0
	for n := range in.nodes {
		if NodeID(n) == p.Source && in.nodes > 1 {
			continue
		}
		if ctx.Err() != nil && best != nil {
			break
		}
		explored++
		place, value := in.cutBetween(p.Source, NodeID(n), m.returns)
		if value == inf {
			continue
		}
		plan, err := in.evaluate(place, nil)
		if err != nil {
			why = err
			continue
		}
		if best == nil || plan.Objective < best.Objective {
			best = plan
		}
		sum = min(sum, value)
	}
	if best == nil {
		if why == nil {
			why = &InfeasibleError{Constraint: "there is no cut between the source and one other node"}
		}
		return nil, why
	}
	return in.prove(best, m.proof(in, sum, explored, begin)), nil
}

// proof: the cut's sum bounds the objective when that is a sum and there are just two nodes; else the critical path does.
func (m minCut) proof(in *instance, sum float64, explored int, begin time.Time) Proof {
	proof := Proof{
		Solver: m.name, Explored: explored, Elapsed: time.Since(begin),
		Claim: "maximum flow: the least sum of compute and hops over all two-way cuts between the source and one other node",
	}
	if additive(in.p.Objective) && in.nodes <= 2 && m.returns && in.free() {
		proof.Bound = sum
	} else {
		proof.Bound = in.floor()
	}
	return proof
}

// free reports whether the problem has none of the constraints that a cut cannot see.
func (in *instance) free() bool {
	d := dimensionsOf(in)
	if d.loss || (d.energy && in.p.Objective != Energy) || (d.price && in.p.Objective != Price) || d.time || d.period {
		return false
	}
	for _, m := range d.memory {
		if m {
			return false
		}
	}
	for v := range in.p.Values {
		if len(in.p.Values[v].At) > 1 {
			return false
		}
	}
	return in.p.Limits.Stages == 0
}

// cost is what a piece adds to the sum that a cut minimises.
func (in *instance) cost(i int, n NodeID) float64 {
	k := i*in.nodes + int(n)
	switch {
	case math.IsInf(in.run[k], 1):
		return inf
	case in.p.Objective == Energy:
		return in.joules[k]
	case in.p.Objective == Price:
		return in.price[k]
	}
	return in.run[k]
}

// cheapest is the coding with the least weight for a hop, and that weight; +Inf when there is no way.
func (in *instance) cheapest(v ValueID, a, b NodeID) float64 {
	if a == b {
		return 0
	}
	ways := in.ways(v, a, b)
	if len(ways) == 0 {
		return inf
	}
	return in.weigh(&ways[0])
}

// cutBetween is the best placement on nodes a (the source side) and b, and its sum.
func (in *instance) cutBetween(a, b NodeID, returns bool) ([]NodeID, float64) {
	p := in.p
	s, t := in.pieces, in.pieces+1
	arcs := 2*in.pieces + 2*len(p.Values)
	for v := range p.Values {
		arcs += 3 * len(p.Values[v].Consumers)
	}
	f := maxflow.New(in.pieces+2, arcs)
	base := 0.0
	class := map[int]int{}
	for i := range in.pieces {
		// Both costs may be lowered by the smaller one: the cut stays the same and the network thinner.
		ca, cb := in.cost(i, a), in.cost(i, b)
		if least := min(ca, cb); least < inf {
			base += least
			ca, cb = ca-least, cb-least
		} else {
			return nil, inf
		}
		f.Arc(s, i, cb)
		f.Arc(i, t, ca)
		if c := p.Pieces[i].Class; c != 0 {
			if k, ok := class[c]; ok {
				f.Arc(k, i, inf)
				f.Arc(i, k, inf)
			}
			class[c] = i
		}
	}
	for v := range p.Values {
		if base += in.tieValue(f, ValueID(v), a, b, returns); base == inf {
			return nil, inf
		}
	}
	value := f.Run(s, t)
	if value == inf {
		return nil, inf
	}
	place := make([]NodeID, in.pieces)
	for i := range place {
		place[i] = b
		if f.Side(i) {
			place[i] = a
		}
	}
	return place, base + value
}

// tieValue adds value v to the network. It returns what v costs whatever the cut; +Inf when it cannot be served at all.
func (in *instance) tieValue(f *maxflow.Network, v ValueID, a, b NodeID, returns bool) float64 {
	p, s, t := in.p, in.pieces, in.pieces+1
	val := &p.Values[v]
	readsA, readsB := make([]int, 0, len(val.Consumers)+1), make([]int, 0, len(val.Consumers)+1)
	for _, c := range val.Consumers {
		readsA, readsB = append(readsA, int(c)), append(readsB, int(c))
	}
	elsewhere := val.Output && p.Sink != a && p.Sink != b
	if val.Producer == External {
		fixed := 0.0
		switch {
		case elsewhere:
			fixed = in.fetch(v, p.Sink)
		case val.Output && p.Sink == b:
			readsB = append(readsB, t)
		case val.Output:
			readsA = append(readsA, s)
		}
		in.tieInput(f, v, a, b, readsA, readsB)
		return fixed
	}
	maker, up, down := int(val.Producer), in.cheapest(v, a, b), in.cheapest(v, b, a)
	switch {
	case elsewhere:
		// A third node takes the output from wherever it is made.
		f.Arc(maker, t, in.cheapest(v, a, p.Sink))
		f.Arc(s, maker, in.cheapest(v, b, p.Sink))
	case val.Output && p.Sink == b:
		readsB = append(readsB, t)
	case val.Output && returns:
		readsA = append(readsA, s)
	case val.Output:
		// Even a plan from which nothing returns brings its answer home, at its price.
		f.Arc(s, maker, down)
	}
	if !returns {
		down = inf
	}
	f.Once(maker, readsB, up)
	if len(readsA) > 0 && down > 0 {
		u := f.Vertex()
		f.Arc(u, maker, down)
		for _, r := range readsA {
			f.Arc(r, u, inf)
		}
	}
	return 0
}

// tieInput charges the hop of an External value to a side as soon as one reader is there.
func (in *instance) tieInput(f *maxflow.Network, v ValueID, a, b NodeID, readsA, readsB []int) {
	s, t := in.pieces, in.pieces+1
	f.Once(s, readsB, in.fetch(v, b))
	if toA := in.fetch(v, a); toA > 0 && len(readsA) > 0 {
		u := f.Vertex()
		f.Arc(u, t, toA)
		for _, r := range readsA {
			f.Arc(r, u, inf)
		}
	}
}

// fetch is the least weight of bringing an External value to node n.
func (in *instance) fetch(v ValueID, n NodeID) float64 {
	if slices.Contains(in.at(v), n) {
		return 0
	}
	options := in.options(v, 0, n)
	if len(options) == 0 {
		return inf
	}
	return in.weigh(&options[0].hop)
}
