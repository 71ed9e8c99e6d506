package planner

import (
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// What nodes and links spend adds up to the objective; of a stream the busiest is all of it.
func TestSpendingIsTheObjective(t *testing.T) {
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 43))
		s := drawShape(r)
		s.codings = 2
		p := drawProblem(r, s)
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		plan := drawPlan(r, in)
		if plan == nil {
			continue
		}
		most, sum := 0.0, 0.0
		for k, e := range spending(p, plan) {
			if k == 0 {
				most = e.amount
			}
			sum += e.amount
		}
		got := sum
		if p.Objective == Throughput {
			got = most
		}
		want := plan.Objective
		if p.Objective == Latency {
			want = plan.Cost.Latency.Seconds()
		}
		if !near(got, want) {
			t.Fatalf("seed %d (%s): nodes and links spend %v, the objective is %v", seed, p.Objective, got, want)
		}
	}
}
