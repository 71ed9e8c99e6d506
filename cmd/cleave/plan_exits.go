package main

import (
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
	"github.com/cleave-mesh/cleave/split"
)

// planExits is what cleave plan --json prints of a model with early exits.
type planExits struct {
	ExpectedMS float64    `json:"expected_ms"`
	Loss       float64    `json:"loss"`
	Used       []planExit `json:"used"`
	EndMS      float64    `json:"end_ms"`
}

type planExit struct {
	Output   string  `json:"output"`
	AnswerMS float64 `json:"answer_ms"`
}

// planWithExits plans a measured model whose metadata declares early exits. Operator splits are not looked for then.
func planWithExits(ctx context.Context, m *measured, declared []split.Exit, t *topology.Topology, policy sim.Policy, solver planner.Planner) (*planned, error) {
	prof, _, err := m.profile(nil, nil)
	if err != nil {
		return nil, err
	}
	p, err := sim.Problem(t, prof, policy)
	if err != nil {
		return nil, err
	}
	var exits []planner.Exit
	for _, e := range declared {
		for v := range p.Values {
			if p.Values[v].Name == e.Output {
				exits = append(exits, planner.Exit{Value: planner.ValueID(v), Share: e.Share, Loss: e.Loss})
			}
		}
	}
	found, err := planner.PlanExits(ctx, p, exits, solver)
	if err != nil {
		return nil, fmt.Errorf("planning %s with its exits: %w", prof.Model, err)
	}
	out := &planned{
		profile: prof, problem: found.Problem, undivided: found.Problem, plan: found.Plan, effects: m.effect, note: planner.DescribeExits(p, exits, found),
		exits: &planExits{ExpectedMS: 1e3 * found.Expected, Loss: found.Loss, Used: []planExit{}, EndMS: 1e3 * found.Answers[len(found.Used)]},
	}
	for i, k := range found.Used {
		out.exits.Used = append(out.exits.Used, planExit{Output: declared[k].Output, AnswerMS: 1e3 * found.Answers[i]})
	}
	return out, nil
}
