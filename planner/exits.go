package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// MaxExits is the most exits of a model: every set of them is planned.
const MaxExits = 6

// Exit is an output that may answer a request before the model has run to its end.
type Exit struct {
	Value ValueID
	// Share is the share of requests, from 0 to 1, that this exit or one before it would answer: it never falls from exit to exit. What
	// no exit answers goes to the model's other outputs.
	Share float64
	// Loss is the accuracy cost of a request that is answered here, in the units of Limits.Loss.
	Loss float64
}

// ExitPlan is a plan of a model with exits.
type ExitPlan struct {
	// Problem has the pieces that still run, those for earlier exits first; Plan is of it; its Objective, and so its Proof, is Expected, its Cost that of
	// a request that goes to the end.
	Problem *Problem
	Plan    *Plan
	// Used are the exits in use, ascending; Answers are seconds until each of them answers, and then until the model's end does.
	Used    []int
	Answers []float64
	// Expected is the mean of Answers, weighed with the shares of requests that leave there, in seconds.
	Expected float64
	// Loss is the exits' mean accuracy cost and that of the plan's codecs together.
	Loss float64
}

// PlanExits finds which exits to use and where each piece runs, so that the expected latency is least within the limits:
//
//	expected latency = sum over exits in use of (share - share of the exit before) x answer time, and the rest x time of the end
//
// Exits cost time, too: what leads to one alone runs before what leads on. Those not in use do not run. A request that is answered stops.
// p must want latency; its exits are among the values marked Output.
//
// Every set of exits is searched by branch and bound over places, from plans that solver makes and local moves, with the times of a
// mesh without queues as bounds. Codecs are the quickest ones, or all lossless where those would lose too much: so far the
// proof goes. At worst that is nodes^pieces placements for each of 2^exits sets. When ctx ends, or after maxExitSteps placements, the
// best plan so far counts with its bound. SPINN (Laskaridis et al., MobiCom 2020) chooses exit and cut together by search at run time.
func PlanExits(ctx context.Context, p *Problem, exits []Exit, solver Planner) (*ExitPlan, error) {
	begin := time.Now()
	if err := checkExits(p, exits); err != nil {
		return nil, err
	}
	var best *exitSearch
	var why error
	bound, done, steps := math.Inf(1), true, 0
	for set := range 1 << len(exits) {
		s, err := newExitSearch(p, exits, set)
		if err == nil {
			if best != nil {
				s.found = best.found // only what is better counts
			}
			err = s.run(ctx, solver)
		}
		var no *InfeasibleError
		if errors.As(err, &no) {
			why = err
			continue
		}
		if err != nil {
			return nil, err
		}
		bound, done, steps = min(bound, s.bound), done && s.done, steps+s.steps
		if s.place != nil {
			best = s
		} else if best == nil {
			why = s.why
		}
	}
	if best == nil {
		if why == nil {
			why = &InfeasibleError{Constraint: "a placement within all limits, with the quickest codecs or lossless ones", Need: 1, Have: 0, Unit: "plans"}
		}
		return nil, why
	}
	out, err := best.plan()
	if err != nil {
		return nil, err
	}
	if done {
		bound = out.Expected
	}
	out.Plan.Objective = out.Expected
	best.in.prove(out.Plan, Proof{
		Solver: "exits", Bound: min(bound, out.Expected), Elapsed: time.Since(begin), Explored: steps,
		Claim: "branch and bound over sets of exits and places, codecs all the quickest or all lossless: optimal among these when it ended by itself",
	})
	return out, nil
}

func checkExits(p *Problem, exits []Exit) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Objective != Latency || len(exits) > MaxExits {
		return invalid("exits are planned for latency, and at most %d of them: the problem wants %s with %d", MaxExits, p.Objective, len(exits))
	}
	last, seen := 0.0, map[ValueID]bool{}
	for i, e := range exits {
		switch {
		case e.Value < 0 || int(e.Value) >= len(p.Values) || !p.Values[e.Value].Output || p.Values[e.Value].Producer == External || seen[e.Value]:
			return invalid("exit %d is value %d: it must be an output that a piece makes, and only once", i, e.Value)
		case !(e.Share >= last && e.Share <= 1):
			return invalid("exit %q has share %v: want %v to 1", p.Values[e.Value].Name, e.Share, last)
		case !(e.Loss >= 0) || math.IsInf(e.Loss, 1):
			return invalid("exit %q has loss %v", p.Values[e.Value].Name, e.Loss)
		}
		last, seen[e.Value] = e.Share, true
	}
	for v := range p.Values {
		if p.Values[v].Output && p.Values[v].Producer != External && !seen[ValueID(v)] {
			return nil
		}
	}
	return invalid("every output is an exit: there is none for the requests that leave nowhere")
}

