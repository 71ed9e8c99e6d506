package sim

import (
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/planner"
)

// Problem is what a planner is asked at the start of a topology: its nodes and links with the model's profile. Absent
// nodes can run nothing. The policy's rule counts, whatever the topology's says.
func Problem(t *topology.Topology, p *Profile, policy Policy) (*planner.Problem, error) {
	return newAtlas(t).problem(t, p, policy, func(n int) bool { return !t.Nodes[n].Absent })
}

// problem states the mesh as it is now.
func (m *atlas) problem(
	t *topology.Topology, prof *Profile, policy Policy, present func(int) bool,
) (*planner.Problem, error) {
	p := &planner.Problem{Model: prof.Model, Objective: planner.Objective(t.Workload.Objective)}
	switch {
	case policy.MaxLoss == 0:
		p.Limits.Loss = DefaultMaxLoss
	case policy.MaxLoss > 0:
		p.Limits.Loss = policy.MaxLoss
	}
	times := make([][]float64, len(t.Nodes))
	for i, n := range t.Nodes {
		node := planner.Node{Name: n.Name, Speed: n.Speed, Memory: int64(n.Memory), Power: float64(n.Power)}
		p.Nodes = append(p.Nodes, node)
		times[i] = prof.piecesOf(n.Name, n.Speed)
		if n.Name == t.Workload.Source {
			p.Source, p.Sink = planner.NodeID(i), planner.NodeID(i)
		}
	}
	for _, v := range prof.Values {
		value := planner.Value{Name: v.Name, Producer: planner.External, Output: v.Output}
		for _, c := range v.Codings {
			if policy.Lossless && c.Loss > 0 {
				continue
			}
			value.Codings = append(value.Codings, planner.Coding(c))
		}
		p.Values = append(p.Values, value)
	}
	for id, piece := range prof.Pieces {
		out := planner.Piece{
			Name: piece.Name, Weights: piece.Weights, Work: piece.Work, In: piece.In, Out: piece.Out, Class: piece.Class,
		}
		for n := range t.Nodes {
			seconds := times[n][id]
			if !present(n) {
				seconds = math.Inf(1)
			}
			out.Time = append(out.Time, seconds)
		}
		for _, v := range piece.In {
			p.Values[v].Consumers = append(p.Values[v].Consumers, planner.PieceID(id))
		}
		for _, v := range piece.Out {
			p.Values[v].Producer = planner.PieceID(id)
		}
		p.Pieces = append(p.Pieces, out)
	}
	for v := range p.Values {
		if policy.Rule == topology.InputStays && (p.Values[v].Producer == planner.External || prof.Values[v].Raw) {
			p.Values[v].Stay = []planner.NodeID{p.Source}
		}
	}
	p.Paths = make([][]planner.Path, len(t.Nodes))
	for a := range t.Nodes {
		p.Paths[a] = make([]planner.Path, len(t.Nodes))
		for b := range t.Nodes {
			if a != b && present(a) && present(b) {
				p.Paths[a][b] = pathOf(m.routes[a][b], prof.Transfer)
			}
		}
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("state the problem of %s: %w", t.Name, err)
	}
	return p, nil
}

// pathOf is what a route is to a planner: the least rate, the sum of delays, and the loss in both.
func pathOf(route []*wire, overhead float64) planner.Path {
	if len(route) == 0 {
		return planner.Path{}
	}
	path := planner.Path{Goodput: math.Inf(1), Overhead: overhead}
	kept := 1.0
	for _, w := range route {
		path.Goodput = min(path.Goodput, w.rate)
		path.RTT += 2 * w.delay
		path.Jitter += w.jitter
		kept *= 1 - w.loss
	}
	path.Goodput *= kept
	if rtt := path.RTT.Seconds(); kept < 1 && rtt > 0 {
		path.Goodput = min(path.Goodput, kept*max(2*segment, segment*math.Sqrt(1.5/(1-kept)))/rtt)
	}
	return path
}
