package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Share is what one node or link takes of a plan's critical path.
type Share struct {
	Name    string // a node, or "from→to"
	Link    bool
	Seconds float64
}

// Critical walks back from the end of a plan along what each step waited for, and says how much of the latency each node and link
// accounts for, the largest first. The shares add up to the latency.
func Critical(p *Problem, plan *Plan) []Share {
	sum := map[string]*Share{}
	add := func(name string, link bool, d time.Duration) {
		if sum[name] == nil {
			sum[name] = &Share{Name: name, Link: link}
		}
		sum[name].Seconds += d.Seconds()
	}
	for at := plan.Cost.Latency; at > 0; {
		best, who := time.Duration(-1), -1
		for k, s := range plan.Stages {
			if s.End <= at && s.End > best && s.End > s.Start {
				best, who = s.End, k
			}
		}
		link := false
		for k, t := range plan.Transfers {
			if t.End <= at && t.End > best && t.End > t.Start {
				best, who, link = t.End, k, true
			}
		}
		if who < 0 {
			break
		}
		start, name := time.Duration(0), ""
		if link {
			t := plan.Transfers[who]
			start, name = t.Start, p.Nodes[t.From].Name+"→"+p.Nodes[t.To].Name
		} else {
			s := plan.Stages[who]
			start, name = s.Start, p.Nodes[s.Node].Name
		}
		add(name, link, at-start)
		at = start
	}
	out := make([]Share, 0, len(sum))
	for _, s := range sum {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), strings.Compare(a.Name, b.Name))
	})
	return out
}

// Alternative is another planner's plan for the same problem.
type Alternative struct {
	Planner string
	Plan    *Plan // nil when it has none
	Err     error
	// Reason says why it loses, or that it is the same.
	Reason string
}

// Alternatives asks every other planner and says why each loses against the plan, the best first.
func Alternatives(ctx context.Context, p *Problem, plan *Plan) []Alternative {
	var out []Alternative
	for _, q := range Planners() {
		if q.Name() == plan.Proof.Solver || q.Name() == "auto" {
			continue
		}
		a := Alternative{Planner: q.Name()}
		if a.Plan, a.Err = q.Plan(ctx, p); a.Err != nil {
			a.Plan, a.Reason = nil, whyNone(q.Name(), a.Err)
		} else {
			a.Reason = whyWorse(p, plan, a.Plan)
		}
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b Alternative) int {
		if a.Plan == nil || b.Plan == nil {
			return cmp.Compare(b2i(a.Plan == nil), b2i(b.Plan == nil))
		}
		return cmp.Compare(a.Plan.Objective, b.Plan.Objective)
	})
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// whyNone is a planner's error without its name and the words that say no more than that there is no plan.
func whyNone(name string, err error) string {
	text := err.Error()
	var no *InfeasibleError
	if errors.As(err, &no) {
		text = strings.TrimPrefix(text, "no plan is possible: ")
	}
	return strings.TrimPrefix(strings.TrimPrefix(text, ErrUnsuited.Error()+": "), name+" ")
}

// whyWorse names what the other plan spends more on.
func whyWorse(p *Problem, plan, other *Plan) string {
	level := same(other.Objective, plan.Objective)
	if slices.Equal(plan.Place, other.Place) {
		if level {
			return "the same plan"
		}
		return "the same places, other codecs: " + bytesText(other.Cost.Bytes) + " for " + bytesText(plan.Cost.Bytes)
	}
	if level {
		return "as good"
	}
	if other.Objective < plan.Objective {
		return "better"
	}
	mine := map[string]float64{}
	for _, s := range spending(p, plan) {
		mine[s.name] = s.amount
	}
	theirs := spending(p, other)
	if len(theirs) == 0 {
		return "worse"
	}
	if p.Objective == Throughput {
		return "keeps " + theirs[0].text(p) + " busy for longest"
	}
	worst, more := theirs[0], 0.0
	for _, s := range theirs {
		if d := s.amount - mine[s.name]; d > more {
			worst, more = s, d
		}
	}
	verb := "spends"
	switch {
	case p.Objective == Latency && worst.link:
		verb = "waits"
	case p.Objective == Latency:
		verb = "computes"
	}
	return fmt.Sprintf("%s %s more on %s", verb, formatObjective(p.Objective, more), worst.name)
}

