package maxflow

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The flow equals the least cut over every division of the vertices, before and after an edge is raised, and after going back.
func TestFlowEqualsLeastCut(t *testing.T) {
	type edge struct {
		a, b        int
		there, back float64
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 2 + r.IntN(6)
		f := New(n, 4*n)
		var edges []edge
		for range r.IntN(4 * n) {
			a, b := r.IntN(n), r.IntN(n)
			if a == b {
				continue
			}
			e := edge{a, b, float64(r.IntN(8)), float64(r.IntN(3))}
			if r.IntN(12) == 0 {
				e.there = math.Inf(1)
			}
			if k := f.Edge(a, b, e.there, e.back); k != 2*len(edges) {
				t.Fatalf("seed %d: edge %d is number %d", seed, len(edges), k)
			}
			edges = append(edges, e)
		}
		cut := func() float64 {
			least := math.Inf(1)
			for side := range 1 << n {
				if side&1 == 0 || side>>1&1 == 1 {
					continue // vertex 0 is the source, vertex 1 the target
				}
				sum := 0.0
				for _, e := range edges {
					if side>>e.a&1 == 1 && side>>e.b&1 == 0 {
						sum += e.there
					}
					if side>>e.b&1 == 1 && side>>e.a&1 == 0 {
						sum += e.back
					}
				}
				least = min(least, sum)
			}
			return least
		}
		fresh := f.Save(nil)
		first := cut()
		got := f.Run(0, 1)
		if got != first {
			t.Fatalf("seed %d: flow %v, least cut %v", seed, got, first)
		}
		if math.IsInf(got, 1) || len(edges) == 0 {
			continue
		}
		k := r.IntN(len(edges))
		edges[k].there += 3
		f.Raise(2*k, 3)
		if more := f.Run(0, 1); got+more != cut() {
			t.Fatalf("seed %d: flow %v and %v more after an edge was raised, least cut %v", seed, got, more, cut())
		}
		f.Restore(fresh)
		if again := f.Run(0, 1); again != first {
			t.Fatalf("seed %d: flow %v after going back, %v at first", seed, again, first)
		}
		f.Restore(fresh)
		if some := f.RunTo(0, 1, first/2); some > first || (first > 0 && some <= first/2) {
			t.Fatalf("seed %d: more than %v wanted, %v found, the most is %v", seed, first/2, some, first)
		}
	}
}
