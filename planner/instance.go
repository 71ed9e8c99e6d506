package planner

import (
	"math"
	"slices"
)

// instance is a valid Problem with everything that solvers look up worked out once: what each piece takes on each node, and
// what each way of carrying each value between each two nodes takes.
type instance struct {
	p             *Problem
	pieces, nodes int
	// relaxed forgets the limits and what couples pieces by sums: its optimum bounds the problem's. Codings that alone break
	// the accuracy budget stay out.
	relaxed bool
	// charge is seconds added to the latency per unit of accuracy lost: the Lagrangian multiplier of the accuracy budget, in
	// relaxed instances only.
	charge float64
	// run is wall-clock seconds of a piece on a node, +Inf where it must not or cannot run: [piece*nodes+node].
	run []float64
	// joules and price of a piece on a node, parallel to run.
	joules, price []float64
	// hops are the usable codings of a value from one node to another: [(value*nodes+from)*nodes+to]. Empty means that it
	// cannot travel that way. Each list is a Pareto front: fastest first, then only what loses less accuracy, or costs less.
	hops [][]hop
}

// hop is one value over one path under one coding, in seconds.
type hop struct {
	coding int
	// encode and decode are codec time at the two ends, wire is how long the link is taken, delay is the half round trip.
	encode, wire, delay, decode float64
	bytes                       int64
	joules, price, loss         float64
}

// seconds is how long the hop takes from value ready to value usable, over an idle link.
func (h *hop) seconds() float64 { return h.encode + h.wire + h.delay + h.decode }

// send is a hop of a value that is ready at the given time, over a link that is taken until then: when the link is free again, and when the
// value has arrived.
func (h *hop) send(ready, taken float64) (free, arrival float64) {
	free = max(ready+h.encode, taken) + h.wire
	return free, free + h.delay + h.decode
}

// newInstance validates p and prepares it.
func newInstance(p *Problem) (*instance, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return prepare(&instance{p: p})
}

// prepare fills in an instance of which the problem, and what is relaxed, are given.
func prepare(in *instance) (*instance, error) {
	in.pieces, in.nodes = len(in.p.Pieces), len(in.p.Nodes)
	in.fillPieces()
	in.fillHops()
	return in, in.reachable()
}

// slowdown is what codec seconds on a node of speed 1 are multiplied by on node n.
func (in *instance) slowdown(n NodeID) float64 {
	s := in.p.Nodes[n].Speed
	if s == 0 {
		s = 1
	}
	return 1 / s
}

func (in *instance) fillPieces() {
	p := in.p
	in.run = make([]float64, in.pieces*in.nodes)
	in.joules = make([]float64, len(in.run))
	in.price = make([]float64, len(in.run))
	for i := range p.Pieces {
		c := &p.Pieces[i]
		for n := range p.Nodes {
			k := i*in.nodes + n
			in.run[k] = c.Time[n] / (1 - p.Nodes[n].Load)
			if c.Pin != nil && !slices.Contains(c.Pin, NodeID(n)) {
				in.run[k] = math.Inf(1)
			}
			if m := p.Nodes[n].Memory; m > 0 && c.Weights+c.Work > m {
				in.run[k] = math.Inf(1)
			}
			for _, v := range c.In {
				if !p.mayBe(v, NodeID(n)) {
					in.run[k] = math.Inf(1)
				}
			}
			for _, v := range c.Out {
				if !p.mayBe(v, NodeID(n)) {
					in.run[k] = math.Inf(1)
				}
			}
			if !math.IsInf(in.run[k], 1) {
				in.joules[k] = c.Time[n] * p.Nodes[n].Power
				in.price[k] = c.Time[n] * p.Nodes[n].Price
			}
		}
	}
	in.shareClasses()
}

// shareClasses forbids a node to every piece of a class when it is forbidden to one.
func (in *instance) shareClasses() {
	members := map[int][]int{}
	for i := range in.p.Pieces {
		if c := in.p.Pieces[i].Class; c != 0 {
			members[c] = append(members[c], i)
		}
	}
	for _, class := range members {
		for n := range in.nodes {
			bad := slices.ContainsFunc(class, func(i int) bool { return math.IsInf(in.run[i*in.nodes+n], 1) })
			for _, i := range class {
				if bad {
					in.run[i*in.nodes+n] = math.Inf(1)
				}
			}
		}
	}
}

// mayBe reports whether the value is allowed to be at the node.
func (p *Problem) mayBe(v ValueID, n NodeID) bool {
	s := p.Values[v].Stay
	return s == nil || slices.Contains(s, n)
}

func (in *instance) fillHops() {
	p := in.p
	in.hops = make([][]hop, len(p.Values)*in.nodes*in.nodes)
	for v := range p.Values {
		for a := range p.Nodes {
			for b := range p.Nodes {
				if a != b && p.mayBe(ValueID(v), NodeID(a)) && p.mayBe(ValueID(v), NodeID(b)) {
					in.hops[(v*in.nodes+a)*in.nodes+b] = in.waysOf(ValueID(v), NodeID(a), NodeID(b))
				}
			}
		}
	}
}

