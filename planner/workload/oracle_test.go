package workload

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// draw makes a random workload of few ops.
func draw(r *rand.Rand, ops int) *Workload {
	w := &Workload{Accelerators: r.IntN(3), CPUs: r.IntN(2), Memory: float64(4 + r.IntN(30))}
	if w.Accelerators+w.CPUs == 0 {
		w.Accelerators = 1
	}
	for k := range ops {
		op := Op{ID: k, CPU: float64(r.IntN(20)), Accelerator: float64(r.IntN(6)), Size: float64(r.IntN(8))}
		if r.IntN(12) == 0 {
			op.Accelerator = math.Inf(1)
		}
		if r.IntN(6) == 0 {
			op.Class = 1 + r.IntN(2)
		}
		for p := range k {
			if r.IntN(3) == 0 || (p == k-1 && r.IntN(2) == 0) {
				op.Preds = append(op.Preds, p)
			}
		}
		w.Ops = append(w.Ops, op)
	}
	for k := range w.Ops {
		for _, p := range w.Ops[k].Preds {
			w.Ops[p].Succs = append(w.Ops[p].Succs, k)
			w.Ops[p].Cost = float64(1 + p*7%5)
		}
	}
	return w
}

// contiguous reports whether every device's set is convex and the devices can be ordered so that edges run forward.
func contiguous(w *Workload, place []Device) bool {
	n := w.Accelerators + w.CPUs
	edge := make([][]bool, n)
	for d := range edge {
		edge[d] = make([]bool, n)
	}
	for k := range w.Ops {
		for _, s := range w.Ops[k].Succs {
			if place[k] != place[s] {
				edge[place[k]][place[s]] = true
			}
		}
	}
	for m := range n {
		for a := range n {
			for b := range n {
				edge[a][b] = edge[a][b] || (edge[a][m] && edge[m][b])
			}
		}
	}
	for d := range n {
		if edge[d][d] {
			return false
		}
	}
	return true
}

// brute is the least objective over all placements.
func brute(w *Workload, devices int, value func([]Device) (float64, bool)) float64 {
	best := math.Inf(1)
	place := make([]Device, len(w.Ops))
	var rec func(int)
	rec = func(k int) {
		if k == len(place) {
			if w.Fits(place) == nil {
				if v, ok := value(place); ok {
					best = min(best, v)
				}
			}
			return
		}
		for d := range devices {
			place[k] = Device(d)
			rec(k + 1)
		}
	}
	rec(0)
	return best
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func agree(t *testing.T, seed uint64, want float64, a *Answer, err error) {
	t.Helper()
	if math.IsInf(want, 1) {
		if !errors.Is(err, ErrInfeasible) {
			t.Fatalf("seed %d: no placement exists, got %v, %v", seed, a, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("seed %d: brute force finds %v, got %v", seed, want, err)
	}
	if !near(a.Objective, want) || !a.Optimal {
		t.Fatalf("seed %d: brute force finds %v, got %v (bound %v)", seed, want, a.Objective, a.Bound)
	}
}

func TestContiguousAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 800) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := draw(r, 1+r.IntN(7))
		want := brute(w, w.Accelerators+w.CPUs, func(p []Device) (float64, bool) { return slices.Max(w.Loads(p)), contiguous(w, p) })
		a, err := w.Contiguous(context.Background())
		agree(t, seed, want, a, err)
	}
}

func TestLatencyAgreesWithBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 800) {
		r := rand.New(rand.NewPCG(seed, 2))
		w := draw(r, 1+r.IntN(7))
		w.CPUs = min(w.CPUs, 1)
		want := brute(w, w.Accelerators+w.CPUs, w.Finish)
		a, err := w.Latency(context.Background())
		if err == nil && !w.classes().convex().lossless() {
			// Classes that enclose other ops: an answer and a bound, not the optimum.
			if a.Bound > want*(1+1e-9) || a.Objective < want*(1-1e-9) {
				t.Fatalf("seed %d: brute force finds %v outside [%v, %v]", seed, want, a.Bound, a.Objective)
			}
			continue
		}
		agree(t, seed, want, a, err)
	}
}
