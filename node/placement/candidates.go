package placement

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

const (
	// maxBlock is the most groups of a block, leastShare the least share of a plan's latency that its groups take.
	maxBlock   = 64
	leastShare = 0.05
	// fewChannels is the most channels of a part that engines may compute in another way than the whole, and so round otherwise; parts
	// along axis 1 are larger, and multiples of channelStep.
	channelStep = 8
	// maxNeeds is how many blocks of a round have their needs worked out.
	maxNeeds = 4000
)

// candidate is a block with the machines that its parts would be on.
type candidate struct {
	d     split.Division
	nodes []planner.NodeID // parallel to d.Parts
	home  planner.NodeID
	from  *homePlan
	score float64 // estimated latency of the whole, in seconds
}

// homePlan is a plan whose blocks are divided: where its groups are, by name.
type homePlan struct {
	latency float64
	place   map[string]planner.NodeID
	all     planner.NodeID // where groups are that place does not know
}

// placesOf is where each group of a stated problem is, by its name.
func placesOf(st *Stated, place []planner.NodeID) map[string]planner.NodeID {
	out := make(map[string]planner.NodeID, len(place))
	for i, n := range place {
		out[st.Graph.Groups[st.Frame.Groups[i]].Name] = n
	}
	return out
}

// homes are the plans to start from: the best so far, and for the first division each machine alone.
func (s *Search) homes(now *Outcome) []*homePlan {
	out := []*homePlan{{latency: now.Plan.Objective, place: placesOf(now.Stated, now.Plan.Place), all: now.Problem.Source}}
	if len(now.Divisions) > 0 {
		return out
	}
	for n := range now.Problem.Nodes {
		place := slices.Repeat([]planner.NodeID{planner.NodeID(n)}, len(now.Problem.Pieces))
		if slices.Equal(place, now.Plan.Place) {
			continue
		}
		if plan, err := planner.Evaluate(now.Problem, place, nil); err == nil {
			out = append(out, &homePlan{latency: plan.Objective, place: placesOf(now.Stated, place), all: planner.NodeID(n)})
		}
	}
	return out
}

