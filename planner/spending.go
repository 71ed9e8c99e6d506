package planner

import (
	"cmp"
	"slices"
	"strings"
)

// expense is what one node or link adds to a plan's objective.
type expense struct {
	name   string // a node, or "from→to"
	link   bool
	amount float64 // in the objective's unit
}

// text names the node or link as what limits a plan.
func (e *expense) text(p *Problem) string {
	switch {
	case e.link:
		return "the path " + e.name
	case p.Objective == Latency || p.Objective == Throughput:
		return "the compute of " + e.name
	}
	return "the node " + e.name
}

// spending is what each node and link adds to the plan's objective, the largest first, nothing that adds nothing: its share of the critical
// path, the seconds that it is busy for a request, its joules, or its price.
func spending(p *Problem, plan *Plan) []expense {
	var out []expense
	if p.Objective == Latency {
		for _, s := range Critical(p, plan) {
			out = append(out, expense{s.Name, s.Link, s.Seconds})
		}
		return out
	}
	in, err := newInstance(p)
	if err != nil {
		return nil
	}
	nodes, links := make([]float64, in.nodes), make([]float64, in.nodes*in.nodes)
	for i, n := range plan.Place {
		k := i*in.nodes + int(n)
		nodes[n] += map[Objective]float64{Throughput: in.run[k], Energy: in.joules[k], Price: in.price[k]}[p.Objective]
	}
	for _, t := range plan.Transfers {
		h, link := in.way(t.Value, t.From, t.To, t.Coding), &links[int(t.From)*in.nodes+int(t.To)]
		switch p.Objective {
		case Throughput:
			nodes[t.From] += h.encode
			nodes[t.To] += h.decode
			*link += h.wire
		case Energy:
			*link += h.joules
		case Price:
			*link += h.price
		}
	}
	for n, amount := range nodes {
		out = append(out, expense{name: p.Nodes[n].Name, amount: amount})
	}
	for l, amount := range links {
		out = append(out, expense{p.Nodes[l/in.nodes].Name + "→" + p.Nodes[l%in.nodes].Name, true, amount})
	}
	out = slices.DeleteFunc(out, func(e expense) bool { return e.amount <= 0 })
	slices.SortStableFunc(out, func(a, b expense) int {
		return cmp.Or(cmp.Compare(b.amount, a.amount), strings.Compare(a.name, b.name))
	})
	return out
}
