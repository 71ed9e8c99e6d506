package planner

import (
	"cmp"
	"context"
	"slices"
)

// contraction makes a problem whose objective is a sum smaller, without losing its optimum, by three rules that take turns until none
// applies:
//
//   - A piece loses node x when moving it from x to some other node y that it may use never costs more, wherever its neighbours are
//     (dead-end elimination: Desmet, De Maeyer, Hazes, Lasters 1992, in Goldstein's form of 1994).
//   - A piece and one that reads a value of it become one when the cut between them is dominated: for each two nodes x and y that they may
//     use, either bringing the maker from x to y or bringing the reader from y to x never costs more.
//   - Pieces of one class that are neighbours become one.
//
// Proof. The objective is the sum, over pieces, of what they cost where they are and, over values, of the cheapest hop from where the value
// was made (or is held) to each other node that needs it. Moving one piece changes its own cost, the hops of the values that it reads, and
// the hops of those that it makes, and nothing else; moved bounds each change from above over all nodes on which the other makers
// and readers may be. So from any plan that a rule takes away, a move leads to one that costs no more, keeps every rule of place and is not
// taken away; rules are applied one at a time, each to the problem that the last one left, whose optimum is the same. Under a
// budget of accuracy a hop is only replaced by one that loses no more, and where there was none by one that loses nothing. No piece is moved
// to a node whose memory could be too small for all, nor one that a class ties to others.
//
// Nothing of this holds where what moves could wait for something or make something wait. For throughput it is a maximum that counts: a dear
// hop may be the price of sharing the work, so that only a piece that takes no time and hands on as much as it reads, to the same
// nodes, could be brought together with its maker; that is not worth a rule. A latency with queues is no sum either; and a limit on latency,
// period or stages, or on a second sum, couples pieces that no hop joins. Cuts by maximum flow are sums too, but found sooner than a
// contraction takes (docs/planner.md).
type contraction struct {
	ctx context.Context
	in  *instance
	// p is the problem that becomes smaller; pieces that are gone keep their numbers until the end.
	p *Problem
	// cost is what a piece adds to the objective on a node, +Inf where it cannot be: [piece*nodes+node].
	cost []float64
	// into is the piece that a piece has become part of; one that is there is its own.
	into []PieceID
	// place is the known plan's node of each piece that is there, moved as the rules say.
	place []NodeID
	// ways are those of a hop, cheap is the least weight of them, 0 where none is needed: [(value*nodes+from)*nodes+to]; External values
	// are from node 0.
	ways  [][]way
	room  []way
	cheap []float64
	// budget says that accuracy is limited, tight which nodes' memory may be too small.
	budget bool
	tight  []bool
	// rises and needed are room for madeAt.
	rises  []float64
	needed []bool
}

// way is one coding of a hop: what it adds to the objective, and what it loses.
type way struct{ weight, loss float64 }

// contract applies the rules to r, a reduction of in by places alone, until there is no more time. It reports whether they took anything away.
func (r *reduction) contract(ctx context.Context, in *instance, known *Plan) bool {
	c := newContraction(ctx, in, r.in.p, known.Place)
	gained := false
	for range maxRounds {
		if closed, joined := c.closePlaces(), c.joinNeighbours(); !closed && !joined {
			break
		}
		gained = true
	}
	if gained {
		c.finish(r)
	}
	return gained
}

// Bounds of the work of a contraction, which is at most rounds * neighbours * nodes^3 * values of a piece.
const (
	maxRounds        = 64
	maxContractNodes = 16
	// maxDegree is how many values a piece may read and make, and how many pieces may read one of them, to be moved.
	maxDegree = 128
)

// contractible reports whether the objective is a sum under no limits but those of memory and accuracy.
func (in *instance) contractible() bool {
	l := in.limits()
	l.Loss = 0
	return additive(in.p.Objective) && l == (Limits{}) && in.nodes <= maxContractNodes
}

