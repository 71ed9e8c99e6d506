package planner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// meshOf is a model of the given width and length on device, two edges and two clouds: blocks of parallel branches, joined, with a
// long skip every few blocks.
func meshOf(r *rand.Rand, blocks, branches, depth, skip int) *Problem {
	p := &Problem{Model: "mesh", Objective: Latency}
	speeds := []float64{1, 3, 4, 12, 25}
	for n, s := range speeds {
		p.Nodes = append(p.Nodes, Node{Name: []string{"device", "edge-a", "edge-b", "cloud-a", "cloud-b"}[n], Speed: s})
	}
	p.Paths = make([][]Path, len(speeds))
	for a := range p.Paths {
		p.Paths[a] = make([]Path, len(speeds))
		for b := range p.Paths[a] {
			far := max(tier(a), tier(b))
			p.Paths[a][b] = Path{
				RTT: []time.Duration{2, 4, 30}[far] * time.Millisecond, Goodput: []float64{60e6, 12e6, 4e6}[far], Overhead: 2e-4,
			}
		}
	}
	bytes := func(i int) int64 { return int64(800e3/(1+float64(i)/float64(branches*depth))) + int64(r.IntN(1e4)) }
	value := func(producer PieceID, size int64) ValueID {
		p.Values = append(p.Values, Value{Name: fmt.Sprintf("v%d", len(p.Values)), Producer: producer, Codings: []Coding{
			{Codec: "raw", Bytes: size}, {Codec: "int8", Bytes: size / 4, Encode: float64(size) * 2e-9, Decode: float64(size) * 1e-9, Loss: 1},
		}})
		return ValueID(len(p.Values) - 1)
	}
	piece := func(in []ValueID, work float64) ValueID {
		c := Piece{Name: fmt.Sprintf("p%d", len(p.Pieces)), In: in}
		slices.Sort(c.In)
		for _, s := range speeds {
			c.Time = append(c.Time, work/s*(0.9+0.2*r.Float64()))
		}
		p.Pieces = append(p.Pieces, c)
		i := PieceID(len(p.Pieces) - 1)
		v := value(i, bytes(int(i)))
		p.Pieces[i].Out = []ValueID{v}
		return v
	}
	at := value(External, 600e3)
	long := at
	for b := range blocks {
		var ends []ValueID
		for range branches {
			x := at
			for range depth {
				x = piece([]ValueID{x}, 2e-3*(0.5+r.Float64()))
			}
			ends = append(ends, x)
		}
		if skip > 0 && b%skip == skip-1 && !slices.Contains(ends, long) {
			ends = append(ends, long)
		}
		at = piece(ends, 5e-4)
		if skip > 0 && b%skip == skip-1 {
			long = at
		}
	}
	for i := range p.Pieces {
		for _, v := range p.Pieces[i].In {
			p.Values[v].Consumers = append(p.Values[v].Consumers, PieceID(i))
		}
	}
	p.Values[at].Output = true
	return p
}

func tier(n int) int { return []int{0, 1, 1, 2, 2}[n] }

// Some 500 pieces over five nodes, with a narrow sweep: the bound holds, and the gap stays below 15 %.
func TestSweepOnMeshes(t *testing.T) {
	for _, c := range []struct{ blocks, branches, depth, skip int }{{100, 1, 4, 1}, {40, 4, 3, 0}, {30, 2, 4, 5}, {33, 3, 5, 4}} {
		in, err := newInstance(meshOf(rand.New(rand.NewPCG(1, 1)), c.blocks, c.branches, c.depth, c.skip))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := in.sweep(context.Background(), 256)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d pieces, %+v: %s", in.pieces, c, Summary(in.p, plan))
		if plan.Proof.Bound > plan.Objective || plan.Proof.Gap > 0.15 {
			t.Errorf("%+v: bound %v, plan %v", c, plan.Proof.Bound, plan.Objective)
		}
	}
}
