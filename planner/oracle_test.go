package planner

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// oracleSlack is the relative difference that the order of a few additions can make.
const oracleSlack = 1e-9

func near(a, b float64) bool { return math.Abs(a-b) <= oracleSlack*max(1, math.Abs(a), math.Abs(b)) }

func TestSweepAgreesWithBruteForce(t *testing.T) {
	solved, infeasible := 0, 0
	for seed := range oracletest.Seeds(t, 400) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := drawProblem(r, drawShape(r))
		in, err := newInstance(p)
		var no *InfeasibleError
		if errors.As(err, &no) {
			infeasible++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want, ok := bruteForce(in)
		plan, err := in.sweep(context.Background(), 1<<20)
		if !ok {
			if !errors.As(err, &no) {
				t.Fatalf("seed %d: no plan exists, sweep says %v", seed, err)
			}
			infeasible++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: brute force finds %v, sweep says %v", seed, want, err)
		}
		if !plan.Proof.Optimal || !near(plan.Objective, want) {
			t.Fatalf("seed %d (%s): brute force finds %v, sweep %v (optimal %v)", seed, p.Objective, want, plan.Objective, plan.Proof.Optimal)
		}
		solved++
	}
	t.Logf("%d problems solved alike, %d infeasible for both", solved, infeasible)
}

// A limit on stages, which only whole plans can be held to.
func TestStagesAgreesWithBruteForce(t *testing.T) {
	binding := 0
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 23))
		s := drawShape(r)
		s.codings = 1
		s.pieces = min(s.pieces, 7)
		p := drawProblem(r, s)
		free, _ := auto{}.Plan(context.Background(), p)
		p.Limits.Stages = 1 + r.IntN(4)
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		want, ok := bruteForce(in)
		plan, err := in.sweep(context.Background(), 1<<20)
		if ok != (err == nil) || ok && (!plan.Proof.Optimal || !near(plan.Objective, want) || len(plan.Stages) > p.Limits.Stages) {
			t.Fatalf("seed %d, %d stages (%s): brute force finds %v (%v), sweep %v, %v", seed, p.Limits.Stages, p.Objective, want, ok, plan, err)
		}
		if ok && free.Objective < want*(1-oracleSlack) {
			binding++
		}
		if narrow, err := in.sweep(context.Background(), 2); err == nil && narrow.Proof.Bound > want*(1+oracleSlack) {
			t.Fatalf("seed %d, width 2: bound %v, the optimum is %v", seed, narrow.Proof.Bound, want)
		}
	}
	t.Logf("the limit was felt in %d problems", binding)
}

func TestPipelineAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 8))
		s := drawShape(r)
		s.codings = 1
		p := drawProblem(r, s)
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		best, place := inf, make([]NodeID, in.pieces)
		var rec func(int)
		rec = func(i int) {
			if i == in.pieces {
				if plan, err := in.evaluate(place, nil); err == nil {
					best = min(best, plan.Objective)
				}
				return
			}
			for n := range NodeID(in.nodes) {
				if i == 0 || place[i-1] == n || !slices.Contains(place[:i], n) {
					place[i] = n
					rec(i + 1)
				}
			}
		}
		rec(0)
		plan, err := in.sweepWith(context.Background(), sweepOptions{width: 1 << 20, contiguous: true})
		if (err != nil) != (best == inf) || (err == nil && !near(plan.Objective, best)) {
			t.Fatalf("seed %d: best pipeline %v, got %v, %v", seed, best, plan, err)
		}
	}
}