// explain says in words what limits the plan, what it takes in everything that is counted, and how it is proven.
func explain(p *Problem, plan *Plan) string {
	var b strings.Builder
	if all := spending(p, plan); len(all) > 0 {
		total := 0.0
		for _, s := range all {
			total += s.amount
		}
		var parts []string
		for _, s := range all {
			part := s.name + " " + formatObjective(p.Objective, s.amount)
			if p.Objective != Throughput {
				part += fmt.Sprintf(" (%.0f %%)", 100*s.amount/total)
			}
			parts = append(parts, part)
		}
		fmt.Fprintf(&b, "What limits it: %s. %s.\n", all[0].text(p), strings.Join(parts, ", "))
	}
	fmt.Fprintf(&b, "One request: %s; a stream: one every %s; %s sent", round(plan.Cost.Latency), round(plan.Cost.Period), bytesText(plan.Cost.Bytes))
	if plan.Cost.Energy > 0 {
		fmt.Fprintf(&b, "; %.3g J", plan.Cost.Energy)
	}
	if plan.Cost.Loss > 0 {
		fmt.Fprintf(&b, "; accuracy loss %.3g", plan.Cost.Loss)
	}
	q := plan.Proof
	fmt.Fprintf(&b, ".\nProof: ")
	if q.Optimal || q.Bound > 0 {
		fmt.Fprintf(&b, "bound %s, gap %.2f %%", formatObjective(p.Objective, q.Bound), 100*q.Gap)
	} else {
		b.WriteString("none")
	}
	fmt.Fprintf(&b, ", by %s", q.Solver)
	if q.Elapsed > 0 {
		fmt.Fprintf(&b, " in %s", round(q.Elapsed))
	}
	if q.First > 0 {
		fmt.Fprintf(&b, ", first searched plan after %s", round(q.First))
	}
	fmt.Fprintf(&b, ", %s", count(q.Explored, "step"))
	if q.Claim != "" {
		fmt.Fprintf(&b, ": %s", q.Claim)
	}
	b.WriteString(".\n")
	return b.String()
}

// runnersUp lists other planners' plans, those that cost the same for the same reason in one line.
func runnersUp(p *Problem, plan *Plan, others []Alternative) string {
	var b strings.Builder
	if len(others) > 0 {
		b.WriteString("Other planners:\n")
	}
	type line struct{ cost, reason string }
	var lines []line
	who := map[line][]string{}
	for _, a := range others {
		l := line{costOf(p, plan, a.Plan), a.Reason}
		if who[l] == nil {
			lines = append(lines, l)
		}
		who[l] = append(who[l], a.Planner)
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "  %s  %s: %s\n", l.cost, strings.Join(who[l], ", "), l.reason)
	}
	return b.String()
}

// costOf is what another plan costs, and by how much that is more than the plan costs.
func costOf(p *Problem, plan, other *Plan) string {
	if other == nil {
		return fmt.Sprintf("%10s  %9s", "none", "")
	}
	more := ""
	if plan.Objective > 0 {
		more = fmt.Sprintf("%+.1f %%", 100*(other.Objective/plan.Objective-1))
	}
	return fmt.Sprintf("%10s  %9s", formatObjective(p.Objective, other.Objective), more)
}

// verdict says in a few words where the plan runs.
func verdict(p *Problem, plan *Plan) string {
	used := make([]bool, len(p.Nodes))
	for _, s := range plan.Stages {
		used[s.Node] = true
	}
	var nodes []string
	for n, yes := range used {
		if yes {
			nodes = append(nodes, p.Nodes[n].Name)
		}
	}
	switch {
	case len(nodes) == 0:
		return "There is nothing to run"
	case len(nodes) == 1 && used[p.Source]:
		if q := plan.Proof; !q.Optimal && q.Bound <= 0 { // no advice comes from a planner that proves nothing
			return "Everything on " + nodes[0]
		}
		return "Do not split, run everything on " + nodes[0]
	case len(nodes) == 1:
		return "Do not split, send the input to " + nodes[0] + " and run everything there"
	}
	last := len(nodes) - 1
	return fmt.Sprintf("Split into %s over %s and %s", count(len(plan.Stages), "stage"), strings.Join(nodes[:last], ", "), nodes[last])
}
