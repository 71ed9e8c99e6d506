package main

import (
	"context"
	"fmt"
	"io"

	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
	"github.com/cleave-mesh/cleave/split"
)

// measured is a model that was measured on this machine.
type measured struct {
	q    placement.Question
	host *host.Host
	file *calibrate.File // nil where there is no calibration
}

// effect is what calibration knows of a codec on a value of the undivided graph.
func (m *measured) effect(value, spec string) string {
	for i := range m.q.Graph.Values {
		if v := &m.q.Graph.Values[i]; v.Name == value {
			return placement.Effect(m.file, v, spec)
		}
	}
	return ""
}

// profile is the measurements as a profile, of the graph with the given blocks divided where there are any. groups, when not nil, are
// real timings of that graph instead of derived ones.
func (m *measured) profile(d *split.Divided, timings []host.Timing) (*sim.Profile, *placement.Frame, error) {
	q := &m.q
	if d != nil {
		q = q.Divided(d)
	}
	if timings != nil {
		q.Machines[0].Profiles = profilesOf(timings)
	}
	p, frame, err := q.Problem()
	if err != nil {
		return nil, nil, err
	}
	prof, err := sim.ProfileOf(p)
	return prof, frame, err
}

func profilesOf(timings []host.Timing) []placement.Profile {
	var out []placement.Profile
	for _, t := range timings {
		out = append(out, placement.Profile{Backend: t.Backend, Version: t.Version, Groups: t.Groups, Total: t.Total, Border: t.Border})
	}
	return out
}

// planned is what cleave plan found for a model.
type planned struct {
	profile *sim.Profile
	problem *planner.Problem
	// undivided is the problem of the graph as it is, which the other planners get.
	undivided *planner.Problem
	plan      *planner.Plan
	note      string // about operator splits; "" when none were looked for
	parts     []planDivision
	effects   effectOf
}

// planDivision is an operator split as cleave plan --json prints it.
type planDivision struct {
	First string `json:"first"`
	Last  string `json:"last"`
	Axis  int    `json:"axis"`
	Of    string `json:"of"`
	Parts []int  `json:"parts"`
}

// planSplits plans a measured model over a topology, with operator splits as long as they help. Those that the search keeps
// are measured on this machine and planned again; a split whose gain does not survive that is dropped.
func planSplits(ctx context.Context, progress io.Writer, m *measured, t *topology.Topology, policy sim.Policy, solver planner.Planner) (*planned, error) {
	profiles := map[*placement.Frame]*sim.Profile{}
	state := func(divided *split.Divided, timings []host.Timing) (*placement.Stated, error) {
		prof, frame, err := m.profile(divided, timings)
		if err != nil {
			return nil, err
		}
		p, err := sim.Problem(t, prof, policy)
		if err != nil {
			return nil, err
		}
		profiles[frame] = prof
		st := &placement.Stated{Divided: divided, Graph: m.q.Graph, Problem: p, Frame: frame}
		if divided != nil {
			st.Graph = divided.Graph
		}
		return st, nil
	}
	search := placement.Search{Graph: m.q.Graph, Solver: solver, State: func(divisions []split.Division) (*placement.Stated, error) {
		if len(divisions) == 0 {
			return state(nil, nil)
		}
		divided, err := m.q.Graph.Divide(divisions)
		if err != nil {
			return nil, err
		}
		return state(divided, nil)
	}}
	fmt.Fprintln(progress, "looking for operator splits")
	found, err := search.Run(ctx)
	if err != nil {
		return nil, err
	}
	whole, err := state(nil, nil)
	if err != nil {
		return nil, err
	}
	out := &planned{
		profile: profiles[found.Frame], problem: found.Problem, undivided: whole.Problem, plan: found.Plan, note: found.Describe(m.q.Graph),
		effects: m.effect,
	}
	if len(found.Divisions) == 0 {
		return out, nil
	}
	fmt.Fprintln(progress, "measuring the model with the split")
	timings, err := m.host.Measure(ctx, found.Divided.Graph)
	if err != nil {
		return nil, err
	}
	st, err := state(found.Divided, timings)
	if err != nil {
		return nil, err
	}
	known, err := planner.Evaluate(st.Problem, found.Plan.Place, found.Plan.Codings())
	if err != nil {
		return nil, err
	}
	plan := placement.Settle(ctx, solver, st, known)
	out.note += fmt.Sprintf("With the divided model measured on this machine the plan takes %.4g ms.\n", plan.Objective*1e3)
	out.profile, out.problem, out.plan = profiles[st.Frame], st.Problem, plan
	for _, d := range found.Divisions {
		out.parts = append(out.parts, planDivision{
			First: m.q.Graph.Groups[d.First].Name, Last: m.q.Graph.Groups[d.Last].Name, Axis: d.Axis, Of: m.q.Graph.AxisName(d), Parts: d.Parts,
		})
	}
	if plan.Objective < found.Undivided.Objective {
		return out, nil
	}
	out.profile, out.problem, out.plan, out.parts = profiles[whole.Frame], whole.Problem, found.Undivided, nil
	out.note += "That is not less than undivided, so nothing is divided.\n"
	return out, nil
}
