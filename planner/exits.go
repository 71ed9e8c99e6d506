package planner

import (
	"cmp"
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
	// Problem has the pieces that still run, those for earlier exits first, with their levels, and the exits marked; Plan is of it; its
	// Objective, and so its Proof, is Expected, its Cost that of a request that goes to the end.
	Problem *Problem
	Plan    *Plan
	// Pieces and Values are the ids in the problem that was asked, parallel to Problem's.
	Pieces []PieceID
	Values []ValueID
	// Used are the exits in use, ascending.
	Used []int
	// Expected is the mean of Answers, weighed with the shares of requests that leave there, in seconds.
	Expected float64
	// Loss is the exits' mean accuracy cost and that of the plan's codecs together.
	Loss float64
}

// PlanExits finds which exits to use and where each piece runs, so that the expected latency is least within the limits:
//
//	expected latency = sum over exits in use of (share - share of the exit before) x answer time, and the rest x time of the end
//
// Exits cost time, too: what leads to one alone runs before what leads on. Those not in use do not run. A request that is answered stops;
// until then it goes on, without waiting for what the exit says. After an exit that answers all that reach it nothing runs. p must want
// latency; its exits are among the values marked Output.
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
			why = &InfeasibleError{Constraint: "no placement is within all limits, with the quickest codecs or lossless ones"}
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
		Solver: "exits", Form: "plans whose codecs are all the quickest or all lossless", Bound: min(bound, out.Expected), Elapsed: time.Since(begin), Explored: steps,
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

// reduced is a problem with some exits in use alone: pieces that nothing needs are gone, and those that an earlier exit needs come first.
type reduced struct {
	problem *Problem
	// answers are the values that answer: one for each exit in use, then those of the end; none where the last exit answers everything.
	answers [][]ValueID
	pieces  []PieceID // of the whole problem, parallel to problem.Pieces
	values  []ValueID // of the whole problem, parallel to problem.Values
}

func exitProblem(p *Problem, exits []Exit, used []int) *reduced {
	answers := make([][]ValueID, len(used)+1)
	share := map[ValueID]float64{} // of the exits in use; 0 for others
	for k, e := range exits {
		share[e.Value] = 0
		if i := slices.Index(used, k); i >= 0 {
			answers[i] = []ValueID{e.Value}
			share[e.Value] = e.Share
		}
	}
	wanted := func(v ValueID) bool {
		s, exit := share[v]
		return p.Values[v].Output && (!exit || s > 0)
	}
	if n := len(used); n > 0 && exits[used[n-1]].Share == 1 {
		last := exits[used[n-1]].Value
		share[last] = 0 // it is the end
		wanted = func(v ValueID) bool { return v == last || share[v] > 0 }
	} else {
		for v := range p.Values {
			if _, exit := share[ValueID(v)]; p.Values[v].Output && !exit {
				answers[len(used)] = append(answers[len(used)], ValueID(v))
			}
		}
	}
	var order []PieceID
	levels := make([]int, len(p.Pieces))
	taken := make([]bool, len(p.Pieces))
	for k, level := range answers {
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
				taken[i], levels[i] = true, k
				order = append(order, PieceID(i))
			}
		}
	}
	r := &reduced{problem: new(Problem), pieces: order}
	out := r.problem
	*out = *p
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
				val.Output = wanted(v)
				val.Exit = share[v]
				out.Values = append(out.Values, val)
				r.values = append(r.values, v)
			}
			fresh = append(fresh, id)
		}
		return fresh
	}
	for i, old := range order {
		c := p.Pieces[old]
		c.Level = levels[old]
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
	r.answers = answers
	return r
}

// WithExits is the problem with the given of its exits in use, as ExitPlan.Problem has it; what only the others need is gone.
func WithExits(p *Problem, exits []Exit, used []int) *Problem {
	return exitProblem(p, exits, used).problem
}

// Answer is when a plan answers some of the requests.
type Answer struct {
	// Exit is the value that answers; -1 for the model's end.
	Exit ValueID
	// Share is the share of requests that leave here.
	Share float64
	At    time.Duration
}

// Answers lists when a plan answers: at each exit that its problem marks, in order of their shares, and at the end.
func Answers(p *Problem, plan *Plan) []Answer {
	at := func(v ValueID) time.Duration { // at the sink
		for _, t := range plan.Transfers {
			if t.Value == v && t.To == p.Sink {
				return t.End
			}
		}
		for _, s := range plan.Stages {
			if slices.Contains(s.Pieces, p.Values[v].Producer) {
				return s.End
			}
		}
		return 0
	}
	var out []Answer
	end := Answer{Exit: -1}
	for v := range p.Values {
		switch val := &p.Values[v]; {
		case val.Exit > 0:
			out = append(out, Answer{Exit: ValueID(v), Share: val.Exit, At: at(ValueID(v))})
		case val.Output:
			end.At = max(end.At, at(ValueID(v)))
		}
	}
	slices.SortStableFunc(out, func(a, b Answer) int { return cmp.Compare(a.Share, b.Share) })
	before := 0.0
	for k := range out {
		out[k].Share, before = out[k].Share-before, out[k].Share
	}
	end.Share = 1 - before
	return append(out, end)
}

// ExpectedLatency is the mean of a plan's Answers: its latency where the problem has no exits.
func ExpectedLatency(p *Problem, plan *Plan) time.Duration {
	answers := Answers(p, plan)
	if len(answers) == 1 {
		return plan.Cost.Latency
	}
	sum := 0.0
	for _, a := range answers {
		sum += a.Share * a.At.Seconds()
	}
	return seconds(sum)
}

// DescribeExits says in a few lines which exits are used and what that is worth.
func DescribeExits(p *Problem, exits []Exit, e *ExitPlan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Early exits: %d of %d in use, expected latency %s", len(e.Used), len(exits), round(seconds(e.Expected)))
	if q := e.Plan.Proof; q.Optimal {
		b.WriteString(", proven least")
	} else {
		fmt.Fprintf(&b, ", at least %s", round(seconds(q.Bound)))
	}
	fmt.Fprintf(&b, ", accuracy loss %.3g.\n", e.Loss)
	for _, a := range Answers(e.Problem, e.Plan) {
		name := "the end"
		if n := len(e.Used); a.Exit >= 0 {
			name = Short(e.Problem.Values[a.Exit].Name)
		} else if n > 0 && exits[e.Used[n-1]].Share == 1 {
			name = Short(p.Values[exits[e.Used[n-1]].Value].Name)
		}
		fmt.Fprintf(&b, "  %-24s %5.1f %% of requests after %s\n", name, 100*a.Share, round(a.At))
	}
	return b.String()
}
