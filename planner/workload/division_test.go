package workload

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// With no limit on nodes, a division is found exactly where brute force has one, at every load in question.
func TestDivisionAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 800) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := draw(r, 1+r.IntN(6))
		w.CPUs = r.IntN(3)
		w.Accelerators = max(w.Accelerators, 1-w.CPUs)
		best := brute(w, w.Accelerators+w.CPUs, func(p []Device) (float64, bool) { return slices.Max(w.Loads(p)), true })
		g := w.classes()
		p := newPricer(g, frontSize)
		for _, limit := range []float64{best - 1, best * (1 - proofSlack), best, best + 1, float64(r.IntN(30))} {
			if math.IsInf(limit, 0) || limit < 0 {
				limit = float64(r.IntN(60))
			}
			place, none := p.divide(context.Background(), limit, math.MaxInt)
			if none != (best > limit*(1+flowSlack)) || none == (place != nil) {
				t.Fatalf("seed %d: brute force finds %v; limit %v: place %v, none %v", seed, best, limit, place, none)
			}
			if place == nil {
				continue
			}
			ops := g.placeOf(place)
			if err := w.Fits(ops); err != nil || slices.Max(w.Loads(ops)) > limit*(1+proofSlack) {
				t.Fatalf("seed %d: limit %v: placement %v has load %v, %v", seed, limit, ops, slices.Max(w.Loads(ops)), err)
			}
		}
	}
}
