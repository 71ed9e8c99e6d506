package planner

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// A limit on stages is held exactly for problems of some ten pieces: plans of the width that planners use by default are proven optimal,
// and brute force agrees.
func TestStagesOfTenPiecesAreExact(t *testing.T) {
	proven, bound := 0, 0
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 24))
		s := drawShape(r)
		s.codings, s.nodes, s.pieces, s.limits = 1, 2, 9+r.IntN(3), false
		p := drawProblem(r, s)
		p.Limits.Stages = 2 + r.IntN(3)
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		want, ok := bruteForce(in)
		plan, err := sweeper{}.Plan(context.Background(), p)
		if ok != (err == nil) {
			t.Fatalf("seed %d: brute force finds %v (%v), sweep %v", seed, want, ok, err)
		}
		if !ok {
			continue
		}
		if !plan.Proof.Optimal || !near(plan.Objective, want) {
			t.Errorf("seed %d, %d pieces, %d stages: the optimum is %v, sweep finds %v, bound %v", seed, in.pieces, p.Limits.Stages, want, plan.Objective, plan.Proof.Bound)
		}
		proven++
		p.Limits.Stages = 0
		if free, err := (sweeper{}).Plan(context.Background(), p); err == nil && free.Objective < want*(1-oracleSlack) {
			bound++
		}
	}
	t.Logf("%d plans proven optimal, the limit was felt in %d", proven, bound)
}

// Evaluate's timeline is per piece, plans are carried out per stage, which starts when all of its inputs are there and sends when it ends:
// stages are formed so that both end at the same time, however the pieces lie.
func TestStagesEndWithThePieces(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 25))
		s := drawShape(r)
		s.objective, s.memory, s.loss, s.limits, s.classes = Latency, false, false, false, false
		p := drawProblem(r, s)
		place := make([]NodeID, len(p.Pieces))
		for i := range place {
			place[i] = NodeID(r.IntN(s.nodes))
		}
		plan, err := Evaluate(p, place, nil)
		if err != nil {
			continue
		}
		end := time.Duration(0)
		for _, s := range plan.Stages {
			end = max(end, s.End)
		}
		for _, t := range plan.Transfers {
			end = max(end, t.End)
		}
		if end != plan.Cost.Latency {
			t.Fatalf("seed %d: the pieces' timeline ends after %v, the stages' after %v", seed, plan.Cost.Latency, end)
		}
	}
}
