package planner

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Hop is one value on its way to one receiving node.
type Hop struct {
	Value ValueID
	To    NodeID
}

// Codings says which of a value's codings each hop uses (an index into Value.Codings). A hop that is not in it uses the
// coding that is best for the objective; nil leaves all to that rule.
type Codings map[Hop]int

// Evaluate predicts what a placement costs. It is the one cost model: every planner's plan has gone through it.
//
// A node runs its pieces in the problem's order, one after the other; a piece starts when its node is free and its inputs are
// there. A value goes to each node that needs it once, from the node that made it (for an External value: from the holder with
// the shortest hop), as soon as it is made. A hop takes encode, then its link for overhead + bytes/goodput, then half a
// round trip, then decode. A link carries one hop at a time, in the order in which pieces come to need the values. Codec work
// and links run beside compute. The answer is there when every output has reached the sink and every piece is done.
//
// Period is the busiest node's or link's seconds per request (on a node: compute and codec work). Energy and Price sum compute,
// codec work and bytes. Memory is, per node, the weights of its pieces and the largest Work among them. Loss adds over hops.
//
// It fails when place has the wrong length, uses a node that a piece may not be on, needs a way that does not exist, or exceeds a
// limit (an *InfeasibleError).
func Evaluate(p *Problem, place []NodeID, codings Codings) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	return in.evaluate(place, codings)
}

func (in *instance) evaluate(place []NodeID, codings Codings) (*Plan, error) {
	if err := in.checkPlace(place); err != nil {
		return nil, err
	}
	t := newTimeline(in, codings)
	for i, n := range place {
		if err := t.run(PieceID(i), n); err != nil {
			return nil, err
		}
	}
	plan := t.plan(place)
	if err := in.withinLimits(plan); err != nil {
		return nil, err
	}
	return plan, nil
}

func (in *instance) checkPlace(place []NodeID) error {
	if len(place) != in.pieces {
		return invalid("%d pieces are placed, the problem has %d", len(place), in.pieces)
	}
	first := map[int]int{}
	for i, n := range place {
		c := &in.p.Pieces[i]
		if !in.p.hasNode(n) {
			return invalid("piece %q is placed on node %d of %d", c.Name, n, in.nodes)
		}
		if math.IsInf(in.run[i*in.nodes+int(n)], 1) {
			return &InfeasibleError{Constraint: fmt.Sprintf("node %s cannot or may not run piece %s", in.p.Nodes[n].Name, c.Name)}
		}
		if c.Class == 0 {
			continue
		}
		if k, ok := first[c.Class]; ok && place[k] != n {
			return &InfeasibleError{
				Constraint: fmt.Sprintf("one node for class %d (pieces %s, %s)", c.Class, in.p.Pieces[k].Name, c.Name), Need: 1, Have: 2, Unit: "nodes",
			}
		} else if !ok {
			first[c.Class] = i
		}
	}
	return nil
}

// move is one hop on the timeline, in seconds.
type move struct {
	value          ValueID
	from, to       NodeID
	way            hop
	start, arrival float64
}

// timeline runs a placement piece by piece.
type timeline struct {
	in      *instance
	codings Codings
	ready   []float64 // [value*nodes+node]: when the value is there, NaN when it is not
	origin  []NodeID  // node that made the value; -1 before
	free    []float64 // per node
	link    []float64 // [from*nodes+to]: when the link is free
	start   []float64 // per piece
	moves   []move
	latency float64
	err     error
}

func newTimeline(in *instance, codings Codings) *timeline {
	t := &timeline{
		in: in, codings: codings,
		ready: make([]float64, len(in.p.Values)*in.nodes), origin: make([]NodeID, len(in.p.Values)),
		free: make([]float64, in.nodes), link: make([]float64, in.nodes*in.nodes), start: make([]float64, in.pieces),
	}
	for k := range t.ready {
		t.ready[k] = math.NaN()
	}
	for v := range in.p.Values {
		t.origin[v] = -1
		if in.p.Values[v].Producer != External {
			continue
		}
		for _, n := range in.at(ValueID(v)) {
			t.ready[v*in.nodes+int(n)] = 0
		}
		if in.p.Values[v].Output && t.err == nil {
			_, t.err = t.bring(ValueID(v), in.p.Sink)
		}
	}
	return t
}

// run places the next piece and moves what it needs and what the sink needs of it.
func (t *timeline) run(i PieceID, n NodeID) error {
	if t.err != nil {
		return t.err
	}
	in := t.in
	start := t.free[n]
	for _, v := range in.p.Pieces[i].In {
		at, err := t.bring(v, n)
		if err != nil {
			return err
		}
		start = max(start, at)
	}
	end := start + in.run[int(i)*in.nodes+int(n)]
	t.start[i], t.free[n] = start, end
	t.latency = max(t.latency, end)
	for _, v := range in.p.Pieces[i].Out {
		t.ready[int(v)*in.nodes+int(n)], t.origin[v] = end, n
		if in.p.Values[v].Output {
			if _, err := t.bring(v, in.p.Sink); err != nil {
				return err
			}
		}
	}
	return nil
}

// bring is when v is at node n, moving it there if need be.
func (t *timeline) bring(v ValueID, n NodeID) (float64, error) {
	in := t.in
	if at := t.ready[int(v)*in.nodes+int(n)]; !math.IsNaN(at) {
		return at, nil
	}
	from, way, err := t.choose(v, n)
	if err != nil {
		return 0, err
	}
	at := t.ready[int(v)*in.nodes+int(from)]
	l := int(from)*in.nodes + int(n)
	free, arrival := way.send(at, t.link[l])
	t.link[l] = free
	t.ready[int(v)*in.nodes+int(n)] = arrival
	t.moves = append(t.moves, move{v, from, n, way, at, arrival})
	if in.p.Values[v].Output && n == in.p.Sink {
		t.latency = max(t.latency, arrival)
	}
	return arrival, nil
}

