package main

import "github.com/cleave-mesh/cleave/planner"

// planExits is what cleave plan --json prints of a model with early exits.
type planExits struct {
	ExpectedMS float64    `json:"expected_ms"`
	Loss       float64    `json:"loss"`
	Used       []planExit `json:"used"`
	EndMS      float64    `json:"end_ms"`
}

type planExit struct {
	Output   string  `json:"output"`
	Share    float64 `json:"share"` // of the requests that leave here
	AnswerMS float64 `json:"answer_ms"`
}

func reportExits(e *planner.ExitPlan) *planExits {
	out := &planExits{ExpectedMS: 1e3 * e.Expected, Loss: e.Loss, Used: []planExit{}}
	for _, a := range planner.Answers(e.Problem, e.Plan) {
		if a.Exit < 0 {
			out.EndMS = milliseconds(a.At)
			continue
		}
		out.Used = append(out.Used, planExit{Output: e.Problem.Values[a.Exit].Name, Share: a.Share, AnswerMS: milliseconds(a.At)})
	}
	return out
}