// waysOf lists the codings of v worth using from a to b, best first in the problem's objective.
func (in *instance) waysOf(v ValueID, a, b NodeID) []hop {
	p := in.p
	if p.Paths[a][b].Goodput == 0 {
		return nil
	}
	ways := make([]hop, 0, len(p.Values[v].Codings))
	for k, c := range p.Values[v].Codings {
		if p.Limits.Loss == 0 || c.Loss <= p.Limits.Loss {
			ways = append(ways, in.way(v, a, b, k))
		}
	}
	return in.best(ways)
}

// best sorts ways, best first, and drops those that another one makes useless.
func (in *instance) best(ways []hop) []hop {
	slices.SortStableFunc(ways, func(x, y hop) int {
		return compareBy(in.weigh(&x), in.weigh(&y), x.wire, y.wire, x.loss, y.loss)
	})
	return in.front(ways)
}

// way is the hop of v from a to b under coding k. Golden figures are in testdata/formulas.
func (in *instance) way(v ValueID, a, b NodeID, k int) hop {
	p, w, c := in.p, in.p.Paths[a][b], in.p.Values[v].Codings[k]
	ce, cd := c.Encode*in.slowdown(a), c.Decode*in.slowdown(b)
	return hop{
		coding: k, encode: ce / (1 - p.Nodes[a].Load), decode: cd / (1 - p.Nodes[b].Load),
		wire: w.Overhead + float64(c.Bytes)/w.Goodput, delay: w.RTT.Seconds() / 2, bytes: c.Bytes,
		joules: ce*p.Nodes[a].Power + cd*p.Nodes[b].Power + w.Energy*float64(c.Bytes),
		price:  ce*p.Nodes[a].Price + cd*p.Nodes[b].Price, loss: c.Loss,
	}
}

// weigh is what a hop adds to the objective, as far as one hop alone can say.
func (in *instance) weigh(h *hop) float64 {
	switch in.p.Objective {
	case Energy:
		return h.joules
	case Price:
		return h.price
	case Throughput:
		return max(h.encode, h.wire, h.decode)
	default:
		return h.seconds() + in.charge*h.loss
	}
}

// front drops every way that another one beats or equals in all that the problem counts.
func (in *instance) front(ways []hop) []hop {
	l := in.limits()
	var kept []hop
	for _, w := range ways {
		beaten := slices.ContainsFunc(kept, func(k hop) bool {
			if in.weigh(&k) > in.weigh(&w) || (l.Loss > 0 && k.loss > w.loss) {
				return false
			}
			if (l.Energy > 0 && k.joules > w.joules) || (l.Price > 0 && k.price > w.price) {
				return false
			}
			if additive(in.p.Objective) && l.Latency+l.Period == 0 {
				return true
			}
			if delays(&k, &w) > in.charge*(w.loss-k.loss) {
				return false
			}
			return (in.p.Objective != Throughput && l.Period == 0) || (k.encode <= w.encode && k.decode <= w.decode)
		})
		if !beaten {
			kept = append(kept, w)
		}
	}
	return kept
}

// delays is by how much, at most, the link is free later or the value there later when hop k takes the place of hop w.
func delays(k, w *hop) float64 {
	free := max(0, k.encode-w.encode) + k.wire - w.wire
	return max(0, free, free+k.decode-w.decode)
}

// at lists the nodes that hold an External value from the start.
func (in *instance) at(v ValueID) []NodeID {
	if a := in.p.Values[v].At; a != nil {
		return a
	}
	return []NodeID{in.p.Source}
}

// ways are the usable codings of v from a to b, best first.
func (in *instance) ways(v ValueID, a, b NodeID) []hop {
	return in.hops[(int(v)*in.nodes+int(a))*in.nodes+int(b)]
}

// limits are the problem's, or none when they are relaxed.
func (in *instance) limits() Limits {
	if in.relaxed {
		return Limits{}
	}
	return in.p.Limits
}

// additive reports whether a plan's objective is a sum over its pieces and hops.
func additive(o Objective) bool { return o == Energy || o == Price }

// reachable is an *InfeasibleError when some piece has no node at all, else nil.
func (in *instance) reachable() error {
	for i := range in.pieces {
		if !slices.ContainsFunc(in.run[i*in.nodes:(i+1)*in.nodes], func(t float64) bool { return !math.IsInf(t, 1) }) {
			return in.noNode(i)
		}
	}
	return nil
}

// noNode says why piece i has no node: memory when that alone would open one, else the rules of place.
func (in *instance) noNode(i int) error {
	c := &in.p.Pieces[i]
	var most int64
	blocked := false
	for n := range in.p.Nodes {
		m := in.p.Nodes[n].Memory
		if m > 0 && c.Weights+c.Work > m {
			blocked = true
			most = max(most, m)
		}
	}
	if blocked {
		return &InfeasibleError{
			Constraint: "memory for piece " + c.Name + " on any node that may run it",
			Need:       float64(c.Weights + c.Work), Have: float64(most), Unit: "bytes",
		}
	}
	return &InfeasibleError{Constraint: "no node can and may run piece " + c.Name}
}

func compareBy(pairs ...float64) int {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] < pairs[i+1] {
			return -1
		}
		if pairs[i] > pairs[i+1] {
			return 1
		}
	}
	return 0
}
