package planner

import (
	"context"
	"math"
	"strings"
)

// single places every piece on one node: the baselines that a split has to beat.
type single struct {
	name string
	// choose picks the node.
	choose func(in *instance) NodeID
	// raw sends the inputs as they are; jpeg sends those as JPEG that have a JPEG coding, and the others raw. With neither
	// set, codings are free.
	raw, jpeg bool
}

func (s single) Name() string { return s.name }

func (s single) Plan(_ context.Context, p *Problem) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	place := make([]NodeID, in.pieces)
	n := s.choose(in)
	for i := range place {
		place[i] = n
	}
	plan, err := in.evaluate(place, s.codings(p))
	if err != nil {
		return nil, err
	}
	return in.prove(plan, Proof{Solver: s.name, Claim: "a baseline: proves nothing but its own prediction", Explored: 1}), nil
}

// codings are the baseline's fixed choices for hops of inputs.
func (s single) codings(p *Problem) Codings {
	if !s.raw && !s.jpeg {
		return nil
	}
	out := Codings{}
	for v := range p.Values {
		if p.Values[v].Producer != External {
			continue
		}
		coding := -1
		for k, c := range p.Values[v].Codings {
			switch codec, _, _ := strings.Cut(c.Codec, ":"); {
			case codec == "jpeg" && s.jpeg:
				coding = k
			case codec == "raw" && coding < 0:
				coding = k
			}
		}
		if coding < 0 {
			continue
		}
		for n := range p.Nodes {
			out[Hop{ValueID(v), NodeID(n)}] = coding
		}
	}
	return out
}

// deviceOnly is the node where the inputs are.
func deviceOnly(in *instance) NodeID { return in.p.Source }

// cloudOnly is the node other than the source that runs the whole model soonest; the source when it is alone.
func cloudOnly(in *instance) NodeID {
	best, least := in.p.Source, math.Inf(1)
	for n := range in.nodes {
		if NodeID(n) == in.p.Source {
			continue
		}
		sum := 0.0
		for i := range in.pieces {
			sum += in.run[i*in.nodes+n]
		}
		if sum < least || best == in.p.Source {
			best, least = NodeID(n), sum
		}
	}
	return best
}