func newContraction(ctx context.Context, in *instance, p *Problem, known []NodeID) *contraction {
	m := in.nodes
	c := &contraction{
		ctx: ctx, in: in, p: p, place: slices.Clone(known), budget: in.limits().Loss > 0, tight: dimensionsOf(in).memory,
		cost: make([]float64, in.pieces*m), into: make([]PieceID, in.pieces), needed: make([]bool, m),
		ways: make([][]way, len(p.Values)*m*m), room: make([]way, 0, len(p.Values)*m*m), cheap: make([]float64, len(p.Values)*m*m),
	}
	for i := range in.pieces {
		c.into[i] = PieceID(i)
		for n, t := range p.Pieces[i].Time {
			c.cost[i*m+n] = inf
			if t < inf {
				c.cost[i*m+n] = in.cost(i, NodeID(n))
			}
		}
	}
	for v := range p.Values {
		p.Values[v].Consumers = slices.Clone(p.Values[v].Consumers)
		for a := range NodeID(m) {
			for b := range NodeID(m) {
				if k := c.hop(ValueID(v), a, b); c.ways[k] == nil && !c.here(ValueID(v), a, b) {
					c.ways[k] = c.waysOf(ValueID(v), a, b)
					c.cheap[k] = c.lightest(ValueID(v), a, b, inf)
				}
			}
		}
	}
	return c
}

// closePlaces takes away every place that another one of the same piece makes useless, and reports whether there was one.
func (c *contraction) closePlaces() bool {
	closed := false
	for i := range PieceID(len(c.into)) {
		if c.into[i] != i || !c.few(i) || c.ctx.Err() != nil {
			continue
		}
		for x := range NodeID(c.in.nodes) {
			for y := range NodeID(c.in.nodes) {
				if x != y && c.open(i, x) && c.open(i, y) && c.moved(i, nobody, x, y) <= 0 {
					c.cost[c.at(i, x)], closed = inf, true
					if c.place[i] == x {
						c.place[i] = y
					}
				}
			}
		}
	}
	return closed
}

// joinNeighbours makes one of every piece and a reader of it between which no cut is needed, where the order permits, and reports whether
// there were such. The reader takes its maker's place in the order where all that it reads is made by then, or else the maker the
// reader's, where nothing in between reads what it makes.
func (c *contraction) joinNeighbours() bool {
	joined := false
	for f := range PieceID(len(c.into)) {
		for k := 0; c.into[f] == f && k < len(c.p.Pieces[f].In) && c.few(f) && c.ctx.Err() == nil; k++ {
			u := c.p.Values[c.p.Pieces[f].In[k]].Producer
			if u == External || !c.few(u) {
				continue
			}
			early := !slices.ContainsFunc(c.p.Pieces[f].In, func(v ValueID) bool { return c.p.Values[v].Producer > u })
			late := !slices.ContainsFunc(c.p.Pieces[u].Out, func(v ValueID) bool {
				readers := c.p.Values[v].Consumers
				return len(readers) > 0 && readers[0] < f
			})
			if !early && !late || !c.dominated(u, f) {
				continue
			}
			at, _ := c.meet(u, f, c.place[u], c.place[f])
			if early {
				c.join(u, f, at)
			} else {
				c.join(f, u, at)
			}
			joined, k = true, -1
		}
	}
	return joined
}

// dominated reports whether some best plan has u and its reader f on one node.
func (c *contraction) dominated(u, f PieceID) bool {
	if a, b := c.p.Pieces[u].Class, c.p.Pieces[f].Class; a != 0 && b != 0 {
		return a == b
	}
	for x := range NodeID(c.in.nodes) {
		for y := range NodeID(c.in.nodes) {
			if x != y && c.open(u, x) && c.open(f, y) {
				if _, ok := c.meet(u, f, x, y); !ok {
					return false
				}
			}
		}
	}
	return true
}

// meet is where u, which is on x, and its reader f, which is on y, can both be at no more cost, and whether they can.
func (c *contraction) meet(u, f PieceID, x, y NodeID) (NodeID, bool) {
	if x == y || c.moved(f, u, y, x) <= 0 {
		return x, true
	}
	return y, c.moved(u, f, x, y) <= 0
}

