package planner

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

func twoWay(seed uint64) *Problem {
	r := rand.New(rand.NewPCG(seed, 11))
	p := meshOf(r, 8+r.IntN(10), 1+r.IntN(3), 1+r.IntN(4), r.IntN(4))
	p.Nodes = []Node{p.Nodes[0], p.Nodes[4]}
	for i := range p.Pieces {
		p.Pieces[i].Time = []float64{p.Pieces[i].Time[0], p.Pieces[i].Time[4]}
	}
	p.Paths = [][]Path{make([]Path, 2), make([]Path, 2)}
	for a := range 2 {
		for b := range 2 {
			p.Paths[a][b] = Path{Goodput: 1e6, RTT: time.Millisecond, Overhead: 1e-4}
		}
	}
	return p
}

// At random points of the range the table says what a fresh minimum cut says.
func TestEnvelopeAgreesWithMinimumCuts(t *testing.T) {
	for seed := range oracletest.Seeds(t, 12) {
		p := twoWay(seed)
		back := []float64{1, 5, 0.1}[seed%3]
		p.Paths[1][0].Goodput = back * p.Paths[0][1].Goodput
		e, err := NewEnvelope(p, 1, 1e5, 1e9, 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 12))
		for range 40 {
			goodput, rtt := 1e5*1e4*r.Float64()*r.Float64()+1e5, time.Duration(r.Int64N(2e8))
			for _, w := range []*Path{&p.Paths[0][1], &p.Paths[1][0]} {
				w.Goodput, w.RTT = goodput, rtt
			}
			p.Paths[1][0].Goodput *= back
			in, err := newInstance(p)
			if err != nil {
				t.Fatal(err)
			}
			_, want := in.cutBetween(0, 1, true)
			if got := e.At(goodput, rtt).Seconds(goodput, rtt); !near(got, want) {
				t.Fatalf("seed %d, %v B/s, %v: table %v, minimum cut %v (%d planes)", seed, goodput, rtt, got, want, len(e.Cuts))
			}
		}
	}
}

// As goodput falls the plan sends ever fewer bytes and never comes back to an earlier cut.
func TestPlanMovesToTheDeviceAsBandwidthFalls(t *testing.T) {
	for seed := range uint64(12) {
		e, err := NewEnvelope(twoWay(seed), 1, 1e4, 1e9, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		left := map[*EnvelopeCut]bool{}
		last := e.At(1e9, 10*time.Millisecond)
		for goodput := 1e9; goodput >= 1e4; goodput *= 0.98 {
			c := e.At(goodput, 10*time.Millisecond)
			if c == last {
				continue
			}
			if left[c] || c.Bytes > last.Bytes {
				t.Fatalf("seed %d: at %v B/s the plan goes back to %v bytes", seed, goodput, c.Bytes)
			}
			left[last], last = true, c
		}
	}
}

func TestEnvelopeLookupDoesNotAllocate(t *testing.T) {
	e, err := NewEnvelope(twoWay(1), 1, 1e5, 1e9, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { e.At(3e6, 20*time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations per lookup", n)
	}
}

func BenchmarkEnvelopeLookup(b *testing.B) {
	e, err := NewEnvelope(twoWay(1), 1, 1e5, 1e9, 200*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(e.Cuts)), "planes")
	for b.Loop() {
		e.At(3e6, 20*time.Millisecond)
	}
}

// BenchmarkEnvelopePlan is a lookup and the prediction of the plan that was found.
func BenchmarkEnvelopePlan(b *testing.B) {
	p := twoWay(1)
	e, err := NewEnvelope(p, 1, 1e5, 1e9, 200*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(p.Pieces)), "pieces")
	for b.Loop() {
		cut := e.At(3e6, 20*time.Millisecond)
		if _, err := Evaluate(p, cut.Place, cut.Codings); err != nil {
			b.Fatal(err)
		}
	}
}
