package planner

import (
	"cmp"
	"math"
	"slices"
)

// nobody stands for no piece; External is another.
const nobody PieceID = -2

// few reports whether piece i has so few neighbours that bounds are quick.
func (c *contraction) few(i PieceID) bool {
	p := &c.p.Pieces[i]
	many := func(v ValueID) bool { return len(c.p.Values[v].Consumers) > maxDegree }
	return len(p.In)+len(p.Out) <= maxDegree && !slices.ContainsFunc(p.In, many) && !slices.ContainsFunc(p.Out, many)
}

// moved is by how much at most a plan costs more when piece i goes from node x to node y, where piece j is, its neighbour; nobody where
// nothing is known of the neighbours. It is -Inf where no plan has the two so.
func (c *contraction) moved(i, j PieceID, x, y NodeID) float64 {
	p := &c.p.Pieces[i]
	if p.Class != 0 || !c.open(i, y) || c.tight[y] {
		return inf
	}
	sum := c.cost[c.at(i, y)] - c.cost[c.at(i, x)]
	for _, v := range p.In {
		rise := c.readAt(v, i, j, x, y)
		if math.IsInf(rise, 0) {
			return rise
		}
		sum += rise
	}
	for _, v := range p.Out {
		rise := c.madeAt(v, j, x, y)
		if math.IsInf(rise, 0) {
			return rise
		}
		sum += rise
	}
	return sum
}

// readAt is by how much at most value v costs more when its reader i goes from x to y, where piece j is.
func (c *contraction) readAt(v ValueID, i, j PieceID, x, y NodeID) float64 {
	val := &c.p.Values[v]
	there, alone := val.Output && c.p.Sink == y, !val.Output || c.p.Sink != x
	for _, r := range val.Consumers {
		there = there || r == j || r != i && c.only(r) == y
		alone = alone && (r == i || r == j || !c.open(r, x))
	}
	worst := math.Inf(-1)
	for o := range NodeID(c.in.nodes) {
		switch {
		case val.Producer == External && o > 0, val.Producer != External && !c.open(val.Producer, o), val.Producer == j && o != y:
			continue
		case c.cheap[c.hop(v, o, x)] == inf:
			// The value cannot come to x from there.
			continue
		}
		// A hop to x that others need stays, and one to y that is there anyway is not added.
		from, to := x, y
		if !alone {
			from = -1
		}
		if there {
			to = -1
		}
		worst = max(worst, c.swap(v, o, from, o, to))
	}
	return worst
}

// madeAt is by how much at most value v costs more when it is made at y, where piece j is, and not at x.
func (c *contraction) madeAt(v ValueID, j PieceID, x, y NodeID) float64 {
	val := &c.p.Values[v]
	sum, sure, others := 0.0, 0, 0
	clear(c.needed)
	need := func(n NodeID) {
		if !c.needed[n] {
			c.needed[n] = true
			sum += c.swap(v, x, n, y, n)
			sure++
		}
	}
	if val.Output {
		need(c.p.Sink)
	}
	for _, r := range val.Consumers {
		switch n := c.only(r); {
		case r == j:
			need(y)
		case n >= 0:
			need(n)
		default:
			others++
		}
	}
	c.rises = c.rises[:0]
	for n := range NodeID(c.in.nodes) {
		if !c.needed[n] && c.cheap[c.hop(v, x, n)] < inf &&
			slices.ContainsFunc(val.Consumers, func(r PieceID) bool { return r != j && c.open(r, n) }) {
			c.rises = append(c.rises, c.swap(v, x, n, y, n))
		}
	}
	// The other readers are on as many nodes as there are readers at most, and on one at least where nobody else needs the value.
	slices.SortFunc(c.rises, func(a, b float64) int { return cmp.Compare(b, a) })
	for k, rise := range c.rises {
		if k < others && (rise > 0 || k == 0 && sure == 0) {
			sum += rise
		}
	}
	if sure == 0 && others > 0 && len(c.rises) == 0 {
		return math.Inf(-1)
	}
	return sum
}

// swap is by how much at most value v costs more when its hop from a to b is replaced by one from d to e: under each coding that the former
// may have, the cheapest that the latter may have without losing more. A b or e of -1 stands for no hop. It is -Inf where there is no way from
// a to b.
func (c *contraction) swap(v ValueID, a, b, d, e NodeID) float64 {
	free := e < 0 || c.here(v, d, e)
	was, now := 0.0, 0.0
	if b >= 0 {
		was = c.cheap[c.hop(v, a, b)]
	}
	if !free {
		now = c.cheap[c.hop(v, d, e)]
	}
	switch {
	case was == inf:
		return math.Inf(-1)
	case free || !c.budget || now == inf:
		return now - was
	case b < 0 || c.here(v, a, b):
		return c.lightest(v, d, e, 0)
	}
	worst := math.Inf(-1)
	for _, w := range c.ways[c.hop(v, a, b)] {
		worst = max(worst, c.lightest(v, d, e, w.loss)-w.weight)
	}
	return worst
}

// lightest is the least weight of a hop that loses no more than so much.
func (c *contraction) lightest(v ValueID, a, b NodeID, loss float64) float64 {
	least := inf
	for _, w := range c.ways[c.hop(v, a, b)] {
		if w.loss <= loss {
			least = min(least, w.weight)
		}
	}
	return least
}

// only is the one node on which a piece can be, -1 where there are several.
func (c *contraction) only(i PieceID) NodeID {
	only := NodeID(-1)
	for n := range NodeID(c.in.nodes) {
		if c.open(i, n) {
			if only >= 0 {
				return -1
			}
			only = n
		}
	}
	return only
}

// waysOf are the ways of a hop.
func (c *contraction) waysOf(v ValueID, a, b NodeID) []way {
	first := len(c.room)
	if c.p.Values[v].Producer == External {
		for _, o := range c.in.options(v, 0, b) {
			c.room = append(c.room, way{c.in.weigh(&o.hop), o.hop.loss})
		}
	} else {
		for _, h := range c.in.ways(v, a, b) {
			c.room = append(c.room, way{c.in.weigh(&h), h.loss})
		}
	}
	return c.room[first:len(c.room):len(c.room)]
}

// here reports whether value v is at b when it was made at a.
func (c *contraction) here(v ValueID, a, b NodeID) bool {
	if c.p.Values[v].Producer == External {
		return slices.Contains(c.in.at(v), b)
	}
	return a == b
}

// hop is the index of (value, from, to) in cheap.
func (c *contraction) hop(v ValueID, a, b NodeID) int {
	if c.p.Values[v].Producer == External {
		a = 0
	}
	return (int(v)*c.in.nodes+int(a))*c.in.nodes + int(b)
}
