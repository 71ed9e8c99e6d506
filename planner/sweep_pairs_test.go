package planner

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// Improvement by pairs keeps to the problem: its plan is none below the optimum, none above the plan it starts from, and one that no pair
// of nodes has a better one for, by brute force over that pair.
func TestPairsAgreeWithBruteForce(t *testing.T) {
	improved, optimal, problems := 0, 0, 0
	for seed := range oracletest.Seeds(t, 200) {
		r := rand.New(rand.NewPCG(seed, 41))
		s := drawShape(r)
		s.nodes, s.pieces, s.codings = 3, min(s.pieces, 4), 1
		in, err := newInstance(drawProblem(r, s))
		if err != nil {
			continue
		}
		start, _ := in.incumbent()
		if start == nil {
			continue
		}
		want, _ := bruteForce(in)
		first := newSweep(context.Background(), in)
		first.best = start
		q := newSearch(first, true)
		q.improveByPairs()
		plan := q.whole()
		again, err := in.evaluate(plan.Place, plan.Codings())
		if err != nil || !near(again.Objective, plan.Objective) {
			t.Fatalf("seed %d: the plan takes %v, evaluated %v (%v)", seed, plan.Objective, again, err)
		}
		if plan.Objective < want*(1-oracleSlack) || plan.Objective > start.Objective*(1+oracleSlack) {
			t.Fatalf("seed %d: %v from %v, the optimum is %v", seed, plan.Objective, start.Objective, want)
		}
		for x := range NodeID(in.nodes) {
			for y := x + 1; int(y) < in.nodes; y++ {
				pair := first.between(x, y, plan.Place)
				if pair == nil {
					continue
				}
				if best, ok := bruteForce(pair.in); ok && best < plan.Objective-oracleSlack*max(1, plan.Objective) && q.in.nodes == in.nodes {
					t.Fatalf("seed %d: nodes %d and %d have a plan of %v, improvement ended at %v", seed, x, y, best, plan.Objective)
				}
			}
		}
		problems++
		improved += b2i(plan.Objective < start.Objective*(1-oracleSlack))
		optimal += b2i(near(plan.Objective, want))
	}
	t.Logf("%d of %d plans improved, %d optimal", improved, problems, optimal)
	if improved == 0 {
		t.Error("no plan was improved")
	}
}

// Long parallel branches, each worth a machine: pairs find a plan that passes over all nodes miss as long as they are narrow.
func TestPairsFindWhatNarrowPassesMiss(t *testing.T) {
	p := meshOf(rand.New(rand.NewPCG(0, 42)), 3, 8, 8, 0)
	for i := range p.Pieces {
		for n := range p.Pieces[i].Time {
			p.Pieces[i].Time[n] *= 30
		}
	}
	in, err := newInstance(p)
	if err != nil {
		t.Fatal(err)
	}
	passes, pairs := newSweep(context.Background(), in), newSweep(context.Background(), in)
	passes.best, _ = in.incumbent()
	pairs.best = passes.best
	alone := passes.best.Objective
	passes.pass(narrow, 0)
	q := newSearch(pairs, true)
	q.improveByPairs()
	t.Logf("on one node %.4g s, by a pass of width %d %.4g s, by pairs %.4g s", alone, narrow, passes.best.Objective, q.best.Objective)
	if q.best.Objective > 0.9*passes.best.Objective {
		t.Error("pairs found nothing much better")
	}
}
