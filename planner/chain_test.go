package planner

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

func TestChainAgreesWithBruteForce(t *testing.T) {
	taken := 0
	for seed := range oracletest.Seeds(t, 500) {
		r := rand.New(rand.NewPCG(seed, 4))
		s := drawShape(r)
		s.chain, s.limits, s.loss, s.memory, s.classes = true, false, false, false, false
		s.objective = []Objective{Latency, Energy, Price}[r.IntN(3)]
		p := drawProblem(r, s)
		for v := range p.Values {
			p.Values[v].Output = v == len(p.Values)-1
		}
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		plan, err := chain{}.Plan(context.Background(), p)
		if errors.Is(err, ErrUnsuited) {
			continue
		}
		taken++
		want, ok := bruteForce(in)
		if ok != (err == nil) {
			t.Fatalf("seed %d: brute force %v %v, chain says %v", seed, want, ok, err)
		}
		if ok && (!near(plan.Objective, want) || !plan.Proof.Optimal) {
			t.Fatalf("seed %d: brute force %v, chain %v (optimal %v)", seed, want, plan.Objective, plan.Proof.Optimal)
		}
	}
	if taken == 0 {
		t.Fatal("no chain was drawn")
	}
	t.Logf("%d chains", taken)
}
