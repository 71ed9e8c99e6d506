package placement

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// convolutions is a chain of 3x3 convolutions over a 4-channel picture of the given height.
func convolutions(t testing.TB, count, height int) *split.Graph {
	t.Helper()
	b := split.NewBuilder("convolutions", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 4, height, 4}})
	for k := range count {
		w := b.Const(fmt.Sprintf("w%d", k), tensor.Of(tensor.Float32, tensor.Shape{4, 4, 3, 3}, make([]float32, 144)...))
		x = b.Op("Conv", map[string]split.Attr{"pads": []int64{1, 1, 1, 1}}, x, w)
	}
	b.Output(x)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = split.Specialize(g, nil); err != nil {
		t.Fatal(err)
	}
	if g, err = split.Canonicalize(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// boxes asks about g on machines that take the given seconds for each group, with equal paths between all.
func boxes(g *split.Graph, seconds [][]float64, path planner.Path) *Question {
	q := &Question{Model: "m", Graph: g, Objective: planner.Latency, Codings: func(v split.ValueID) []planner.Coding {
		return []planner.Coding{{Codec: "raw", Bytes: g.Values[v].Bytes()}}
	}}
	for n, s := range seconds {
		p := Profile{Backend: "native", Groups: s}
		for _, x := range s {
			p.Total += x
		}
		q.Machines = append(q.Machines, Machine{Name: fmt.Sprintf("n%d", n), Profiles: []Profile{p}})
		q.Paths = append(q.Paths, slices.Repeat([]planner.Path{path}, len(seconds)))
	}
	return q
}

// statement states the question for any divisions.
func statement(t testing.TB, q *Question) Statement {
	return func(divisions []split.Division) (*Stated, error) {
		st := &Stated{Graph: q.Graph}
		asked := q
		if len(divisions) > 0 {
			d, err := q.Graph.Divide(divisions)
			if err != nil {
				return nil, err
			}
			st.Divided, st.Graph, asked = d, d.Graph, q.Divided(d)
		}
		var err error
		st.Problem, st.Frame, err = asked.Problem()
		return st, err
	}
}

// TestSearchOracle compares the search with every plan there is of small chains on two or three machines: every block, every two- and
// three-part division of the rows, and every placement of the pieces.
func TestSearchOracle(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	solver, err := planner.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	divided, exact, worst := 0, 0, 1.0
	const problems = 40
	for try := range problems {
		g := convolutions(t, 2, 6)
		var seconds [][]float64
		for range 2 + rng.IntN(2) {
			speed := 0.5 + rng.Float64()
			seconds = append(seconds, []float64{speed * (0.5 + rng.Float64()), speed * (0.5 + rng.Float64())})
		}
		q := boxes(g, seconds, planner.Path{Goodput: 384 / (0.05 + 0.5*rng.Float64()), RTT: 20 * time.Millisecond})
		state := statement(t, q)
		got, err := (&Search{Graph: g, Solver: solver, State: state}).Run(context.Background())
		if err != nil {
			t.Fatalf("seed %d problem %d: %v", seed, try, err)
		}
		best := math.Inf(1)
		for _, d := range everyDivision(g) {
			st, err := state(d)
			if err != nil {
				t.Fatalf("seed %d problem %d: %v: %v", seed, try, d, err)
			}
			if d != nil {
				st.tie()
			}
			plan, err := solver.Plan(context.Background(), st.Problem) // exact: planner's own oracle tests hold it to every placement
			if err != nil || !plan.Proof.Optimal {
				t.Fatalf("seed %d problem %d: %v is not solved: %v", seed, try, d, err)
			}
			best = min(best, plan.Objective)
		}
		if got.Plan.Objective > got.Undivided.Objective {
			t.Errorf("seed %d problem %d: divided takes %g, undivided %g", seed, try, got.Plan.Objective, got.Undivided.Objective)
		}
		ratio := got.Plan.Objective / best
		if len(got.Divisions) > 0 {
			divided++
		}
		if ratio <= 1+leastGain {
			exact++
		}
		worst = max(worst, ratio)
	}
	t.Logf("%d of %d problems are divided; %d within %g of the best of all plans with at most one division, the worst %.3f times it",
		divided, problems, exact, leastGain, worst)
	if divided < problems/4 || exact < problems*7/10 || worst > 1.25 {
		t.Errorf("seed %d: the search is worse than it was", seed)
	}
}

// everyDivision lists no division, and every single one of rows into two or three parts.
func everyDivision(g *split.Graph) [][]split.Division {
	out := [][]split.Division{nil}
	for first := range g.Groups {
		for last := first; last < len(g.Groups); last++ {
			for a := 1; a < 6; a++ {
				d := split.Division{First: split.GroupID(first), Last: split.GroupID(last), Axis: 2}
				d.Parts = []int{a, 6 - a}
				out = append(out, []split.Division{d})
				for b := 1; a+b < 6; b++ {
					d.Parts = []int{a, b, 6 - a - b}
					out = append(out, []split.Division{d})
				}
			}
		}
	}
	return out
}

// TestSearchKeepsWhatIsFaster: a heavy chain on equal machines with quick paths is divided, one behind a slow path is not.
func TestSearchKeepsWhatIsFaster(t *testing.T) {
	g := convolutions(t, 3, 32)
	s := []float64{1, 1, 1}
	for _, c := range []struct {
		goodput float64
		divided bool
	}{{1e6, true}, {1e2, false}} {
		q := boxes(g, [][]float64{s, s, s}, planner.Path{Goodput: c.goodput, RTT: time.Millisecond})
		solver, err := planner.Lookup("")
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&Search{Graph: g, Solver: solver, State: statement(t, q)}).Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if (len(got.Divisions) > 0) != c.divided {
			t.Errorf("goodput %g: divisions %v\n%s", c.goodput, got.Divisions, got.Describe(g))
		}
		if c.divided && got.Plan.Objective > 1.4 {
			t.Errorf("three machines take %g s for 3 s of work", got.Plan.Objective)
		}
	}
}

// TestBalance: machines that take part end together, and no other division of the work ends sooner.
func TestBalance(t *testing.T) {
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, 0))
	for try := range 200 {
		loads := make([]load, 1+rng.IntN(4))
		for n := range loads {
			loads[n] = load{fixed: rng.Float64(), each: 0.1 + rng.Float64()}
		}
		shares, took := balance(loads)
		sum := 0.0
		for n, f := range shares {
			sum += f
			if f < 0 || f > 0 && math.Abs(loads[n].fixed+loads[n].each*f-took) > 1e-9 {
				t.Fatalf("seed %d try %d: %v take %v, not %g", seed, try, loads, shares, took)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("seed %d try %d: shares %v add up to %g", seed, try, shares, sum)
		}
		for range 50 {
			other, all := make([]float64, len(loads)), 0.0
			for n := range other {
				if rng.IntN(3) > 0 {
					other[n] = rng.ExpFloat64()
				}
				all += other[n]
			}
			end := 0.0
			for n, f := range other {
				if f > 0 {
					end = max(end, loads[n].fixed+loads[n].each*f/all)
				}
			}
			if all > 0 && end < took-1e-9 {
				t.Fatalf("seed %d try %d: %v end at %g, balanced ones at %g", seed, try, other, end, took)
			}
		}
	}
}
