package sim

import (
	"context"
	"math"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/control"
	"github.com/cleave-mesh/cleave/planner"
)

// lookEvery is how often the control machine looks while it has not made up its mind: a node's own period.
const lookEvery = 500 * time.Millisecond

// review asks the control machine what to do about the plan in force, after something changed in what the entry believes.
func (m *mesh) review(ctx context.Context) {
	m.clock.cancel(m.look)
	m.look = nil
	problem, err := m.ask()
	if err != nil {
		m.withoutPlan(err)
		return
	}
	fresh, err := m.choose(ctx, problem)
	if err != nil {
		m.withoutPlan(err)
		return
	}
	if m.plan == nil {
		m.adopt(fresh, "")
		return
	}
	now := m.present(problem)
	d := m.control.Look(control.View{
		Now:     m.clock.now,
		Current: control.Candidate{ID: m.planText, Latency: now.value()},
		Others:  []control.Candidate{{ID: Describe(fresh.problem, fresh.plan), Latency: fresh.value()}},
		Rate:    m.rate(),
	})
	switch {
	case d.Action == control.Switch:
		m.adopt(fresh, d.Reason)
		return
	case now != nil:
		m.choice = *now // with times as they are now
	}
	if fresh.value() < now.value() {
		m.look = m.clock.after(lookEvery, func() { m.review(ctx) })
	}
}

// choice is a plan, the problem that it is of, and the early exits of the profile that it uses.
type choice struct {
	problem *planner.Problem
	plan    *planner.Plan // nil when there is none
	used    []int
}

// value is the plan's objective, with early exits the expected latency; +Inf without a plan.
func (c *choice) value() float64 {
	switch {
	case c == nil || c.plan == nil:
		return math.Inf(1)
	case len(c.used) > 0:
		return planner.ExpectedLatency(c.problem, c.plan).Seconds()
	}
	return c.plan.Objective
}

// exits are the model's early exits.
func (m *mesh) exits() []planner.Exit { return m.cfg.Profile.PlannerExits() }

// choose asks the policy's planner. Exits are for the best planner, which wants the least latency; to others the model has only its end.
func (m *mesh) choose(ctx context.Context, problem *planner.Problem) (*choice, error) {
	p, exits := m.cfg.Policy.Planner, m.exits()
	if len(exits) > 0 && m.cfg.Policy.MayExit && problem.Objective == planner.Latency {
		found, err := planner.PlanExits(ctx, problem, exits, p)
		if err != nil {
			return nil, err
		}
		return &choice{found.Problem, found.Plan, found.Used}, nil
	}
	if len(exits) > 0 {
		problem = planner.WithExits(problem, exits, nil)
	}
	plan, err := p.Plan(ctx, problem)
	return &choice{problem: problem, plan: plan}, err
}

// present is the plan in force with the times it would take now; nil when it cannot be carried out any more.
func (m *mesh) present(problem *planner.Problem) *choice {
	if exits := m.exits(); len(exits) > 0 {
		problem = planner.WithExits(problem, exits, m.used)
	}
	plan, err := planner.Evaluate(problem, m.plan.Place, m.plan.Codings())
	if err != nil {
		return nil
	}
	return &choice{problem, plan, m.used}
}

// rate is how many requests come in a second.
func (m *mesh) rate() float64 {
	w := m.cfg.Topology.Workload
	if w.Arrivals.Pattern == topology.Sequential {
		return 1 / max(m.plan.Cost.Latency.Seconds(), 1e-3)
	}
	return w.Arrivals.Rate
}

// adopt makes a plan the one that new requests take.
func (m *mesh) adopt(c *choice, why string) {
	text := Describe(c.problem, c.plan)
	if m.planText != "" && m.planText != text {
		what := "plan: " + text
		if why != "" {
			what += " (" + why + ")"
		}
		m.note(what)
	}
	m.choice, m.planText = *c, text
}

// withoutPlan leaves new requests without one, until something changes.
func (m *mesh) withoutPlan(err error) {
	m.plan, m.planText, m.planErr = nil, "no plan", err
	m.note("no plan: " + err.Error())
}

// ask states the mesh as the entry believes it to be.
func (m *mesh) ask() (*planner.Problem, error) {
	return m.belief.problem(m.cfg.Topology, m.cfg.Profile, m.cfg.Policy, func(n int) bool { return m.known[n] })
}
