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

// sumOf is the additive cost of a two-node placement, written apart from the solvers: every piece, every hop once per receiving
// node, every output brought home. Without returns, +Inf when a value goes from b back to a reader on a.
func sumOf(in *instance, place []NodeID, a, b NodeID, returns bool) float64 {
	p, total := in.p, 0.0
	for i, n := range place {
		total += in.cost(i, n)
	}
	class := map[int]NodeID{}
	for i, n := range place {
		if c := p.Pieces[i].Class; c != 0 {
			if m, ok := class[c]; ok && m != n {
				return inf
			}
			class[c] = n
		}
	}
	for v := range p.Values {
		val := &p.Values[v]
		var need []NodeID
		for _, c := range val.Consumers {
			need = append(need, place[c])
		}
		home := len(need)
		if val.Output {
			need = append(need, p.Sink)
		}
		for k, n := range need {
			if slices.Contains(need[:k], n) {
				if k < home && !returns && val.Producer != External && place[val.Producer] == b && n == a {
					return inf
				}
				continue
			}
			if val.Producer == External {
				total += in.fetch(ValueID(v), n)
				continue
			}
			m := place[val.Producer]
			if k < home && !returns && m == b && n == a {
				return inf
			}
			total += in.cheapest(ValueID(v), m, n)
		}
	}
	return total
}

func TestMinCutAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 1000) {
		for _, returns := range []bool{false, true} {
			r := rand.New(rand.NewPCG(seed, 2))
			s := drawShape(r)
			s.nodes, s.pieces, s.limits, s.loss, s.memory = 2+r.IntN(2), 1+r.IntN(9), false, false, false
			s.codings = 1 + r.IntN(3)
			if r.IntN(50) == 0 {
				s.pieces = 12
			}
			s.objective = []Objective{Latency, Energy, Price}[r.IntN(3)]
			p := drawProblem(r, s)
			in, err := newInstance(p)
			if errors.As(err, new(*InfeasibleError)) {
				continue
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			a := p.Source
			b := (a + 1) % NodeID(s.nodes)
			best := inf
			place := make([]NodeID, in.pieces)
			for mask := range 1 << in.pieces {
				for i := range place {
					place[i] = a
					if mask>>i&1 == 1 {
						place[i] = b
					}
				}
				best = min(best, sumOf(in, place, a, b, returns))
			}
			got, value := in.cutBetween(a, b, returns)
			if math.IsInf(best, 1) != math.IsInf(value, 1) || (best < inf && !near(best, value)) {
				t.Fatalf("seed %d, returns %v: brute force %v, minimum cut %v", seed, returns, best, value)
			}
			if best < inf && !near(sumOf(in, got, a, b, returns), best) {
				t.Fatalf("seed %d, returns %v: the cut's placement costs %v, not %v", seed, returns, sumOf(in, got, a, b, returns), best)
			}
		}
	}
}

func TestMinCutPlansAreNeverWorseThanTheirSum(t *testing.T) {
	for seed := range oracletest.Seeds(t, 500) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := drawShape(r)
		s.limits, s.loss, s.memory, s.objective = false, false, false, Latency
		in, err := newInstance(drawProblem(r, s))
		if err != nil {
			continue
		}
		plan, err := minCut{name: "mincut", returns: true}.Plan(context.Background(), in.p)
		if err != nil {
			continue
		}
		if plan.Proof.Bound > plan.Objective*(1+oracleSlack) {
			t.Fatalf("seed %d: bound %v above objective %v", seed, plan.Proof.Bound, plan.Objective)
		}
	}
}
