package main

import (
	"github.com/cleave-mesh/cleave/planner"
)

// planReport is what cleave plan --json prints for a model.
type planReport struct {
	Model        string            `json:"model"`
	Objective    planner.Objective `json:"objective"`
	Value        float64           `json:"value"`
	Bound        float64           `json:"bound"`
	Gap          float64           `json:"gap"`
	Optimal      bool              `json:"optimal"`
	Form         string            `json:"form,omitempty"` // what kind of plans bound and optimal are about; absent where any
	Solver       string            `json:"solver"`
	Claim        string            `json:"claim"`
	Seconds      float64           `json:"seconds"`
	First        float64           `json:"first_plan_seconds,omitempty"`
	Steps        int               `json:"steps"`
	LatencyMS    float64           `json:"latency_ms"`
	PeriodMS     float64           `json:"period_ms"`
	Joules       float64           `json:"joules"`
	Bytes        int64             `json:"bytes"`
	Loss         float64           `json:"loss"`
	Splits       []planDivision    `json:"splits,omitempty"`
	Exits        *planExits        `json:"exits,omitempty"`
	Stages       []planStage       `json:"stages"`
	Transfers    []planTransfer    `json:"transfers"`
	Limits       []planner.Share   `json:"critical_path"`
	Alternatives []planAlternative `json:"alternatives"`
}

type planStage struct {
	Node    string  `json:"node"`
	Pieces  int     `json:"pieces"`
	First   string  `json:"first"`
	Last    string  `json:"last"`
	StartMS float64 `json:"start_ms"`
	EndMS   float64 `json:"end_ms"`
}

type planTransfer struct {
	Value   string  `json:"value"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	Codec   string  `json:"codec"`
	Bytes   int64   `json:"bytes"`
	StartMS float64 `json:"start_ms"`
	EndMS   float64 `json:"end_ms"`
	// Effect is what calibration knows of the codec on this value: bits per element and what becomes of the answer.
	Effect string `json:"effect,omitempty"`
}

type planAlternative struct {
	Planner string   `json:"planner"`
	Value   *float64 `json:"value,omitempty"`
	Reason  string   `json:"reason"`
}

func reportPlan(p *planner.Problem, plan *planner.Plan, others []planner.Alternative, effects effectOf) planReport {
	q := plan.Proof
	r := planReport{
		Model: p.Model, Objective: p.Objective, Value: plan.Objective, Bound: q.Bound, Gap: q.Gap, Optimal: q.Optimal, Form: q.Form, Solver: q.Solver,
		Claim: q.Claim, Seconds: q.Elapsed.Seconds(), First: q.First.Seconds(), Steps: q.Explored, LatencyMS: milliseconds(plan.Cost.Latency),
		PeriodMS: milliseconds(plan.Cost.Period), Joules: plan.Cost.Energy, Bytes: plan.Cost.Bytes, Loss: plan.Cost.Loss,
		Stages: []planStage{}, Transfers: []planTransfer{}, Limits: planner.Critical(p, plan),
	}
	for _, s := range plan.Stages {
		r.Stages = append(r.Stages, planStage{
			Node: p.Nodes[s.Node].Name, Pieces: len(s.Pieces), First: p.Pieces[s.Pieces[0]].Name, Last: p.Pieces[s.Pieces[len(s.Pieces)-1]].Name,
			StartMS: milliseconds(s.Start), EndMS: milliseconds(s.End),
		})
	}
	for _, t := range plan.Transfers {
		c := p.Values[t.Value].Codings[t.Coding]
		r.Transfers = append(r.Transfers, planTransfer{
			Value: p.Values[t.Value].Name, From: p.Nodes[t.From].Name, To: p.Nodes[t.To].Name, Codec: c.Codec, Bytes: c.Bytes,
			StartMS: milliseconds(t.Start), EndMS: milliseconds(t.End), Effect: effects(p.Values[t.Value].Name, c.Codec),
		})
	}
	for _, a := range others {
		x := planAlternative{Planner: a.Planner, Reason: a.Reason}
		if a.Plan != nil {
			x.Value = &a.Plan.Objective
		}
		r.Alternatives = append(r.Alternatives, x)
	}
	return r
}
