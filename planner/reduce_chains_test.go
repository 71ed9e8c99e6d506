package planner

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// contracted is the instance made smaller by the contraction alone, nil where it takes nothing away.
func contracted(in *instance, known *Plan) *reduction {
	r := in.same()
	if !in.contractible() || !r.contract(newSweep(context.Background(), in), known) {
		return nil
	}
	return r
}

// drawSum makes a random problem whose objective is a sum.
func drawSum(r *rand.Rand) *Problem {
	s := drawShape(r)
	s.pieces, s.limits = min(s.pieces, 7), false
	s.objective = []Objective{Energy, Energy, Price}[r.IntN(3)]
	p := drawProblem(r, s)
	if r.IntN(2) == 0 {
		// Compute that differs little between nodes, beside dear hops: here cuts are dominated that are not trivial.
		for i := range p.Pieces {
			base := float64(r.IntN(6))
			for n, t := range p.Pieces[i].Time {
				if t < inf {
					p.Pieces[i].Time[n] = base + float64(r.IntN(2))
				}
			}
		}
	}
	return p
}

// The contraction keeps the optimum: brute force over the whole problem against brute force over the smaller one, whose plan is then one
// of the whole. The known plan, moved, is no worse.
func TestContractionsAgreeWithBruteForce(t *testing.T) {
	places, pieces, all := 0, 0, 0
	for seed := range oracletest.Seeds(t, 1500) {
		r := rand.New(rand.NewPCG(seed, 35))
		in, err := newInstance(drawSum(r))
		if err != nil {
			continue
		}
		known, _ := in.incumbent()
		if known == nil {
			continue
		}
		all += in.pieces
		small := contracted(in, known)
		if small == nil {
			continue
		}
		if _, err := prepare(small.in); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want, _ := bruteForce(in)
		got, ok := bruteForce(small.in)
		if !ok || !near(got, want) {
			t.Fatalf("seed %d (%s): the optimum is %v, %v (%v) once contracted", seed, in.p.Objective, want, got, ok)
		}
		moved, err := small.shrink(known)
		switch {
		case err != nil:
			t.Fatalf("seed %d: the known plan is gone: %v", seed, err)
		case moved.Objective > known.Objective*(1+oracleSlack)+oracleSlack:
			t.Fatalf("seed %d: the known plan went from %v to %v", seed, known.Objective, moved.Objective)
		default:
			place, codings := small.restore(moved)
			if again, err := in.evaluate(place, codings); err != nil || !near(again.Objective, moved.Objective) {
				t.Fatalf("seed %d: %v in the smaller problem is %v, %v in the whole", seed, moved.Objective, again, err)
			}
		}
		pieces += in.pieces - small.in.pieces
		for k := range small.in.run {
			places += b2i(small.in.run[k] == inf)
		}
	}
	t.Logf("%d of %d pieces fewer, %d places not open", pieces, all, places)
	if pieces*4 < all {
		t.Error("too little was contracted")
	}
}
