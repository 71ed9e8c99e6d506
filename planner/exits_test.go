package planner

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// exitProblemOf is trunk -> (head -> exit, rest -> end) on a slow source and a server, with seconds on the source for each piece; the
// server is fast times as quick. Every value takes hop seconds. In the model's order the head comes last.
func exitProblemOf(trunk, head, rest, fast, hop float64) *Problem {
	times := func(s float64) []float64 { return []float64{s, s / fast} }
	raw := []Coding{{Codec: "raw", Bytes: 1}}
	path := Path{Goodput: 1 / hop}
	return &Problem{
		Model: "exits", Objective: Latency, Nodes: []Node{{Name: "device"}, {Name: "server"}}, Paths: [][]Path{{{}, path}, {path, {}}},
		Pieces: []Piece{
			{Name: "trunk", Time: times(trunk), In: []ValueID{0}, Out: []ValueID{1}},
			{Name: "rest", Time: times(rest), In: []ValueID{1}, Out: []ValueID{2}},
			{Name: "head", Time: times(head), In: []ValueID{1}, Out: []ValueID{3}},
		},
		Values: []Value{
			{Name: "x", Producer: External, Consumers: []PieceID{0}, Codings: raw},
			{Name: "a", Producer: 0, Consumers: []PieceID{1, 2}, Codings: raw},
			{Name: "end", Producer: 1, Output: true, Codings: raw},
			{Name: "exit", Producer: 2, Output: true, Codings: raw},
		},
	}
}

// TestExitFormulas works expected latencies out on round numbers.
func TestExitFormulas(t *testing.T) {
	datadriven.RunTest(t, "testdata/exits", func(t *testing.T, d *datadriven.TestData) string {
		v := map[string]float64{"fast": 1, "hop": 1}
		for _, a := range d.CmdArgs {
			v[a.Key] = figure(t, a.Vals[0])
		}
		p := exitProblemOf(v["trunk"], v["head"], v["rest"], v["fast"], v["hop"])
		p.Limits.Loss = v["limit"]
		exits := []Exit{{Value: 3, Share: v["share"], Loss: v["loss"]}}
		plan, err := PlanExits(context.Background(), p, exits, sweeper{})
		if err != nil {
			return err.Error() + "\n"
		}
		return DescribeExits(p, exits, plan) + Picture(plan.Problem, plan.Plan, nil)
	})
}

// TestExitsAgreesWithBruteForce compares with every set of exits, every placement, and both ways to choose codecs.
func TestExitsAgreesWithBruteForce(t *testing.T) {
	solved, used, infeasible := 0, 0, 0
	for seed := range oracletest.Seeds(t, 150) {
		r := rand.New(rand.NewPCG(seed, 77))
		s := drawShape(r)
		s.objective, s.pieces, s.limits = Latency, 2+r.IntN(4), false
		p := drawProblem(r, s)
		var exits []Exit
		share := 0.0
		for i := range p.Pieces[:len(p.Pieces)-1] {
			if v := p.Pieces[i].Out[0]; r.IntN(2) == 0 && len(exits) < 3 {
				p.Values[v].Output = true
				share += (1 - share) * r.Float64()
				exits = append(exits, Exit{Value: v, Share: share, Loss: float64(r.IntN(3)) / 4})
			}
		}
		best, any := math.Inf(1), false
		for set := range 1 << len(exits) {
			e, err := newExitSearch(p, exits, set)
			if err != nil {
				continue
			}
			place := make([]NodeID, e.in.pieces)
			var rec func(int)
			rec = func(i int) {
				if i < len(place) {
					for n := range e.in.nodes {
						place[i] = NodeID(n)
						rec(i + 1)
					}
					return
				}
				for _, c := range []Codings{nil, e.exact} {
					if x, ok := e.expected(place, c); ok {
						best, any = min(best, x), true
					}
				}
			}
			rec(0)
		}
		plan, err := PlanExits(context.Background(), p, exits, sweeper{})
		var no *InfeasibleError
		switch {
		case errors.As(err, &no) && !any:
			infeasible++
		case err != nil || !any:
			t.Fatalf("seed %d: brute force finds %v (%v), the planner says %v", seed, best, any, err)
		case !plan.Plan.Proof.Optimal || !near(plan.Expected, best):
			t.Fatalf("seed %d: expected %v, optimal %v; brute force finds %v", seed, plan.Expected, plan.Plan.Proof.Optimal, best)
		default:
			solved++
			if got := ExpectedLatency(plan.Problem, plan.Plan).Seconds(); math.Abs(got-best) > 1e-9*best+1e-8 {
				t.Fatalf("seed %d: the plan's stages and transfers take %v, expected %v", seed, got, best)
			}
			if len(plan.Used) > 0 {
				used++
			}
		}
	}
	t.Logf("%d solved, %d of them with exits in use, %d infeasible", solved, used, infeasible)
	if solved == 0 || used == 0 {
		t.Error("too few problems say something")
	}
}

// TestExitsAreChecked: what cannot be an exit is refused by name.
func TestExitsAreChecked(t *testing.T) {
	for text, exits := range map[string][]Exit{
		"must be an output":     {{Value: 1}},
		"has share":             {{Value: 3, Share: 1.5}},
		"has loss":              {{Value: 3, Share: 0.5, Loss: math.NaN()}},
		"every output":          {{Value: 2, Share: 0.1}, {Value: 3, Share: 0.2}},
		"at most 6 of them":     make([]Exit, MaxExits+1),
		"exit \"exit\" has sha": {{Value: 2, Share: 0.5}, {Value: 3, Share: 0.2}},
	} {
		_, err := PlanExits(context.Background(), exitProblemOf(1, 1, 1, 1, 1), exits, sweeper{})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cancel()
	if plan, err := PlanExits(ctx, exitProblemOf(1, 1, 1, 1, 1), []Exit{{Value: 3, Share: 0.5}}, sweeper{}); err != nil || plan.Plan.Proof.Bound > plan.Expected {
		t.Errorf("after its time: %v, %v", plan, err)
	}
}
