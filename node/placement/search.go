package placement

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

const (
	// maxRounds is how many blocks are divided one after the other.
	maxRounds = 4
	// maxRefined is how many of the blocks that look best get their parts balanced by the cost model, maxSolved how many of these
	// then are planned in full.
	maxRefined, maxSolved = 12, 3
	// leastGain is by how much, relative to the plan so far, a division must be better to be kept: its figures are derived, not measured.
	leastGain = 0.01
	// trialTime is the most time that planning one candidate in full may take.
	trialTime = 2 * time.Second
)

// Statement states a problem for a graph with the given blocks divided; nil states it for the graph as it is.
type Statement func(divisions []split.Division) (*Stated, error)

// Stated is a problem with what its pieces mean.
type Stated struct {
	Divided *split.Divided // nil for the graph as it is
	Graph   *split.Graph   // the divided one, where there is one
	Problem *planner.Problem
	Frame   *Frame
	// Exits are the model's early exits among Problem's outputs; none where it has none or they are not to be used.
	Exits []planner.Exit
}

// Outcome is the best plan that a search found.
type Outcome struct {
	*Stated
	Plan      *planner.Plan
	Divisions []split.Division
	// Undivided is the plan for the graph as it is.
	Undivided *planner.Plan
	// Blocks is how many divisions looked promising, Tried how many problems with a division were evaluated, Solved how many were
	// planned in full.
	Blocks, Tried, Solved int
	// ExitPlan is the plan with early exits, chosen from Stated.Exits; nil where there are none. Problem and Frame are of the pieces that
	// it runs.
	ExitPlan *planner.ExitPlan

	base  *planner.Problem // with every exit
	whole bool
}

// Search plans a graph as it is, and then with blocks divided as long as that is faster. A model with early exits is planned with these
// instead (planner.PlanExits), and none of its blocks is divided.
//
// Each round ranks blocks by an estimate: how long the parts would take if their sizes were balanced so that all end at once (see
// balance). For the best of them the sizes are refined with the cost model, and the best of these are planned in full, so that places
// and codecs are chosen jointly with the parts. The best plan counts when it is lower by leastGain. Nothing is claimed of
// divisions that were not tried.
//
// All of a part runs on one machine. It is for one request's latency: for other objectives the graph stays as it is.
type Search struct {
	Graph  *split.Graph // canonical
	State  Statement
	Solver planner.Planner
	// Whole divides nothing.
	Whole bool
}

// Run blocks until the search is done. When ctx ends, the best plan so far counts; without any it fails.
func (s *Search) Run(ctx context.Context) (*Outcome, error) {
	stated, err := s.State(nil)
	if err != nil {
		return nil, err
	}
	if len(stated.Exits) > 0 {
		return s.withExits(ctx, stated)
	}
	plan, err := s.Solver.Plan(ctx, stated.Problem)
	if err != nil {
		return nil, err
	}
	best := &Outcome{Stated: stated, Plan: plan, Undivided: plan, base: stated.Problem, whole: s.Whole || stated.Problem.Objective != planner.Latency}
	if best.whole {
		return best, nil
	}
	for range maxRounds {
		better, err := s.round(ctx, best)
		if err != nil {
			return nil, err
		}
		if better == nil {
			break
		}
		best = better
	}
	return best, nil
}

// round looks for one more division; nil when none helps.
func (s *Search) round(ctx context.Context, now *Outcome) (*Outcome, error) {
	candidates := s.candidates(ctx, now)
	now.Blocks += len(candidates)
	var trials []*trial
	for _, c := range diverse(candidates) {
		if ctx.Err() != nil {
			break
		}
		t, err := s.refine(ctx, now, c)
		if err != nil {
			return nil, err
		}
		if t != nil {
			trials = append(trials, t)
		}
	}
	slices.SortStableFunc(trials, func(a, b *trial) int {
		switch {
		case a.plan.Objective < b.plan.Objective:
			return -1
		case a.plan.Objective > b.plan.Objective:
			return 1
		}
		return 0
	})
	var best *Outcome
	for _, t := range trials[:min(len(trials), maxSolved)] {
		if ctx.Err() != nil {
			break
		}
		now.Solved++
		plan := Settle(ctx, s.Solver, t.stated, t.plan)
		if best == nil || plan.Objective < best.Plan.Objective {
			best = &Outcome{Stated: t.stated, Plan: plan, Divisions: t.divisions, Undivided: now.Undivided, base: now.base}
		}
	}
	if best == nil || best.Plan.Objective > now.Plan.Objective*(1-leastGain) {
		return nil, nil
	}
	best.Blocks, best.Tried, best.Solved = now.Blocks, now.Tried, now.Solved
	return best, nil
}