// candidates ranks blocks of the base graph by what dividing each is estimated to bring, the best first.
func (s *Search) candidates(ctx context.Context, now *Outcome) []candidate {
	homes := s.homes(now)
	pieces := map[string]planner.PieceID{}
	for i, id := range now.Frame.Groups {
		pieces[now.Graph.Groups[id].Name] = planner.PieceID(i)
	}
	e := &estimator{p: now.Problem, base: s.Graph, pieces: pieces, values: map[string]planner.ValueID{}}
	for v := range now.Problem.Values {
		e.values[now.Problem.Values[v].Name] = planner.ValueID(v)
	}
	var out []candidate
	looked := 0
	for first := range s.Graph.Groups {
		for last := first; last < min(first+maxBlock, len(s.Graph.Groups)) && looked < maxNeeds && ctx.Err() == nil; last++ {
			a, b := split.GroupID(first), split.GroupID(last)
			if slices.ContainsFunc(now.Divisions, func(d split.Division) bool { return a <= d.Last && d.First <= b }) {
				break
			}
			v, err := s.Graph.BlockOutput(a, b)
			if err != nil || !e.heavy(a, b, homes) {
				continue
			}
			shape := s.Graph.Values[v].Shape
			for _, axis := range axes(shape) {
				d := split.Division{First: a, Last: b, Axis: axis}
				step := stepOf(s.Graph, d)
				half := shape[axis] / step / 2 * step
				if half == 0 {
					continue
				}
				looked++
				d.Parts = []int{half, shape[axis] - half}
				needs, err := s.Graph.Needs(d)
				if err != nil {
					continue
				}
				if c, ok := e.best(d, v, needs, homes, step); ok {
					out = append(out, c)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	return out
}

// diverse is the best candidates without those that are nearly the same: of blocks that end at one group along one axis, or that
// begin at one, the best two count.
func diverse(all []candidate) []candidate {
	type end struct {
		id   split.GroupID
		last bool
		axis int
	}
	seen := map[end]int{}
	var out []candidate
	for _, c := range all {
		first, last := end{c.d.First, false, c.d.Axis}, end{c.d.Last, true, c.d.Axis}
		again := slices.ContainsFunc(out, func(o candidate) bool { // rows and columns of a square picture
			return o.d.First == c.d.First && o.d.Last == c.d.Last && c.score-o.score < leastGain*o.score
		})
		if again || seen[first] >= 2 || seen[last] >= 2 || len(out) == maxRefined {
			continue
		}
		seen[first]++
		seen[last]++
		out = append(out, c)
	}
	return out
}

// axes are those along which a value may be divided: height and width, then channels, heads or rows.
func axes(shape []int) []int {
	switch len(shape) {
	case 4:
		return []int{2, 3, 1}
	case 3:
		return []int{1, 2}
	case 2:
		return []int{1}
	}
	return nil
}

// stepOf is what the sizes of a division's parts are multiples of.
func stepOf(g *split.Graph, d split.Division) int {
	if g.AxisName(d) == "channels" {
		return channelStep
	}
	return 1
}

// estimator predicts what parts of a block take.
type estimator struct {
	p      *planner.Problem
	base   *split.Graph
	pieces map[string]planner.PieceID
	values map[string]planner.ValueID
}

// seconds of a group on a node.
func (e *estimator) seconds(id split.GroupID, n planner.NodeID) float64 {
	i, ok := e.pieces[e.base.Groups[id].Name]
	if !ok {
		return 0 // not wanted by any output
	}
	return e.p.Pieces[i].Time[n] / (1 - e.p.Nodes[n].Load)
}

// home is where a plan has the group.
func (h *homePlan) home(g *split.Graph, id split.GroupID) planner.NodeID {
	if n, ok := h.place[g.Groups[id].Name]; ok {
		return n
	}
	return h.all
}

// heavy reports whether the block takes so much of some home plan that dividing it can matter.
func (e *estimator) heavy(first, last split.GroupID, homes []*homePlan) bool {
	return slices.ContainsFunc(homes, func(h *homePlan) bool {
		sum := 0.0
		for id := first; id <= last; id++ {
			sum += e.seconds(id, h.home(e.base, id))
		}
		return sum >= leastShare*h.latency
	})
}

// hop is the least seconds for a share of a value over a path, as a constant and per share.
func (e *estimator) hop(v split.ValueID, from, to planner.NodeID) (fixed, each float64) {
	w := e.p.Paths[from][to]
	id, ok := e.values[e.base.Values[v].Name]
	if w.Goodput == 0 || !ok {
		return math.Inf(1), 0
	}
	each = math.Inf(1)
	for _, c := range e.p.Values[id].Codings {
		if e.p.Limits.Loss == 0 || c.Loss <= e.p.Limits.Loss {
			each = min(each, c.Encode/speed(e.p, from)+float64(c.Bytes)/w.Goodput+c.Decode/speed(e.p, to))
		}
	}
	return w.Overhead + w.RTT.Seconds()/2, each
}

func speed(p *planner.Problem, n planner.NodeID) float64 {
	if s := p.Nodes[n].Speed; s > 0 {
		return s
	}
	return 1
}

// best is the home plan for which dividing the block is estimated to help most, with balanced parts.
func (e *estimator) best(d split.Division, out split.ValueID, needs []split.PartNeeds, homes []*homePlan, step int) (candidate, bool) {
	best := candidate{score: math.Inf(1)}
	size := e.base.Values[out].Shape[d.Axis]
	for _, h := range homes {
		home := h.home(e.base, d.First)
		loads := make([]load, len(e.p.Nodes))
		for n := range loads {
			loads[n] = e.load(d, out, needs, home, planner.NodeID(n))
		}
		alone := loads[home].each
		if h.home(e.base, d.Last) != home || math.IsInf(alone, 1) {
			continue
		}
		shares, took := balance(loads)
		parts, nodes := round(shares, size, step)
		if score := h.latency - alone + took; len(parts) > 1 && score < best.score {
			best = candidate{d: d, nodes: nodes, home: home, from: h, score: score}
			best.d.Parts = parts
		}
	}
	return best, !math.IsInf(best.score, 1)
}

// load is what a share f of a block takes on a machine: fixed + each·f seconds.
type load struct{ fixed, each float64 }

// load estimates a machine's from two equal parts: what both do beyond the whole is the halo of one border, which a part between two
// others has on each side half, twice.
func (e *estimator) load(d split.Division, out split.ValueID, needs []split.PartNeeds, home, n planner.NodeID) load {
	var l load
	for id := d.First; id <= d.Last; id++ {
		t := e.seconds(id, n)
		l.fixed += t * max(0, needs[0].Groups[id-d.First]+needs[1].Groups[id-d.First]-1)
		l.each += t
	}
	if n == home {
		return l
	}
	for v, share := range needs[0].Inputs {
		fixed, each := e.hop(v, home, n)
		beyond := max(0, share+needs[1].Inputs[v]-1)
		l.fixed += fixed + each*beyond
		if beyond < 1 { // else all of it is needed, whatever the share
			l.each += each
		}
	}
	fixed, each := e.hop(out, n, home)
	l.fixed, l.each = l.fixed+fixed, l.each+each
	return l
}
