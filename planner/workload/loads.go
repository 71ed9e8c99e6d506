package workload

import (
	"math"

	"github.com/cleave-mesh/cleave/planner/maxflow"
)

// loads finds the least load of an accelerator that holds some blocks and not others. That is a minimum cut, since the load is the
// blocks' times and the cost of every output whose maker and readers are divided.
type loads struct {
	f    *maxflow.Network
	n    int       // blocks; the source is vertex n, the target n+1
	in   []int     // edge from the source to each block
	out  []int     // edge from each block to the target
	base []float64 // residual capacities before any flow
	kept []float64 // and after the last least
}

func newLoads(p *pricer) *loads {
	n := len(p.g.blocks)
	l := &loads{n: n, f: maxflow.New(n+2, 2*n+4*len(p.nets))}
	for v := range n {
		l.in = append(l.in, l.f.Edge(n, v, 0, 0))
		l.out = append(l.out, l.f.Edge(v, n+1, p.g.blocks[v].accelerator, 0))
	}
	for _, x := range p.nets {
		if len(x.blocks) == 2 {
			l.f.Edge(x.blocks[0], x.blocks[1], x.cost, x.cost)
			continue
		}
		a, z := l.f.Vertex(), l.f.Vertex()
		l.f.Edge(a, z, x.cost, 0)
		for _, v := range x.blocks {
			l.f.Edge(v, a, math.Inf(1), 0)
			l.f.Edge(z, v, math.Inf(1), 0)
		}
	}
	l.base = l.f.Save(nil)
	return l
}

// least is the least load of a set that has the blocks of in and none of out. set returns it.
func (l *loads) least(in, out set) float64 {
	l.f.Restore(l.base)
	in.each(func(v int) { l.f.Raise(l.in[v], math.Inf(1)) })
	out.each(func(v int) { l.f.Raise(l.out[v], math.Inf(1)) })
	load := l.f.Run(l.n, l.n+1)
	l.kept = l.f.Save(l.kept[:0])
	return load
}

// with is how much the last least load grows when v is in as well, exact and followed by set when it is at most enough.
func (l *loads) with(v int, enough float64) float64 { return l.more(l.in[v], enough) }

// without is how much the last least load grows when v is out as well.
func (l *loads) without(v int, enough float64) float64 { return l.more(l.out[v], enough) }

func (l *loads) more(edge int, enough float64) float64 {
	l.f.Restore(l.kept)
	l.f.Raise(edge, math.Inf(1))
	return l.f.RunTo(l.n, l.n+1, enough)
}

// set is the smallest set of the least load last found.
func (l *loads) set() set {
	s := newSet(l.n)
	for v := range l.n {
		if l.f.Side(v) {
			s.add(v)
		}
	}
	return s
}
