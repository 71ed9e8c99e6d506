package node

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// exitsFor are the model's early exits that a request may leave at: none where it says so, wants something else than the least latency, or
// fixes the plan itself; those that lose nothing where it allows no loss.
func (n *Node) exitsFor(r client.PlanRequest, q *placement.Question, c *canonical) ([]split.Exit, error) {
	if r.Exits != "" && r.Exits != client.ExitsAuto && r.Exits != client.ExitsOff {
		return nil, fmt.Errorf("%w: exits %q: use %s or %s", ErrPlan, r.Exits, client.ExitsAuto, client.ExitsOff)
	}
	best := r.Strategy == client.Best || r.Strategy == client.BestInputsStay
	if r.Exits == client.ExitsOff || !best || r.Planner != "" || q.Objective != planner.Latency || len(r.Via)+len(r.Divisions) > 0 {
		return nil, nil
	}
	exits, err := c.graph.Exits()
	if n.budget(r).Lossless {
		exits = slices.DeleteFunc(exits, func(e split.Exit) bool { return e.Loss > 0 })
	}
	return exits, err
}

// exitsIn are the declared exits that a problem still makes, by value.
func exitsIn(p *planner.Problem, declared []split.Exit) map[planner.ValueID]split.Exit {
	out := map[planner.ValueID]split.Exit{}
	for _, e := range declared {
		if v := slices.IndexFunc(p.Values, func(v planner.Value) bool { return v.Output && v.Name == e.Output }); v >= 0 {
			out[planner.ValueID(v)] = e
		}
	}
	return out
}

// judge tells whether an exit's output answers the request of the flight.
func (f *flight) judge(e session.Judge) session.Judged {
	exit, known := f.entry.plan.exits[e.Handle.Value]
	t := f.store[e.Handle]
	return session.Judged{Handle: e.Handle, Answers: known && t != nil && exit.Answers(t)}
}

// answered notes which exit answered, if one did, and what the plan promised for it.
func (s *entryState) answered(e session.Deliver) {
	lp := s.plan
	if len(lp.exits) == 0 || len(e.Outputs) == 0 {
		return
	}
	v := e.Outputs[0].Value
	exit, known := lp.exits[v]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range planner.Answers(lp.problem, lp.plan) {
		if a.Exit == v || a.Exit < 0 && lp.problem.Values[v].Exit == 0 {
			s.report.PredictedMS = ms(a.At)
		}
	}
	if known {
		s.report.Exit = exit.Output
	}
}

// answerDocuments are when the plan answers, for the HTTP interface; none where it uses no exit.
func (lp *livePlan) answerDocuments() []client.Answer {
	if len(lp.exits) == 0 {
		return nil
	}
	var out []client.Answer
	for _, a := range planner.Answers(lp.problem, lp.plan) {
		doc := client.Answer{Share: a.Share, MS: ms(a.At)}
		if a.Exit >= 0 {
			doc.Exit = lp.problem.Values[a.Exit].Name
		}
		out = append(out, doc)
	}
	return out
}

// results are the outputs that a request delivers, in the graph's order. A plan with exits delivers those of the exit that answers, or those
// of the end; any other plan all of them.
func (f *flight) results(e session.Deliver) (names []string, out []*tensor.Tensor, err error) {
	g := f.frame.c.graph
	delivered := map[split.ValueID]*tensor.Tensor{}
	for _, h := range e.Outputs {
		if int(h.Value) < len(f.frame.frame.Values) {
			delivered[f.frame.frame.Values[h.Value]] = f.store[h]
		}
	}
	for _, v := range g.Outputs {
		t := delivered[v]
		if t == nil {
			t = g.Values[v].Const
		}
		if at := slices.Index(g.Inputs, v); t == nil && at >= 0 {
			t = f.inputs[at]
		}
		switch {
		case t != nil:
			names, out = append(names, g.Values[v].Name), append(out, t)
		case f.entry.plan.exits == nil:
			return nil, nil, fmt.Errorf("output %q was not delivered", g.Values[v].Name)
		}
	}
	return names, out, nil
}
