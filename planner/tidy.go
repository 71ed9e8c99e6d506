package planner

import (
	"cmp"
	"math"
	"slices"
)

// tidySteps bounds the effort of tidying a plan: a placement that is tried counts a step for each of its pieces and hops, and as many for
// each of its stages where stages are formed. A million take some 100 ms; plans of 372 pieces need 80,000 to 120,000.
const tidySteps = 1_000_000

// tidied is a plan that does less than the given one and is as good: neither its objective nor its latency is larger, no exit answers later,
// and all limits are kept. What has slack in a plan lies wherever the search happened to leave it: a tiny piece on a node of its own, say,
// there and back while the answer waits for something else.
//
// It is a local search by first improvement: of the connected pieces of a node, the stages and the runs of pieces next to a hop, each is
// tried on the nodes that it exchanges values with. A step is taken when the plan then has no more transfers, and fewer stages, or as many
// and fewer transfers, or as many of these and codings that lose less, or as lossy ones of fewer bytes. At last each hop is tried in each of
// its codings, which must not raise period, energy or price either. The result depends on the plan alone.
func (in *instance) tidied(plan *Plan) *Plan {
	if in.relaxed || len(plan.Transfers) == 0 {
		return plan
	}
	t := &tidier{in: in, left: tidySteps, best: plan, codings: plan.Codings()}
	line, ok := t.run(plan.Place, t.codings, inf)
	if !ok {
		return plan
	}
	t.objective, t.latency, t.exits = plan.Objective, line.latency, line.exits()
	for again := true; again; {
		again = false
		for _, propose := range []func(func([]PieceID)){t.parts, t.stages, t.borders} {
			propose(func(pieces []PieceID) { again = t.move(pieces) || again })
		}
	}
	t.recode()
	return t.best
}

// tidier is the state of one local search.
type tidier struct {
	in      *instance
	best    *Plan
	codings Codings // of best
	left    int     // of tidySteps
	// What no plan may exceed: those of the given plan, or of a better one found since.
	objective, latency float64
	exits              []float64
}

// exits is when each exit is at the sink.
func (t *timeline) exits() []float64 {
	var at []float64
	for v := range t.in.p.Values {
		if t.in.p.Values[v].Exit > 0 {
			at = append(at, t.ready[v*t.in.nodes+int(t.in.p.Sink)])
		}
	}
	return at
}

// run is the timeline of a placement, not ok when it is not possible or ends after the limit.
func (t *tidier) run(place []NodeID, codings Codings, limit float64) (*timeline, bool) {
	line := newTimeline(t.in, codings)
	for i, n := range place {
		if t.left--; line.run(PieceID(i), n) != nil || line.latency > limit {
			return nil, false
		}
	}
	t.left -= len(line.moves)
	return line, line.latency < inf
}

// keeps is the plan of a placement, without its stages, nil where it is worse than what is given or breaks a limit.
func (t *tidier) keeps(place []NodeID, codings Codings) (*Plan, *timeline) {
	if t.left <= 0 {
		return nil, nil
	}
	line, ok := t.run(place, codings, t.latency*(1+limitSlack))
	if !ok || later(line.exits(), t.exits) {
		return nil, nil
	}
	plan := line.bare(place)
	if plan.Objective > t.objective*(1+limitSlack) || t.in.withinLimits(plan) != nil {
		return nil, nil
	}
	return plan, line
}

// take makes the plan the best one.
func (t *tidier) take(plan *Plan, line *timeline) {
	t.best, t.codings = plan, plan.Codings()
	t.objective, t.latency = min(t.objective, plan.Objective), min(t.latency, line.latency)
	for k, at := range line.exits() {
		t.exits[k] = min(t.exits[k], at)
	}
}

// move tries the pieces, which are on one node, on each node that they exchange values with, and reports whether that was better once.
func (t *tidier) move(pieces []PieceID) bool {
	pieces = t.class(pieces)
	home := t.best.Place[pieces[0]]
	if slices.ContainsFunc(pieces, func(i PieceID) bool { return t.best.Place[i] != home }) {
		return false // a step since took some of them away
	}
	for _, n := range t.neighbours(pieces) {
		place := slices.Clone(t.best.Place)
		for _, i := range pieces {
			place[i] = n
		}
		if t.hops(place) > len(t.best.Transfers) {
			continue
		}
		plan, line := t.keeps(place, t.codings)
		if plan == nil {
			continue
		}
		line.stages(plan)
		t.left -= (len(place) + len(line.moves)) * len(plan.Stages)
		if t.simpler(plan) {
			t.take(plan, line)
			return true
		}
	}
	return false
}

// hops is how many transfers a placement needs.
func (t *tidier) hops(place []NodeID) int {
	in, n := t.in, 0
	there := make([]int, in.nodes) // one more than the last value that is known to be at the node
	for v := range in.p.Values {
		val := &in.p.Values[v]
		if val.Producer != External {
			there[place[val.Producer]] = v + 1
		} else {
			for _, a := range in.at(ValueID(v)) {
				there[a] = v + 1
			}
		}
		for _, c := range val.Consumers {
			if there[place[c]] != v+1 {
				there[place[c]] = v + 1
				n++
			}
		}
		if val.Output && there[in.p.Sink] != v+1 {
			n++
		}
	}
	return n
}

