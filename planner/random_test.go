package planner

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// shape says what kind of random problem to draw.
type shape struct {
	pieces, nodes int
	codings       int
	memory        bool
	locality      bool
	loss          bool
	limits        bool
	classes       bool
	chain         bool
	objective     Objective
}

// drawShape picks a shape whose brute force stays small.
func drawShape(r *rand.Rand) shape {
	s := shape{
		nodes: 2 + r.IntN(2), codings: 1 + r.IntN(2), memory: r.IntN(3) == 0, locality: r.IntN(3) == 0, loss: r.IntN(4) == 0,
		limits: r.IntN(5) == 0, classes: r.IntN(6) == 0, chain: r.IntN(4) == 0,
		objective: []Objective{Latency, Latency, Latency, Throughput, Energy, Price}[r.IntN(6)],
	}
	s.pieces = 1 + r.IntN(6)
	if s.nodes == 2 {
		s.pieces = 1 + r.IntN(8)
		if r.IntN(60) == 0 {
			s.pieces = 9 + r.IntN(4)
		}
	}
	if s.codings > 1 {
		s.pieces = min(s.pieces, 5)
		if r.IntN(4) == 0 {
			s.codings, s.nodes, s.pieces = 3, 2, min(s.pieces, 3)
		}
	}
	return s
}

// drawProblem makes a random problem: a DAG with fan-out, asymmetric paths, some of them missing, and integer-like costs, so
// that ties are common.
func drawProblem(r *rand.Rand, s shape) *Problem {
	p := &Problem{Model: "random", Objective: s.objective, Source: NodeID(r.IntN(s.nodes)), Sink: NodeID(r.IntN(s.nodes))}
	if r.IntN(2) == 0 {
		p.Sink = p.Source
	}
	for n := range s.nodes {
		node := Node{Name: fmt.Sprintf("n%d", n), Speed: []float64{0, 1, 2, 0.5}[r.IntN(4)], Power: float64(r.IntN(5)), Price: float64(r.IntN(4))}
		if r.IntN(4) == 0 {
			node.Load = 0.5
		}
		if s.memory && r.IntN(2) == 0 {
			node.Memory = int64(1 + r.IntN(12*s.pieces))
		}
		p.Nodes = append(p.Nodes, node)
	}
	p.Paths = make([][]Path, s.nodes)
	for a := range p.Paths {
		p.Paths[a] = make([]Path, s.nodes)
		for b := range p.Paths[a] {
			if r.IntN(12) == 0 {
				continue
			}
			p.Paths[a][b] = Path{
				RTT: time.Duration(r.IntN(5)) * time.Second, Goodput: float64(1 + r.IntN(8)), Overhead: float64(r.IntN(2)), Energy: float64(r.IntN(3)),
			}
		}
	}
	value := func(producer PieceID) ValueID {
		v := Value{Name: fmt.Sprintf("v%d", len(p.Values)), Producer: producer}
		for k := range s.codings {
			c := Coding{Codec: []string{"raw", "int8", "int4"}[k], Bytes: int64(r.IntN(16))}
			if k > 0 {
				c.Encode, c.Decode, c.Loss = float64(r.IntN(2)), float64(r.IntN(2)), float64(r.IntN(3))
			}
			v.Codings = append(v.Codings, c)
		}
		if s.locality && r.IntN(6) == 0 {
			v.Stay = []NodeID{NodeID(r.IntN(s.nodes))}
			if r.IntN(2) == 0 {
				v.Stay = append(v.Stay, NodeID(r.IntN(s.nodes)))
			}
		}
		if producer == External && r.IntN(4) == 0 {
			v.At = []NodeID{NodeID(r.IntN(s.nodes)), NodeID(r.IntN(s.nodes))}
			v.At = slices.Compact(v.At)
		}
		p.Values = append(p.Values, v)
		return ValueID(len(p.Values) - 1)
	}
	value(External)
	if !s.chain && r.IntN(3) == 0 {
		value(External)
	}
	for i := range s.pieces {
		c := Piece{Name: fmt.Sprintf("p%d", i), Weights: int64(r.IntN(10)), Work: int64(r.IntN(6))}
		for range s.nodes {
			t := float64(r.IntN(12))
			if r.IntN(20) == 0 {
				t = math.Inf(1)
			}
			c.Time = append(c.Time, t)
		}
		if s.locality && r.IntN(5) == 0 {
			c.Pin = []NodeID{NodeID(r.IntN(s.nodes))}
		}
		if s.classes {
			c.Class = r.IntN(4)
		}
		for k := range len(p.Values) {
			v := len(p.Values) - 1 - k
			if k == 0 || (!s.chain && r.IntN(3) == 0) {
				c.In = append(c.In, ValueID(v))
			}
		}
		slices.Sort(c.In)
		p.Pieces = append(p.Pieces, c)
		outs := 1
		if !s.chain && r.IntN(6) == 0 {
			outs = 2
		}
		for range outs {
			p.Pieces[i].Out = append(p.Pieces[i].Out, value(PieceID(i)))
		}
	}
	for i := range p.Pieces {
		for _, v := range p.Pieces[i].In {
			p.Values[v].Consumers = append(p.Values[v].Consumers, PieceID(i))
		}
	}
	for v := range p.Values {
		val := &p.Values[v]
		val.Output = (len(val.Consumers) == 0 && val.Producer >= 0) || r.IntN(12) == 0
	}
	if s.loss {
		p.Limits.Loss = float64(1 + r.IntN(3))
	}
	if s.limits {
		p.Limits.Latency = time.Duration(5+r.IntN(60)) * time.Second
		p.Limits.Energy = float64(r.IntN(200))
		if r.IntN(2) == 0 {
			p.Limits.Period = time.Duration(5+r.IntN(30)) * time.Second
		}
	}
	return p
}