// choose picks the node that sends v to n, and the way.
func (t *timeline) choose(v ValueID, n NodeID) (NodeID, hop, error) {
	in := t.in
	coding, chosen := t.codings[Hop{v, n}]
	if chosen && (coding < 0 || coding >= len(in.p.Values[v].Codings)) {
		return 0, hop{}, invalid("value %q has no coding %d", in.p.Values[v].Name, coding)
	}
	origin := t.origin[v]
	if in.p.Values[v].Producer == External {
		origin = in.at(v)[0]
	}
	if in.p.Values[v].Producer != External {
		ways := in.ways(v, origin, n)
		if len(ways) == 0 {
			return 0, hop{}, in.noWay(v, origin, n)
		}
		if chosen {
			return origin, in.way(v, origin, n, coding), nil
		}
		return origin, ways[0], nil
	}
	if chosen {
		if from, way, ok := in.holder(v, n, coding); ok {
			return from, way, nil
		}
	} else if options := in.options(v, origin, n); len(options) > 0 {
		return options[0].from, options[0].hop, nil
	}
	return 0, hop{}, in.noWay(v, origin, n)
}

func (in *instance) noWay(v ValueID, a, b NodeID) error {
	val := &in.p.Values[v]
	if !in.p.mayBe(v, b) {
		return &InfeasibleError{Constraint: fmt.Sprintf("value %s may not be at node %s", val.Name, in.p.Nodes[b].Name)}
	}
	return &InfeasibleError{Constraint: fmt.Sprintf("no path carries value %s from %s to %s", val.Name, in.p.Nodes[a].Name, in.p.Nodes[b].Name)}
}

// totals adds up what does not depend on timing.
func (t *timeline) totals(place []NodeID) Cost {
	in := t.in
	c := Cost{Memory: make([]int64, in.nodes)}
	busy, work := make([]float64, in.nodes), make([]int64, in.nodes)
	links := make([]float64, in.nodes*in.nodes)
	for i, n := range place {
		k := i*in.nodes + int(n)
		busy[n] += in.run[k]
		c.Energy += in.joules[k]
		c.Price += in.price[k]
		c.Memory[n] += in.p.Pieces[i].Weights
		work[n] = max(work[n], in.p.Pieces[i].Work)
	}
	for n := range work {
		c.Memory[n] += work[n]
	}
	for _, m := range t.moves {
		busy[m.from] += m.way.encode
		busy[m.to] += m.way.decode
		links[int(m.from)*in.nodes+int(m.to)] += m.way.wire
		c.Energy += m.way.joules
		c.Price += m.way.price
		c.Loss += m.way.loss
		c.Bytes += m.way.bytes
	}
	c.Latency = seconds(t.latency)
	c.Period = seconds(max(slices.Max(busy), slices.Max(links)))
	return c
}

func (t *timeline) period(place []NodeID) float64 {
	in := t.in
	busy, links := make([]float64, in.nodes), make([]float64, in.nodes*in.nodes)
	for i, n := range place {
		busy[n] += in.run[i*in.nodes+int(n)]
	}
	for _, m := range t.moves {
		busy[m.from] += m.way.encode
		busy[m.to] += m.way.decode
		links[int(m.from)*in.nodes+int(m.to)] += m.way.wire
	}
	return max(slices.Max(busy), slices.Max(links))
}

// plan is the finished timeline as a Plan, with an empty proof.
func (t *timeline) plan(place []NodeID) *Plan {
	plan := t.bare(place)
	t.stages(plan)
	return plan
}

// bare is plan without its stages and transfers.
func (t *timeline) bare(place []NodeID) *Plan {
	plan := &Plan{Place: slices.Clone(place), Cost: t.totals(place)}
	switch t.in.p.Objective {
	case Throughput:
		plan.Objective = t.period(place)
	case Energy:
		plan.Objective = plan.Cost.Energy
	case Price:
		plan.Objective = plan.Cost.Price
	default:
		plan.Objective = t.latency + t.in.charge*plan.Cost.Loss
	}
	return plan
}

// withinLimits is nil or an *InfeasibleError that names the first limit the plan exceeds.
func (in *instance) withinLimits(plan *Plan) error {
	l, c := in.limits(), plan.Cost
	if in.relaxed {
		return nil
	}
	for n, m := range c.Memory {
		if have := in.p.Nodes[n].Memory; have > 0 && m > have {
			return &InfeasibleError{Constraint: "memory of node " + in.p.Nodes[n].Name, Need: float64(m), Have: float64(have), Unit: "bytes"}
		}
	}
	for _, q := range []struct {
		what       string
		need, have float64
		unit       string
	}{
		{"latency", c.Latency.Seconds(), l.Latency.Seconds(), "s"},
		{"period", c.Period.Seconds(), l.Period.Seconds(), "s"},
		{"energy", c.Energy, l.Energy, "J"},
		{"price", c.Price, l.Price, "units"},
		{"accuracy loss", c.Loss, l.Loss, "units"},
		{"number of stages", float64(len(plan.Stages)), float64(l.Stages), "stages"},
	} {
		if q.have > 0 && q.need > q.have*(1+limitSlack) {
			return &InfeasibleError{Constraint: "the limit on " + q.what, Need: q.need, Have: q.have, Unit: q.unit}
		}
	}
	return nil
}

// limitSlack forgives the rounding of sums when they are compared with a limit.
const limitSlack = 1e-12

// seconds is s as a Duration, rounded to nanoseconds and saturated.
func seconds(s float64) time.Duration {
	if s >= math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(s * 1e9))
}