// withExits plans a problem with its early exits.
func (s *Search) withExits(ctx context.Context, st *Stated) (*Outcome, error) {
	found, err := planner.PlanExits(ctx, st.Problem, st.Exits, s.Solver)
	if err != nil {
		return nil, err
	}
	part := &Stated{Graph: st.Graph, Problem: found.Problem, Exits: st.Exits}
	if st.Frame != nil {
		part.Frame = st.Frame.Part(found.Pieces, found.Values)
	}
	return &Outcome{Stated: part, Plan: found.Plan, Undivided: found.Plan, ExitPlan: found, base: st.Problem}, nil
}

// ExitsOf are a model's declared exits as outputs of a problem. Of more than planner.MaxExits, some that are evenly spread count.
func ExitsOf(p *planner.Problem, declared []split.Exit) []planner.Exit {
	var out []planner.Exit
	for _, e := range declared {
		v := slices.IndexFunc(p.Values, func(v planner.Value) bool { return v.Name == e.Output })
		if v >= 0 && p.Values[v].Producer != planner.External {
			out = append(out, planner.Exit{Value: planner.ValueID(v), Share: e.Share, Loss: e.Loss})
		}
	}
	if n := len(out); n > planner.MaxExits {
		for k := range planner.MaxExits {
			out[k] = out[(k+1)*n/planner.MaxExits-1]
		}
		out = out[:planner.MaxExits]
	}
	return out
}

// Settle plans a divided problem in full, each part on one machine, within trialTime, and gives the better of the result and the
// known plan, which is of the same problem.
func Settle(ctx context.Context, solver planner.Planner, st *Stated, known *planner.Plan) *planner.Plan {
	st.tie()
	tctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	solved, err := solver.Plan(tctx, st.Problem)
	if err != nil {
		return known
	}
	if known.Objective >= solved.Objective {
		return solved
	}
	better := *known
	better.Proof = solved.Proof
	better.Proof.Bound = min(better.Proof.Bound, better.Objective)
	better.Proof.Gap = (better.Objective - better.Proof.Bound) / better.Objective
	return &better
}

// Describe says in a sentence or two which early exits are used or what was divided, what that is worth, and how far the proof goes; "" where
// there was nothing to look for.
func (o *Outcome) Describe(base *split.Graph) string {
	if o.ExitPlan != nil {
		return planner.DescribeExits(o.base, o.Exits, o.ExitPlan)
	}
	if o.whole {
		return ""
	}
	if len(o.Divisions) == 0 {
		return fmt.Sprintf("Operator splits: none helps (%d blocks looked promising, %d divisions tried, %d planned in full).\n", o.Blocks, o.Tried, o.Solved)
	}
	out := ""
	for _, d := range o.Divisions {
		v, err := base.BlockOutput(d.First, d.Last)
		if err != nil {
			continue
		}
		out += fmt.Sprintf("Operator split: %s … %s (%d groups) in %d parts of %v along axis %d (%s) of %s.\n", planner.Short(base.Groups[d.First].Name),
			planner.Short(base.Groups[d.Last].Name), d.Last-d.First+1, len(d.Parts), d.Parts, d.Axis, base.AxisName(d), base.Values[v].Type())
	}
	return out + fmt.Sprintf("Undivided, the best plan takes %.4g ms; divided %.4g ms (%d blocks looked promising, %d divisions tried, %d planned in full).\n"+
		"The proof is of the graph divided this way, each part on one machine; other divisions may be better.\n",
		o.Undivided.Objective*1e3, o.Plan.Objective*1e3, o.Blocks, o.Tried, o.Solved)
}
