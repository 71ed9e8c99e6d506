package planner

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// contracted is the instance made smaller by the contraction alone, nil where it takes nothing away.
func contracted(in *instance, known *Plan) *reduction {
	r := in.same()
	if !in.contractible() || !r.contract(context.Background(), in, known) {
		return nil
	}
	return r
}

// drawSum makes a random problem whose objective is a sum.
func drawSum(r *rand.Rand) *Problem {
	s := drawShape(r)
	s.pieces, s.limits = min(s.pieces, 7), false
	if r.IntN(3) == 0 {
		s.nodes, s.codings, s.chain, s.pieces = 4, 1, false, min(s.pieces, 5)
	}
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

// powered gives a mesh watts, prices and joules per byte, so that sums mean something on it.
func powered(p *Problem, objective Objective) *Problem {
	p.Objective = objective
	for n := range p.Nodes {
		p.Nodes[n].Power, p.Nodes[n].Price = []float64{3, 6, 9, 80, 150}[n], []float64{0.1, 1, 1.5, 12, 26}[n]
		for b := range p.Nodes {
			p.Paths[n][b].Energy = []float64{0, 2e-8, 3e-7}[max(tier(n), tier(b))]
		}
	}
	return p
}

// Real-looking graphs become much smaller, and the sweep finds the same optimum.
func TestContractionsOfMeshes(t *testing.T) {
	for _, c := range []struct {
		blocks, branches, depth, skip int
		objective                     Objective
		left                          float64 // most of the pieces that may be left
	}{
		{100, 1, 4, 1, Energy, 0.1}, {40, 4, 3, 0, Energy, 0.25}, {30, 2, 4, 5, Energy, 0.15}, {33, 3, 5, 4, Energy, 0.1}, {33, 3, 5, 4, Price, 0.01},
	} {
		in, err := newInstance(powered(meshOf(rand.New(rand.NewPCG(1, 1)), c.blocks, c.branches, c.depth, c.skip), c.objective))
		if err != nil {
			t.Fatal(err)
		}
		known, _ := in.incumbent()
		small := contracted(in, known)
		if small == nil {
			t.Fatalf("%+v: nothing was contracted", c)
		}
		if _, err := prepare(small.in); err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v: %d pieces, %d once contracted", c, in.pieces, small.in.pieces)
		if float64(small.in.pieces) > c.left*float64(in.pieces) {
			t.Errorf("%+v: %d of %d pieces are left", c, small.in.pieces, in.pieces)
		}
		if want, got := sweptAlone(t, in), sweptAlone(t, small.in); !near(got, want) {
			t.Errorf("%+v: the optimum is %v, %v once contracted", c, want, got)
		}
	}
}

// sweptAlone is the optimum by passes of the sweep that reduce nothing.
func sweptAlone(t *testing.T, in *instance) float64 {
	t.Helper()
	s := newSweep(context.Background(), in)
	s.best, _ = in.incumbent()
	for width := narrow; width <= defaultWidth; width *= widen {
		if _, exact := s.pass(width, 0); exact {
			return s.best.Objective
		}
	}
	t.Fatalf("%s: not solved within %d labels", in.p.Model, defaultWidth)
	return 0
}

// A value with readers on two nodes counts twice: its maker costs 3 J less on node b, from which each of both hops costs 2 J more.
func TestMovesCountEveryReader(t *testing.T) {
	p := &Problem{Model: "fan", Objective: Energy}
	for _, name := range []string{"a", "b", "c", "d"} {
		p.Nodes = append(p.Nodes, Node{Name: name, Power: 1})
		p.Paths = append(p.Paths, slices.Repeat([]Path{{Goodput: 1, Energy: 1}}, 4))
	}
	p.Paths[1][2].Energy, p.Paths[1][3].Energy = 3, 3
	p.Values = []Value{{Name: "v", Codings: []Coding{{Codec: "raw", Bytes: 1}}, Consumers: []PieceID{1, 2}}}
	p.Pieces = []Piece{
		{Name: "maker", Time: []float64{5, 2, inf, inf}, Out: []ValueID{0}},
		{Name: "reader", Time: []float64{inf, inf, 1, inf}, In: []ValueID{0}},
		{Name: "another", Time: []float64{inf, inf, inf, 1}, In: []ValueID{0}},
	}
	in, err := newInstance(p)
	if err != nil {
		t.Fatal(err)
	}
	known, err := in.evaluate([]NodeID{1, 2, 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	small := contracted(in, known)
	if small == nil {
		t.Fatal("node b was not taken away")
	}
	if _, err := prepare(small.in); err != nil {
		t.Fatal(err)
	}
	if moved, err := small.shrink(known); err != nil || !slices.Equal(moved.Place, []NodeID{0, 2, 3}) || known.Objective != 10 || moved.Objective != 9 {
		t.Errorf("the plan of 10 J (%v) became %v, %v", known.Objective, moved, err)
	}
}

// For throughput the rule would be wrong: a hop that costs more than it saves is worth it where it shares the work.
func TestThroughputIsNotContracted(t *testing.T) {
	times := [][]float64{{1, 1}, {1, 1}}
	p := chainOf(times, []int64{0, 1, 0}, Path{Goodput: 10})
	for _, o := range []Objective{Energy, Throughput} {
		p.Objective = o
		p.Nodes[0].Power, p.Nodes[1].Power = 1, 1
		in, err := newInstance(p)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := in.sweep(context.Background(), defaultWidth)
		if err != nil {
			t.Fatal(err)
		}
		split := plan.Place[0] != plan.Place[1]
		known, _ := in.incumbent()
		if joined := contracted(in, known) != nil; joined == split || split != (o == Throughput) {
			t.Errorf("%s: pieces on nodes %v, contracted: %v", o, plan.Place, joined)
		}
	}
}