// weights are the shares of requests that leave at each exit in use, and at the end.
func weights(exits []Exit, used []int) []float64 {
	var out []float64
	before := 0.0
	for _, k := range used {
		out = append(out, exits[k].Share-before)
		before = exits[k].Share
	}
	return append(out, 1-before)
}

// exitProblem is p with the exits in use alone: pieces that nothing needs are gone, and those that an earlier exit needs come first. It
// also gives the values that answer: one for each exit in use, then those of the end.
func exitProblem(p *Problem, exits []Exit, used []int) (*Problem, [][]ValueID) {
	answers := make([][]ValueID, len(used)+1)
	unused := map[ValueID]bool{}
	for k, e := range exits {
		if i := slices.Index(used, k); i >= 0 {
			answers[i] = []ValueID{e.Value}
		}
		unused[e.Value] = true
	}
	for v := range p.Values {
		if p.Values[v].Output && !unused[ValueID(v)] {
			answers[len(used)] = append(answers[len(used)], ValueID(v))
		}
	}
	var order []PieceID
	taken := make([]bool, len(p.Pieces))
	for _, level := range answers {
		need := make([]bool, len(p.Pieces))
		for _, v := range level {
			if i := p.Values[v].Producer; i != External {
				need[i] = true
			}
		}
		for i := len(p.Pieces) - 1; i >= 0; i-- {
			if !need[i] {
				continue
			}
			for _, v := range p.Pieces[i].In {
				if k := p.Values[v].Producer; k != External {
					need[k] = true
				}
			}
		}
		for i, n := range need {
			if n && !taken[i] {
				taken[i] = true
				order = append(order, PieceID(i))
			}
		}
	}
	out := *p
	out.Pieces, out.Values = nil, nil
	values := map[ValueID]ValueID{}
	ids := func(old []ValueID) []ValueID {
		var fresh []ValueID
		for _, v := range old {
			id, ok := values[v]
			if !ok {
				id = ValueID(len(out.Values))
				values[v] = id
				val := p.Values[v]
				val.Consumers, val.Producer = nil, External
				val.Output = val.Output && (!unused[v] || slices.ContainsFunc(used, func(k int) bool { return exits[k].Value == v }))
				out.Values = append(out.Values, val)
			}
			fresh = append(fresh, id)
		}
		return fresh
	}
	for i, old := range order {
		c := p.Pieces[old]
		c.In, c.Out = ids(c.In), ids(c.Out)
		for _, v := range c.In {
			out.Values[v].Consumers = append(out.Values[v].Consumers, PieceID(i))
		}
		for _, v := range c.Out {
			out.Values[v].Producer = PieceID(i)
		}
		out.Pieces = append(out.Pieces, c)
	}
	for k := range answers {
		answers[k] = ids(answers[k])
	}
	return &out, answers
}

// DescribeExits says in a few lines which exits are used and what that is worth.
func DescribeExits(p *Problem, exits []Exit, e *ExitPlan) string {
	var b strings.Builder
	w := weights(exits, e.Used)
	fmt.Fprintf(&b, "Early exits: %d of %d in use, expected latency %s", len(e.Used), len(exits), round(seconds(e.Expected)))
	if q := e.Plan.Proof; q.Optimal {
		b.WriteString(", proven least")
	} else {
		fmt.Fprintf(&b, ", at least %s", round(seconds(q.Bound)))
	}
	fmt.Fprintf(&b, ", accuracy loss %.3g.\n", e.Loss)
	for i, k := range e.Used {
		fmt.Fprintf(&b, "  %-24s %5.1f %% of requests after %s\n", Short(p.Values[exits[k].Value].Name), 100*w[i], round(seconds(e.Answers[i])))
	}
	fmt.Fprintf(&b, "  %-24s %5.1f %% of requests after %s\n", "the end", 100*w[len(w)-1], round(seconds(e.Answers[len(w)-1])))
	return b.String()
}
