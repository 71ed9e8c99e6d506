package planner

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// In each neighbourhood of a plan, a pair of nodes or a window, the best plan is found: brute force over what the neighbourhood leaves open.
// The plan near which no neighbourhood has a better one is feasible, and none below the optimum.
func TestNearbyAgreesWithBruteForce(t *testing.T) {
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
		problems++
		first := newSweep(context.Background(), in)
		first.best = start
		q := newSearch(first, true)
		from := r.IntN(4)
		window := func(i int, _, _ NodeID) bool { return from <= i && i < from+2 }
		for k, open := range append(append(q.pairs(), q.windows()...), window) {
			q.sweep, q.best = first, start
			around := q.around(open)
			q.improveWithin(open)
			want := start.Objective
			if around != nil {
				if best, ok := bruteForce(around.in); ok {
					want = min(want, best)
				}
			}
			if !near(q.best.Objective, want) {
				t.Fatalf("seed %d, neighbourhood %d: found %v, the best is %v", seed, k, q.best.Objective, want)
			}
			improved += b2i(want < start.Objective*(1-oracleSlack))
		}
		q.sweep, q.best = first, start
		q.improve()
		want, _ := bruteForce(in)
		plan := q.whole()
		again, err := in.evaluate(plan.Place, plan.Codings())
		if err != nil || !near(again.Objective, plan.Objective) || plan.Objective < want*(1-oracleSlack) {
			t.Fatalf("seed %d: the plan takes %v, evaluated %v (%v), the optimum is %v", seed, plan.Objective, again, err, want)
		}
		optimal += b2i(near(plan.Objective, want))
	}
	t.Logf("%d neighbourhoods of %d plans had a better one; %d were optimal in the end", improved, problems, optimal)
	if improved == 0 {
		t.Error("no plan was improved")
	}
}

// Long parallel branches, each worth a machine: neighbourhoods hold a plan that passes over all nodes miss as long as they are narrow.
func TestNearbyPlansThatNarrowPassesMiss(t *testing.T) {
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
	passes, first := newSweep(context.Background(), in), newSweep(context.Background(), in)
	passes.best, _ = in.incumbent()
	first.best = passes.best
	alone := passes.best.Objective
	passes.pass(narrow, 0)
	q := newSearch(first, true)
	q.improve()
	t.Logf("on one node %.4g s, by a pass of width %d %.4g s, nearby %.4g s", alone, narrow, passes.best.Objective, q.best.Objective)
	if q.best.Objective > 0.9*passes.best.Objective {
		t.Error("nothing much better was found")
	}
}
