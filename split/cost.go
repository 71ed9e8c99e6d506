package split

import (
	"math"
	"slices"
)

// Cost is what one op or group asks of a machine for one run, from shapes alone.
type Cost struct {
	// FLOPs counts a multiply-add as two.
	FLOPs int64
	// Read and Written are bytes of activations; Weights is bytes of constants.
	Read, Written, Weights int64
}

// Add is the sum of both costs.
func (c Cost) Add(o Cost) Cost {
	return Cost{c.FLOPs + o.FLOPs, c.Read + o.Read, c.Written + o.Written, c.Weights + o.Weights}
}

// Cost is what op asks for, from the shapes of its values: zero FLOPs for ops that only move data, the body's cost once for
// loops whose trip count is not known, and -1 in a field that depends on a shape which is not known.
func (g *Graph) Cost(op OpID) Cost {
	o := &g.Ops[op]
	var c Cost
	for v := range uniqueReads(o) {
		val := &g.Values[v]
		if n := val.Bytes(); val.Const != nil {
			c.Weights = addKnown(c.Weights, n)
		} else {
			c.Read = addKnown(c.Read, n)
		}
	}
	for _, v := range o.Outputs {
		if v != None {
			c.Written = addKnown(c.Written, g.Values[v].Bytes())
		}
	}
	c.FLOPs = g.flops(o)
	return c
}

// GroupCost is what the group asks for when its inner values stay in cache: FLOPs and weights of all its ops, bytes read
// and written only of what crosses its border.
func (g *Graph) GroupCost(id GroupID) Cost {
	gr := &g.Groups[id]
	var c Cost
	weights := map[ValueID]bool{}
	for _, op := range gr.Ops {
		c.FLOPs = addKnown(c.FLOPs, g.flops(&g.Ops[op]))
		for v := range g.Ops[op].reads() {
			if g.Values[v].Const != nil && !weights[v] {
				weights[v] = true
				c.Weights = addKnown(c.Weights, g.Values[v].Bytes())
			}
		}
	}
	for _, v := range gr.In {
		c.Read = addKnown(c.Read, g.Values[v].Bytes())
	}
	for _, v := range gr.Out {
		c.Written = addKnown(c.Written, g.Values[v].Bytes())
	}
	return c
}

// addKnown is a+b, at most the largest int64, or -1 when either is.
func addKnown(a, b int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// uniqueReads iterates over what o reads, each value once.
func uniqueReads(o *Op) func(yield func(ValueID) bool) {
	return func(yield func(ValueID) bool) {
		var seen []ValueID
		for v := range o.reads() {
			if slices.Contains(seen, v) {
				continue
			}
			seen = append(seen, v)
			if !yield(v) {
				return
			}
		}
	}
}
