package planner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// storyPlan is the story's plan over three nodes, as a search would prove it.
func storyPlan(t *testing.T, p *Problem, place ...NodeID) *Plan {
	t.Helper()
	plan, err := Evaluate(p, place, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan.Proof = Proof{Solver: "sweep", Claim: "what it claims", Bound: 0.9 * plan.Objective, Gap: 0.1, Elapsed: 2 * time.Second, First: time.Second, Explored: 5}
	return plan
}

// What matters comes first: where it runs, the timeline, what limits it, the proof, the runners-up; then the stages.
func TestPage(t *testing.T) {
	p := storyProblem()
	plan := storyPlan(t, p, 0, 1, 2, 0, 1)
	device := storyPlan(t, p, 0, 0, 0, 0, 0)
	got := Render(p, plan, Notes{Remarks: "A remark.\n", Others: []Alternative{
		{Planner: "one", Plan: device, Reason: whyWorse(p, plan, device)},
		{Planner: "two", Reason: "100 % unsuited"},
		{Planner: "three", Plan: device, Reason: whyWorse(p, plan, device)},
	}})
	const want = `Split into 5 stages over camera, edge and shed: latency 1.32s, gap at most 10.0 % (bound 1.188s).

     camera  1████2████······················································
       edge  ·····█·····················································5████
       shed  ······█·························································
camera→edge  ·····▒····▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒·····
edge→camera  ·······························································▒
  edge→shed  ·····▒··························································
  shed→edge  ······▒·························································
             0                                                          1.32s

What limits it: the path camera→edge. camera→edge 1.01s (77 %), camera 200ms (15 %), edge 100ms (8 %), edge→camera 10.1ms (1 %).
One request: 1.32s; a stream: one every 1s; 977.0 KiB sent; accuracy loss 0.05.
Proof: bound 1.188s, gap 10.00 %, by sweep in 2s, first searched plan after 1s, 5 steps: what it claims.
A remark.
Other planners:
      9.202s   +597.1 %  one, three: computes 9.002s more on camera
        none             two: 100 % unsuited

┌─ 1  camera ──────────┐
│ 1 piece  statistics  │
│ 0s to 100ms          │
└──────────────────────┘
┌─ 2  camera ────────┐
│ 1 piece  backbone  │
│ 100ms to 200ms     │
└────────────────────┘
   │ small  int8  100 B
   │ camera ─▶ edge  100ms to 110.1ms
   ▼
┌─ 3  edge ───────────┐
│ 1 piece  scaling    │
│ 110.1ms to 111.1ms  │
└─────────────────────┘
   │ scale  int8  100 B
   │ edge ─▶ shed  111.1ms to 121.2ms
   ▼
┌─ 4  shed ───────────┐
│ 1 piece  shifting   │
│ 121.2ms to 122.2ms  │
└─────────────────────┘
   │ shift  int8  100 B
   │ shed ─▶ edge  122.2ms to 132.3ms
   ▼
   │ large  int8  976.6 KiB
   │ camera ─▶ edge  200ms to 1.21s
   ▼
┌─ 5  edge ───────┐
│ 1 piece  head   │
│ 1.21s to 1.31s  │
└─────────────────┘
   │ answer  int8  100 B
   │ edge ─▶ camera  1.31s to 1.32s
   ▼
   answer at camera after 1.32s
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestReasons(t *testing.T) {
	p := storyProblem()
	plan, device := storyPlan(t, p, 0, 1, 2, 0, 1), storyPlan(t, p, 0, 0, 0, 0, 0)
	if got := verdict(p, device); got != "Do not split, run everything on camera" {
		t.Error(got)
	}
	device.Proof = Proof{Solver: "device-only"}
	if got := Summary(p, device); verdict(p, device) != "Everything on camera" || !strings.Contains(got, "with no proof [device-only") {
		t.Errorf("%s: %s", verdict(p, device), got)
	}
	if got := whyWorse(p, device, plan); got != "better" {
		t.Errorf("a plan that is better: %q", got)
	}
	for objective, want := range map[Objective]string{
		Latency:    "computes 9.002s more on camera",
		Throughput: "keeps the compute of camera busy for longest",
		Energy:     "spends 9.002 J more on camera",
		Price:      "spends 18 more on camera",
	} {
		q := *p
		q.Objective = objective
		q.Nodes = []Node{{Name: "camera", Power: 1, Price: 2}, {Name: "edge", Power: 1}, {Name: "shed", Power: 1}}
		if got := whyWorse(&q, storyPlan(t, &q, 0, 1, 2, 0, 1), storyPlan(t, &q, 0, 0, 0, 0, 0)); got != want {
			t.Errorf("%s: %q, want %q", objective, got, want)
		}
	}
	q := *p
	q.Objective = Price
	if free := Render(&q, storyPlan(t, &q, 0, 0, 0, 0, 0), Notes{Others: []Alternative{{Planner: "one", Plan: storyPlan(t, &q, 0, 0, 0, 0, 0)}}}); strings.Contains(free, "NaN") {
		t.Errorf("a plan that costs nothing:\n%s", free)
	}
}

// The runners-up of a problem that a planner does not take say so without calling it invalid.
func TestAlternativesSayWhatAPlannerDoesNotTake(t *testing.T) {
	p := storyProblem()
	p.Limits.Loss = 1
	plan, err := auto{}.Plan(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, a := range Alternatives(context.Background(), p, plan) {
		reasons[a.Planner] = fmt.Sprint(a.Plan != nil, " ", a.Reason)
		if strings.Contains(a.Reason, "invalid problem") {
			t.Errorf("%s: %s", a.Planner, a.Reason)
		}
	}
	if reasons["chain"] != "false keeps no limits" {
		t.Errorf("chain: %s", reasons["chain"])
	}
	if _, err := (chain{}).Plan(context.Background(), p); !errors.Is(err, ErrUnsuited) || !strings.Contains(err.Error(), "chain keeps no limits") {
		t.Errorf("chain alone: %v", err)
	}
}

// A plan of many stages has a line for each, and a search among plans of one form claims no more.
func TestPictureOfManyStagesAndForms(t *testing.T) {
	p := storyProblem()
	plan := storyPlan(t, p, 0, 1, 2, 0, 1)
	for range maxBoxes {
		plan.Stages = append(plan.Stages, plan.Stages[0])
	}
	if got := Picture(p, plan, nil); strings.Contains(got, "┌") || !strings.Contains(got, "\n  4  shed  ") || !strings.Contains(got, "\n       edge ─▶ shed  ") {
		t.Errorf("many stages:\n%s", got)
	}
	pipeline, err := pipeline{}.Plan(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got := Summary(p, pipeline); !strings.Contains(got, "proven optimal among pipelines") {
		t.Error(got)
	}
}
