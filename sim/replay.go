package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/planner"
)

// Replay simulates a plan that a mesh really carried out: the problem's measurements of the model on its nodes, over the
// topology's links. Nodes are matched by name. cfg's topology is t, and its profile and policy are not read.
func Replay(ctx context.Context, cfg Config, p *planner.Problem, plan *planner.Plan) (*Result, error) {
	ids := make([]planner.NodeID, len(p.Nodes))
	for i, n := range p.Nodes {
		at := slices.IndexFunc(cfg.Topology.Nodes, func(m topology.Node) bool { return m.Name == n.Name })
		if at < 0 {
			return nil, fmt.Errorf("replay a plan: node %s is not in the topology %s", n.Name, cfg.Topology.Name)
		}
		ids[i] = planner.NodeID(at)
	}
	profile, err := ProfileOf(p)
	if err != nil {
		return nil, err
	}
	profile.Model = cfg.Topology.Workload.Model
	moved := *plan
	moved.Place = slices.Clone(plan.Place)
	for i, n := range plan.Place {
		moved.Place[i] = ids[n]
	}
	moved.Stages = slices.Clone(plan.Stages)
	for i, s := range plan.Stages {
		moved.Stages[i].Node = ids[s.Node]
	}
	moved.Transfers = slices.Clone(plan.Transfers)
	for i, t := range plan.Transfers {
		moved.Transfers[i].From, moved.Transfers[i].To = ids[t.From], ids[t.To]
	}
	solver, err := planner.Lookup("")
	if err != nil {
		return nil, err
	}
	cfg.Profile, cfg.First, cfg.Policy = profile, &moved, Policy{Name: "replay", Planner: solver, MaxLoss: -1}
	return Run(ctx, cfg)
}
