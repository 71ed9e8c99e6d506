package planner

import (
	"cmp"
	"context"
	"fmt"
	"math"
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
			a.Plan, a.Reason = nil, a.Err.Error()
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

// whyWorse names what the other plan spends more on.
func whyWorse(p *Problem, plan, other *Plan) string {
	if slices.Equal(plan.Place, other.Place) {
		if near := math.Abs(other.Objective-plan.Objective) <= proofSlack*plan.Objective; near {
			return "the same plan"
		}
		return "the same places, other codecs: " + bytesText(other.Cost.Bytes) + " for " + bytesText(plan.Cost.Bytes)
	}
	if other.Objective <= plan.Objective*(1+proofSlack) {
		return "as good"
	}
	switch p.Objective {
	case Throughput:
		return "its busiest node or link takes " + formatObjective(p.Objective, other.Objective) + " per request"
	case Energy, Price:
		return fmt.Sprintf("%s over all nodes and paths", formatObjective(p.Objective, other.Objective))
	}
	mine := map[string]float64{}
	for _, s := range Critical(p, plan) {
		mine[s.Name] = s.Seconds
	}
	var worst Share
	more := 0.0
	for _, s := range Critical(p, other) {
		if d := s.Seconds - mine[s.Name]; d > more {
			worst, more = s, d
		}
	}
	verb := "computes on"
	if worst.Link {
		verb = "waits for"
	}
	return fmt.Sprintf("%s %s for %s more", verb, worst.Name, round(seconds(more)))
}

// Explain says in words what the plan does, what limits it, how it is proven, and why the alternatives lose.
func Explain(p *Problem, plan *Plan, others []Alternative) string {
	var b strings.Builder
	b.WriteString(verdict(p, plan) + "\n")
	shares := Critical(p, plan)
	if len(shares) > 0 && p.Objective == Latency {
		what := "the compute of " + shares[0].Name
		if shares[0].Link {
			what = "the path " + shares[0].Name
		}
		fmt.Fprintf(&b, "What limits it: %s.", what)
		for _, s := range shares {
			fmt.Fprintf(&b, " %s %s (%.0f %%)", s.Name, round(seconds(s.Seconds)), 100*s.Seconds/max(1e-12, plan.Cost.Latency.Seconds()))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "One request: %s; a stream: one every %s; %s sent", round(plan.Cost.Latency), round(plan.Cost.Period), bytesText(plan.Cost.Bytes))
	if plan.Cost.Energy > 0 {
		fmt.Fprintf(&b, "; %.3g J", plan.Cost.Energy)
	}
	if plan.Cost.Loss > 0 {
		fmt.Fprintf(&b, "; accuracy loss %.3g", plan.Cost.Loss)
	}
	q := plan.Proof
	first := ""
	if q.First > 0 {
		first = ", the first searched plan after " + round(q.First).String()
	}
	fmt.Fprintf(&b, "\nProof: %s; bound %s, gap %.2f %%, %s in %s%s, %d steps.\n",
		q.Claim, formatObjective(p.Objective, q.Bound), 100*q.Gap, q.Solver, round(q.Elapsed), first, q.Explored)
	if len(others) > 0 {
		b.WriteString("Alternatives:\n")
	}
	for _, a := range others {
		if a.Plan == nil {
			fmt.Fprintf(&b, "  %-20s none: %s\n", a.Planner, a.Reason)
			continue
		}
		fmt.Fprintf(&b, "  %-20s %10s  %+6.1f %%  %s\n", a.Planner, formatObjective(p.Objective, a.Plan.Objective), 100*(a.Plan.Objective/plan.Objective-1), a.Reason)
	}
	return b.String()
}

// verdict is the plan in one sentence.
func verdict(p *Problem, plan *Plan) string {
	var nodes []string
	for _, s := range plan.Stages {
		if n := p.Nodes[s.Node].Name; !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	switch {
	case len(nodes) == 0:
		return "There is nothing to run."
	case len(nodes) == 1 && nodes[0] == p.Nodes[p.Source].Name:
		return "Do not split: " + nodes[0] + " does best alone."
	case len(nodes) == 1:
		return "Do not split: send the input to " + nodes[0] + " and run everything there."
	}
	return fmt.Sprintf("Split into %s over %s.", count(len(plan.Stages), "stage"), strings.Join(nodes, ", "))
}