// join makes piece gone part of piece stays; the known plan has both at a node.
func (c *contraction) join(stays, gone PieceID, at NodeID) {
	a, b := &c.p.Pieces[stays], &c.p.Pieces[gone]
	for n := range a.Time {
		c.cost[c.at(stays, NodeID(n))] += c.cost[c.at(gone, NodeID(n))]
		a.Time[n] += b.Time[n]
	}
	a.Weights, a.Work, a.Class, a.Pin = a.Weights+b.Weights, max(a.Work, b.Work), cmp.Or(a.Class, b.Class), nil
	c.into[gone], c.place[stays] = stays, at
	var in, out []ValueID
	for _, v := range slices.Concat(a.In, b.In) {
		val := &c.p.Values[v]
		inside := val.Producer == stays || val.Producer == gone
		val.Consumers = slices.DeleteFunc(val.Consumers, func(r PieceID) bool { return r == gone || inside && r == stays })
		if k, found := slices.BinarySearch(val.Consumers, stays); !inside && !found {
			val.Consumers = slices.Insert(val.Consumers, k, stays)
		}
		if !inside && !slices.Contains(in, v) {
			in = append(in, v)
		}
	}
	for _, v := range slices.Concat(a.Out, b.Out) {
		if c.p.Values[v].Producer = stays; c.p.Values[v].Output || len(c.p.Values[v].Consumers) > 0 {
			out = append(out, v)
		}
	}
	a.In, a.Out = in, out
}

// finish numbers the pieces that are there anew, and tells r.
func (c *contraction) finish(r *reduction) {
	now, pieces := make([]int, len(c.into)), []Piece(nil)
	for i := range PieceID(len(c.into)) {
		if c.into[i] != i {
			continue
		}
		now[i] = len(pieces)
		for n := range c.in.nodes {
			if !c.open(i, NodeID(n)) {
				c.p.Pieces[i].Time[n] = inf
			}
		}
		pieces = append(pieces, c.p.Pieces[i])
	}
	r.place = make([]NodeID, len(c.into))
	for i := range c.into {
		k := PieceID(i)
		for c.into[k] != k {
			c.into[k] = c.into[c.into[k]]
			k = c.into[k]
		}
		r.pieces[i], r.place[i] = now[k], c.place[k]
	}
	for v := range c.p.Values {
		val := &c.p.Values[v]
		if val.Producer != External {
			val.Producer = PieceID(r.pieces[val.Producer])
		}
		for k, reader := range val.Consumers {
			val.Consumers[k] = PieceID(r.pieces[reader])
		}
	}
	c.p.Pieces = pieces
}

// recode is the codings for a plan that was moved to place: the lightest that lose no more than before. A hop to where there was one counts
// as that one, another as one that is gone.
func (r *reduction) recode(plan *Plan, place []NodeID) Codings {
	if r.in.limits().Loss == 0 {
		return nil
	}
	before := map[Hop]float64{}
	for _, t := range plan.Transfers {
		before[Hop{t.Value, NodeID(slices.Index(r.nodes, int(t.To)))}] = r.in.p.Values[t.Value].Codings[t.Coding].Loss
	}
	codings, fresh := Codings{}, []move(nil)
	choose := func(m move, loss float64) {
		for _, o := range r.in.options(m.value, m.from, m.to) {
			if o.hop.loss <= loss {
				codings[Hop{m.value, m.to}] = o.hop.coding
				return
			}
		}
	}
	_, _, moves, _ := r.in.spend(place, nil)
	for _, m := range moves {
		if loss, ok := before[Hop{m.value, m.to}]; ok {
			choose(m, loss)
			delete(before, Hop{m.value, m.to})
		} else {
			fresh = append(fresh, m)
		}
	}
	for _, m := range fresh {
		loss := 0.0
		for n := range NodeID(r.in.nodes) {
			if l, ok := before[Hop{m.value, n}]; ok {
				loss = l
				delete(before, Hop{m.value, n})
				break
			}
		}
		choose(m, loss)
	}
	return codings
}

// at is the index of (piece, node) in cost.
func (c *contraction) at(i PieceID, n NodeID) int { return int(i)*c.in.nodes + int(n) }

// open reports whether piece i may be on node n.
func (c *contraction) open(i PieceID, n NodeID) bool { return c.cost[c.at(i, n)] < inf }
