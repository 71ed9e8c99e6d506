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
	fresh, err := m.cfg.Policy.Planner.Plan(ctx, problem)
	if err != nil {
		m.withoutPlan(err)
		return
	}
	if m.plan == nil {
		m.adopt(problem, fresh, "")
		return
	}
	now, held := m.present(problem), m.plan
	d := m.control.Look(control.View{
		Now:     m.clock.now,
		Current: control.Candidate{ID: m.planText, Latency: value(now)},
		Others:  []control.Candidate{{ID: Describe(problem, fresh), Latency: fresh.Objective}},
		Rate:    m.rate(),
	})
	switch {
	case d.Action == control.Switch:
		m.adopt(problem, fresh, d.Reason)
		return
	case now != nil:
		held = now // with times as they are now
	}
	m.problem, m.plan = problem, held
	if fresh.Objective < value(now) {
		m.look = m.clock.after(lookEvery, func() { m.review(ctx) })
	}
}

// present is the plan in force with the times it would take now; nil when it cannot be carried out any more.
func (m *mesh) present(problem *planner.Problem) *planner.Plan {
	codings := planner.Codings{}
	for _, t := range m.plan.Transfers {
		codings[planner.Hop{Value: t.Value, To: t.To}] = t.Coding
	}
	plan, err := planner.Evaluate(problem, m.plan.Place, codings)
	if err != nil {
		return nil
	}
	return plan
}

// value is a plan's objective; +Inf without a plan.
func value(p *planner.Plan) float64 {
	if p == nil {
		return math.Inf(1)
	}
	return p.Objective
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
func (m *mesh) adopt(problem *planner.Problem, plan *planner.Plan, why string) {
	text := Describe(problem, plan)
	if m.planText != "" && m.planText != text {
		what := "plan: " + text
		if why != "" {
			what += " (" + why + ")"
		}
		m.note(what)
	}
	m.problem, m.plan, m.planText = problem, plan, text
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
