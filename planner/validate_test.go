package planner

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// sound is a valid problem of two pieces on two nodes.
func sound() *Problem {
	return chainOf([][]float64{{1, 2}, {3, 4}}, []int64{10, 20, 5}, Path{Goodput: 10, RTT: time.Second})
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		break_ func(p *Problem)
		want   string
	}{
		{func(p *Problem) { p.Pieces[1].Time[0] = math.NaN() }, `piece "p1": time on node "n0" is NaN`},
		{func(p *Problem) { p.Pieces[0].Time[1] = -1 }, `piece "p0": time on node "n1" is -1`},
		{func(p *Problem) { p.Pieces[0].Time = p.Pieces[0].Time[:1] }, `piece "p0" has times on 1 nodes`},
		{func(p *Problem) { p.Values[1].Codings[0].Bytes = -4 }, `value "v1", codec "raw": -4 bytes`},
		{func(p *Problem) { p.Values[1].Codings[0].Encode = math.NaN() }, `encode NaN`},
		{func(p *Problem) { p.Paths[0][1].Goodput = math.Inf(1) }, `path "n0" to "n1": goodput is +Inf`},
		{func(p *Problem) { p.Paths[1] = p.Paths[1][:1] }, `node "n1" has paths to 1 nodes`},
		{func(p *Problem) { p.Nodes[1].Load = 1 }, `node "n1": load is 1`},
		{func(p *Problem) { p.Nodes[1].Name = "n0" }, `two nodes are named "n0"`},
		{func(p *Problem) { p.Sink = 7 }, `the sink is node 7 of 2`},
		{func(p *Problem) { p.Pieces[0].Pin = []NodeID{3} }, `piece "p0" is pinned to node 3 of 2`},
		{func(p *Problem) { p.Values[0].Stay = []NodeID{-1} }, `value "v0" is tied to node -1 of 2`},
		{func(p *Problem) {
			p.Pieces[0].In, p.Pieces[1].In = []ValueID{2}, []ValueID{0}
		}, `piece "p0" reads value "v2" before it is made: a cycle`},
		{func(p *Problem) { p.Values[1].Consumers = nil }, `reads value "v1", which does not list it`},
		{func(p *Problem) { p.Values[1].Producer = 1 }, `names another producer`},
		{func(p *Problem) { p.Objective = "speed" }, `objective "speed"`},
		{func(p *Problem) { p.Limits.Loss = math.NaN() }, `limit on loss is NaN`},
	} {
		p := sound()
		c.break_(p)
		err := p.Validate()
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		for _, q := range Planners() {
			if _, err := q.Plan(context.Background(), p); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s takes a problem with %q: %v", q.Name(), c.want, err)
			}
		}
	}
	if err := sound().Validate(); err != nil {
		t.Error(err)
	}
}

func TestInfeasibleNamesTheConstraintAndByHowMuch(t *testing.T) {
	for _, c := range []struct {
		limit func(p *Problem)
		want  string
	}{
		{func(p *Problem) { p.Limits.Latency = 2 * time.Second }, "the limit on latency needs 4 s, has 2 s"},
		{func(p *Problem) { p.Nodes[0].Power, p.Nodes[1].Power, p.Limits.Energy = 2, 3, 1 }, "the limit on energy needs 8 J, has 1 J"},
		{func(p *Problem) { p.Pieces[1].Pin, p.Paths[0][1].Goodput = []NodeID{1}, 0 }, "no path carries value v0 from n0 to n1"},
		{func(p *Problem) { p.Pieces[0].Time = []float64{math.Inf(1), math.Inf(1)} }, "no node can and may run piece p0"},
		{func(p *Problem) {
			p.Pieces[0].Weights, p.Nodes[0].Memory, p.Nodes[1].Memory = 100, 60, 80
		}, "memory for piece p0 on any node that may run it needs 100 B, has 80 B"},
		{func(p *Problem) {
			p.Pieces[0].Weights, p.Nodes[0].Memory, p.Nodes[1].Memory = 1<<20+1, 1<<20, 1<<20
		}, "needs 1048577 bytes, has 1048576 bytes"},
	} {
		p := sound()
		c.limit(p)
		_, err := auto{}.Plan(context.Background(), p)
		var no *InfeasibleError
		if !errors.As(err, &no) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, q := range Planners() {
		if got, err := Lookup(q.Name()); err != nil || got.Name() != q.Name() {
			t.Errorf("%s: %v, %v", q.Name(), got, err)
		}
	}
	if q, err := Lookup(""); err != nil || q.Name() != "auto" {
		t.Errorf("the default is %v, %v", q, err)
	}
	if _, err := Lookup("oracle"); err == nil || !strings.Contains(err.Error(), "neurosurgeon") {
		t.Errorf("an unknown planner: %v", err)
	}
}
