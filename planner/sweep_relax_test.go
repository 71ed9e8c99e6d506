package planner

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// Latency plus a charge for loss: the sweep, whose labels then trade one for the other, against every placement and coding.
func TestChargedSweepAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 100) {
		r := rand.New(rand.NewPCG(seed, 21))
		s := drawShape(r)
		s.objective, s.codings, s.limits, s.loss = Latency, max(2, s.codings), false, false
		s.pieces = min(s.pieces, 4)
		p := drawProblem(r, s)
		if p.Validate() != nil {
			continue
		}
		in, err := prepare(&instance{p: p, relaxed: true, charge: []float64{0.25, 1, 3, 10}[r.IntN(4)]})
		if err != nil {
			continue
		}
		want, ok := bruteForce(in)
		plan, err := in.sweep(context.Background(), 1<<20)
		if ok != (err == nil) || ok && (!plan.Proof.Optimal || !near(plan.Objective, want)) {
			t.Fatalf("seed %d, charge %v: brute force finds %v (%v), sweep %v, %v", seed, in.charge, want, ok, plan, err)
		}
	}
}

// The bound of the relaxation, by charges too, is never above the optimum, and its plans keep the limits.
func TestRelaxationBracketsBruteForce(t *testing.T) {
	charged := 0
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 22))
		s := drawShape(r)
		s.objective, s.codings, s.loss = Latency, max(2, s.codings), true
		s.pieces = min(s.pieces, 4)
		p := drawProblem(r, s)
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		want, ok := bruteForce(in)
		if !ok {
			continue
		}
		state := newSweep(context.Background(), in)
		state.best, _ = in.incumbent()
		q := newSearch(state, false)
		root := q.bound
		easier := relaxation{in: in, strict: q}
		width := 1 + r.IntN(20)
		easier.widen(width, width)
		if q.bound > want*(1+oracleSlack) {
			t.Fatalf("seed %d, width %d: bound %v, the optimum is %v", seed, width, q.bound, want)
		}
		if q.best != nil {
			plan := q.whole()
			if plan.Objective < want*(1-oracleSlack) || in.withinLimits(plan) != nil {
				t.Fatalf("seed %d, width %d: a plan of %v, the optimum is %v", seed, width, plan.Objective, want)
			}
		}
		if easier.free != nil && q.bound > max(root, easier.free.proven())*(1+oracleSlack) {
			charged++
		}
	}
	t.Logf("charges raised the bound of %d problems", charged)
}