// simpler reports whether a plan with its stages is better than the best one.
func (t *tidier) simpler(plan *Plan) bool {
	return cmp.Or(
		cmp.Compare(len(plan.Stages), len(t.best.Stages)), cmp.Compare(len(plan.Transfers), len(t.best.Transfers)), byCodings(plan, t.best),
	) < 0
}

// byCodings orders plans by what their codings lose, then by their bytes.
func byCodings(a, b *Plan) int {
	if d := a.Cost.Loss - b.Cost.Loss; math.Abs(d) > limitSlack*max(a.Cost.Loss, b.Cost.Loss) {
		return cmp.Compare(d, 0)
	}
	return cmp.Compare(a.Cost.Bytes, b.Cost.Bytes)
}

// class adds to the pieces those that must be on the same node as one of them.
func (t *tidier) class(pieces []PieceID) []PieceID {
	all, wanted := t.in.p.Pieces, map[int]bool{}
	for _, i := range pieces {
		wanted[all[i].Class] = true
	}
	if delete(wanted, 0); len(wanted) == 0 {
		return pieces
	}
	var out []PieceID
	for i := range all {
		if wanted[all[i].Class] || slices.Contains(pieces, PieceID(i)) {
			out = append(out, PieceID(i))
		}
	}
	return out
}

// neighbours are the other nodes that make what the pieces read, or want what they make, most such values first.
func (t *tidier) neighbours(pieces []PieceID) []NodeID {
	in, place := t.in, t.best.Place
	values := make([]int, in.nodes)
	for _, i := range pieces {
		for _, v := range in.p.Pieces[i].In {
			if in.p.Values[v].Producer != External {
				values[place[in.p.Values[v].Producer]]++
				continue
			}
			for _, n := range in.at(v) {
				values[n]++
			}
		}
		for _, v := range in.p.Pieces[i].Out {
			for _, c := range in.p.Values[v].Consumers {
				values[place[c]]++
			}
			if in.p.Values[v].Output {
				values[in.p.Sink]++
			}
		}
	}
	var out []NodeID
	for n, k := range values {
		if k > 0 && NodeID(n) != place[pieces[0]] {
			out = append(out, NodeID(n))
		}
	}
	slices.SortStableFunc(out, func(a, b NodeID) int { return cmp.Compare(values[b], values[a]) })
	return out
}

// recode tries each hop in each of its codings.
func (t *tidier) recode() {
	for _, m := range t.best.Transfers {
		h := Hop{m.Value, m.To}
		for k := range t.in.p.Values[m.Value].Codings {
			old, was := t.codings[h], t.best.Cost
			if k == old {
				continue
			}
			t.codings[h] = k
			plan, line := t.keeps(t.best.Place, t.codings)
			if plan != nil && byCodings(plan, t.best) < 0 && plan.Cost.Period <= was.Period && plan.Cost.Energy <= was.Energy && plan.Cost.Price <= was.Price {
				if line.stages(plan); len(plan.Stages) <= len(t.best.Stages) {
					t.take(plan, line)
					continue
				}
			}
			t.codings[h] = old
		}
	}
}

// stages proposes each stage.
func (t *tidier) stages(propose func([]PieceID)) {
	var all [][]PieceID
	for _, s := range t.best.Stages {
		all = append(all, s.Pieces)
	}
	inTurn(all, propose)
}

// parts proposes the pieces of a node that values connect without leaving it.
func (t *tidier) parts(propose func([]PieceID)) {
	in, place := t.in, t.best.Place
	group := make([]int, in.pieces) // of each piece so far, an index into out
	var out [][]PieceID
	for i := range PieceID(in.pieces) {
		at := -1
		for _, v := range in.p.Pieces[i].In {
			k := in.p.Values[v].Producer
			if k == External || place[k] != place[i] || group[k] == at {
				continue
			}
			g := group[k]
			if at < 0 {
				at = g
				continue
			}
			for _, moved := range out[g] {
				group[moved] = at
			}
			out[at], out[g] = append(out[at], out[g]...), nil
		}
		if at < 0 {
			at = len(out)
			out = append(out, nil)
		}
		group[i] = at
		out[at] = append(out[at], i)
	}
	inTurn(out, propose)
}

// borders proposes, for each value that travels from one node to another, the last pieces of the stage that makes it, up to the one that makes
// it, and the first of each stage that reads it: 1, 2, 4 and so on.
func (t *tidier) borders(propose func([]PieceID)) {
	stage := make([][]PieceID, t.in.pieces)
	for _, s := range t.best.Stages {
		for _, i := range s.Pieces {
			stage[i] = s.Pieces
		}
	}
	for _, m := range t.best.Transfers {
		val := &t.in.p.Values[m.Value]
		if val.Producer != External {
			s := stage[val.Producer]
			end := slices.Index(s, val.Producer) + 1
			for n := 1; n <= end && n < len(s); n *= 2 {
				propose(s[end-n : end])
			}
		}
		for _, c := range val.Consumers {
			s := stage[c]
			if from := slices.Index(s, c); t.best.Place[c] == m.To {
				for n := 1; from+n <= len(s) && n < len(s); n *= 2 {
					propose(s[from : from+n])
				}
			}
		}
	}
}

// inTurn proposes the groups that are not empty, the smallest first.
func inTurn(groups [][]PieceID, propose func([]PieceID)) {
	slices.SortStableFunc(groups, func(a, b []PieceID) int { return cmp.Compare(len(a), len(b)) })
	for _, g := range groups {
		if len(g) > 0 {
			propose(g)
		}
	}
}
