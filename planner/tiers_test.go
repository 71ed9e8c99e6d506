package planner

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// tierSum is the sum that tierCut minimises, written apart from it: every value handed on from tier to tier.
func tierSum(in *instance, row []NodeID, rank []int) float64 {
	total := 0.0
	for i, r := range rank {
		total += in.cost(i, row[r])
	}
	for v := range in.p.Values {
		val := &in.p.Values[v]
		from, to := 0, -1
		if val.Producer != External {
			from = rank[val.Producer]
		}
		for _, c := range val.Consumers {
			if rank[c] < from {
				return inf
			}
			to = max(to, rank[c])
		}
		if val.Output && in.p.Sink == row[len(row)-1] {
			to = len(row) - 1
		}
		for j := from; j < to; j++ {
			total += in.cheapest(ValueID(v), row[j], row[j+1])
		}
		if val.Output && in.p.Sink == row[0] {
			for j := from; j > 0; j-- {
				total += in.cheapest(ValueID(v), row[j], row[j-1])
			}
		}
	}
	return total
}

func TestTiersAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 5))
		s := drawShape(r)
		s.nodes, s.pieces, s.limits, s.loss, s.memory, s.classes = 2+r.IntN(3), 1+r.IntN(5), false, false, false, false
		s.objective = []Objective{Latency, Energy, Price}[r.IntN(3)]
		p := drawProblem(r, s)
		for v := range p.Values {
			p.Values[v].At = nil
			p.Values[v].Stay = nil
		}
		p.Sink = p.Source
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		row := in.tierOrder()
		if seed%3 == 0 {
			p.Sink = row[len(row)-1]
		}
		best, rank := inf, make([]int, in.pieces)
		var rec func(int)
		rec = func(i int) {
			if i == in.pieces {
				best = min(best, tierSum(in, row, rank))
				return
			}
			for k := range row {
				rank[i] = k
				rec(i + 1)
			}
		}
		rec(0)
		place, sum := in.tierCut(row)
		if (sum == inf) != (best == inf) || best < inf && !near(sum, best) {
			t.Fatalf("seed %d: brute force %v, tiers %v", seed, best, sum)
		}
		if best == inf {
			continue
		}
		for i, n := range place {
			rank[i] = slices.Index(row, n)
		}
		if got := tierSum(in, row, rank); !near(got, best) {
			t.Fatalf("seed %d: the placement costs %v, not %v", seed, got, best)
		}
	}
}

// AAIoT's setting (Zhou et al. 2019): a chain over four ordered tiers with equal links from 10 kbit/s to 1 Gbit/s. The cut equals
// brute force at every bandwidth, and the device keeps no fewer layers as the links get slower.
func TestTiersOnAAIoTsSetting(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	times, bytes := make([][]float64, 7), []int64{150_000}
	for i := range times {
		w := 0.05 + 0.1*r.Float64()
		times[i] = []float64{w, w / 4, w / 10, w / 60}
		bytes = append(bytes, int64(200_000>>i))
	}
	kept := -1
	for rate := 125e6; rate >= 1250; rate /= 2 {
		p := chainOf(times, bytes, Path{Goodput: rate, RTT: 2 * time.Millisecond})
		in, err := newInstance(p)
		if err != nil {
			t.Fatal(err)
		}
		row, best, rank := in.tierOrder(), inf, make([]int, in.pieces)
		for code := range 1 << (2 * in.pieces) {
			for i := range rank {
				rank[i] = code >> (2 * i) & 3
			}
			best = min(best, tierSum(in, row, rank))
		}
		place, sum := in.tierCut(row)
		if !near(sum, best) {
			t.Fatalf("%v B/s: brute force %v, tiers %v", rate, best, sum)
		}
		here := 0
		for _, n := range place {
			if n == p.Source {
				here++
			}
		}
		if here < kept {
			t.Errorf("%v B/s: the device keeps %d layers, at a faster link it kept %d", rate, here, kept)
		}
		kept = here
	}
}
