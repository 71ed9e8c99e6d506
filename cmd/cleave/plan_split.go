package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
	"github.com/cleave-mesh/cleave/split"
)

// measured is a model that was measured on this machine, or before.
type measured struct {
	before *sim.Profile // nil where the model itself is at hand
	q      placement.Question
	host   *host.Host      // nil where the model was measured before
	file   *calibrate.File // nil where there is no calibration
}

// measuredBefore finds what planProfile finds.
func measuredBefore(arg string, t *topology.Topology, f planFlags) (*measured, error) {
	prof, err := planProfile(arg, t, f)
	return &measured{before: prof}, err
}

func (m *measured) name() string {
	if m.before != nil {
		return m.before.Model
	}
	return m.q.Model
}

// effect is what calibration knows of a codec on a value of the undivided graph.
func (m *measured) effect(value, spec string) string {
	if m.before != nil {
		return ""
	}
	for i := range m.q.Graph.Values {
		if v := &m.q.Graph.Values[i]; v.Name == value {
			return placement.Effect(m.file, v, spec)
		}
	}
	return ""
}

// profile is the measurements as a profile, of the graph with the given blocks divided where there are any. timings, when not nil, are
// of that graph and take the place of derived ones.
func (m *measured) profile(d *split.Divided, timings []host.Timing) (*sim.Profile, *placement.Frame, error) {
	if m.before != nil {
		return m.before, nil, nil
	}
	q := m.q
	if d != nil {
		q = *q.Divided(d)
	}
	if timings != nil {
		q.Machines = slices.Clone(q.Machines)
		q.Machines[0].Profiles = profilesOf(timings)
	}
	p, frame, err := q.Problem()
	if err != nil {
		return nil, nil, err
	}
	prof, err := sim.ProfileOf(p)
	if err != nil {
		return nil, nil, err
	}
	declared, err := q.Graph.Exits()
	for _, e := range placement.ExitsOf(p, declared) {
		prof.Exits = append(prof.Exits, sim.ExitProfile(e))
	}
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
	// undivided is the problem of the graph as it is, without early exits, which the other planners get.
	undivided *planner.Problem
	plan      *planner.Plan
	note      string // about operator splits or early exits; "" when none were looked for
	parts     []planDivision
	exits     *planExits // nil where the model declares none
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

// search plans a measured model over a topology.
type search struct {
	m        *measured
	topology *topology.Topology
	policy   sim.Policy
	solver   planner.Planner
	// splits looks for operator splits, exits uses the model's early exits.
	splits, exits bool

	profiles map[*planner.Problem]*sim.Profile // of each stated problem
}

// state states the problem of the model with blocks divided; timings, when not nil, are of that graph.
func (s *search) state(divided *split.Divided, timings []host.Timing) (*placement.Stated, error) {
	prof, frame, err := s.m.profile(divided, timings)
	if err != nil {
		return nil, err
	}
	p, err := sim.Problem(s.topology, prof, s.policy)
	if err != nil {
		return nil, err
	}
	s.profiles[p] = prof
	st := &placement.Stated{Divided: divided, Graph: s.m.q.Graph, Problem: p, Frame: frame}
	if divided != nil {
		st.Graph = divided.Graph
	}
	if s.exits && p.Objective == planner.Latency {
		st.Exits = slices.DeleteFunc(prof.PlannerExits(), func(e planner.Exit) bool { return s.policy.Lossless && e.Loss > 0 })
	}
	return st, nil
}

// run plans the model as the nodes of a mesh do (placement.Search). The search for operator splits knows derived times only, so the model is
// then measured without and with what it found, one after the other, and both are planned; the better one counts.
func (s *search) run(ctx context.Context, progress io.Writer) (*planned, error) {
	s.profiles = map[*planner.Problem]*sim.Profile{}
	var whole *placement.Stated
	ps := placement.Search{Graph: s.m.q.Graph, Solver: s.solver, Whole: !s.splits, State: func(divisions []split.Division) (*placement.Stated, error) {
		if len(divisions) > 0 {
			divided, err := s.m.q.Graph.Divide(divisions)
			if err != nil {
				return nil, err
			}
			return s.state(divided, nil)
		}
		var err error
		whole, err = s.state(nil, nil)
		if err == nil && s.splits && len(whole.Exits) == 0 {
			fmt.Fprintln(progress, "looking for operator splits")
		}
		return whole, err
	}}
	found, err := ps.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("planning %s: %w", s.m.name(), err)
	}
	out := &planned{
		profile: s.profiles[whole.Problem], problem: found.Problem, undivided: found.Problem, plan: found.Plan, note: found.Describe(s.m.q.Graph),
		effects: s.m.effect,
	}
	if found.ExitPlan != nil {
		out.exits, out.undivided = reportExits(found.ExitPlan), planner.WithExits(whole.Problem, whole.Exits, nil)
	}
	if len(found.Divisions) == 0 {
		return out, nil
	}
	return out, s.again(ctx, progress, found, out)
}

// again measures the model without and with what the search divided, and plans both.
func (s *search) again(ctx context.Context, progress io.Writer, found *placement.Outcome, out *planned) error {
	m := s.m
	fmt.Fprintln(progress, "measuring the model again, without and with the split")
	timings, err := m.host.Measure(ctx, m.q.Graph)
	if err != nil {
		return err
	}
	whole, err := s.state(nil, timings)
	if err != nil {
		return err
	}
	undivided, err := s.solver.Plan(ctx, whole.Problem)
	if err != nil {
		return err
	}
	if timings, err = m.host.Measure(ctx, found.Divided.Graph); err != nil {
		return err
	}
	st, err := s.state(found.Divided, timings)
	if err != nil {
		return err
	}
	known, err := planner.Evaluate(st.Problem, found.Plan.Place, found.Plan.Codings())
	if err != nil {
		return err
	}
	plan := placement.Settle(ctx, s.solver, st, known)
	out.note += fmt.Sprintf("Measured one after the other on this machine, the undivided plan takes %.4g ms, the divided one %.4g ms.\n",
		undivided.Objective*1e3, plan.Objective*1e3)
	out.undivided = whole.Problem
	if plan.Objective >= undivided.Objective {
		out.profile, out.problem, out.plan = s.profiles[whole.Problem], whole.Problem, undivided
		out.note += "So nothing is divided.\n"
		return nil
	}
	out.profile, out.problem, out.plan = s.profiles[st.Problem], st.Problem, plan
	for i := range out.profile.Pieces { // a part stays on one machine in simulations, too
		out.profile.Pieces[i].Class = st.Problem.Pieces[i].Class
	}
	for _, d := range found.Divisions {
		out.parts = append(out.parts, planDivision{
			First: m.q.Graph.Groups[d.First].Name, Last: m.q.Graph.Groups[d.Last].Name, Axis: d.Axis, Of: m.q.Graph.AxisName(d), Parts: d.Parts,
		})
	}
	return nil
}
