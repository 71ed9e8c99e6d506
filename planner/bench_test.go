package planner

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// A two-way cut of a DAG of 2,000 pieces, from the problem to the evaluated plan.
func BenchmarkTwoWay2000(b *testing.B) {
	p := meshOf(rand.New(rand.NewPCG(5, 5)), 153, 4, 3, 3)
	p.Nodes, p.Paths = []Node{p.Nodes[0], p.Nodes[4]}, [][]Path{{{}, p.Paths[0][4]}, {p.Paths[4][0], {}}}
	for i := range p.Pieces {
		p.Pieces[i].Time = []float64{p.Pieces[i].Time[0], p.Pieces[i].Time[4]}
	}
	b.ReportMetric(float64(len(p.Pieces)), "pieces")
	in, err := newInstance(p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("cut", func(b *testing.B) {
		for b.Loop() {
			in.cutBetween(0, 1, true)
		}
	})
	benchmarkContraction(b, in)
	b.Run("problem-to-plan", func(b *testing.B) {
		for b.Loop() {
			if _, err := (minCut{name: "mincut", returns: true}).Plan(context.Background(), p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A cut of the same DAG over five tiers.
func BenchmarkTiers2000(b *testing.B) {
	in, err := newInstance(meshOf(rand.New(rand.NewPCG(5, 5)), 153, 4, 3, 3))
	if err != nil {
		b.Fatal(err)
	}
	row := in.tierOrder()
	b.Run("cut", func(b *testing.B) {
		for b.Loop() {
			in.tierCut(row)
		}
	})
	benchmarkContraction(b, in)
}

// benchmarkContraction shows what contracting before a cut would cost and, between two nodes, save.
func benchmarkContraction(b *testing.B, in *instance) {
	var small *reduction
	contract := func() {
		small = in.same()
		small.contract(context.Background(), in, &Plan{Place: make([]NodeID, in.pieces)})
	}
	contract()
	left := float64(len(small.in.p.Pieces))
	b.Run("contraction", func(b *testing.B) {
		for b.Loop() {
			contract()
		}
		b.ReportMetric(left, "left")
	})
	if _, err := prepare(small.in); err != nil {
		b.Fatal(err)
	}
	if in.nodes == 2 {
		b.Run("contracted-cut", func(b *testing.B) {
			for b.Loop() {
				small.in.cutBetween(0, 1, true)
			}
		})
	}
}

// Five nodes, some 500 pieces, latency: seconds to prove, and the gap after ten seconds at most.
func BenchmarkFiveNodes500(b *testing.B) {
	for _, c := range []struct {
		name                          string
		blocks, branches, depth, skip int
	}{{"residual", 100, 1, 4, 1}, {"inception", 40, 4, 3, 0}, {"two-branch", 55, 2, 4, 5}, {"three-branch-skips", 33, 3, 5, 4}} {
		b.Run(c.name, func(b *testing.B) {
			p := meshOf(rand.New(rand.NewPCG(1, 1)), c.blocks, c.branches, c.depth, c.skip)
			for b.Loop() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				plan, err := auto{}.Plan(ctx, p)
				cancel()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(100*plan.Proof.Gap, "gap-%")
				b.ReportMetric(float64(len(p.Pieces)), "pieces")
			}
		})
	}
}
