package planner

import (
	"math"
	"strings"
)

// line is a problem seen as a chain of pieces in its order: what the systems assume that cut a model into contiguous shards. A
// value that skips over pieces is charged at every border that it crosses.
type line struct {
	in *instance
	// crossing are the values alive at each border: border i lies before piece i.
	crossing [][]ValueID
	// costs remembers move: wire seconds, then the longest delay, per (border, from, to); NaN where not yet worked out.
	costs [][2]float64
}

func newLine(in *instance) *line {
	l := &line{in: in, crossing: make([][]ValueID, in.pieces+1), costs: make([][2]float64, (in.pieces+1)*in.nodes*in.nodes)}
	for k := range l.costs {
		l.costs[k][0] = math.NaN()
	}
	for v := range in.p.Values {
		val := &in.p.Values[v]
		last := -1
		if n := len(val.Consumers); n > 0 {
			last = int(val.Consumers[n-1])
		}
		if val.Output {
			last = in.pieces
		}
		for i := int(val.Producer) + 1; i <= last; i++ {
			l.crossing[i] = append(l.crossing[i], ValueID(v))
		}
	}
	return l
}

// rawHop is the hop of v from a to b as it is: under its raw coding, or the first when it has none.
func (in *instance) rawHop(v ValueID, a, b NodeID) (hop, bool) {
	if len(in.p.Values[v].Codings) == 0 || in.p.Paths[a][b].Goodput == 0 {
		return hop{}, false
	}
	return in.way(v, a, b, rawCoding(in.p, v)), true
}

func rawCoding(p *Problem, v ValueID) int {
	for k, c := range p.Values[v].Codings {
		if name, _, _ := strings.Cut(c.Codec, ":"); name == "raw" {
			return k
		}
	}
	return 0
}

// move is the seconds for all values of border i from a to b, one after the other; with delay or without.
func (l *line) move(i int, a, b NodeID, delay bool) float64 {
	if a == b {
		return 0
	}
	c := &l.costs[(i*l.in.nodes+int(a))*l.in.nodes+int(b)]
	if math.IsNaN(c[0]) {
		c[0], c[1] = l.work(i, a, b)
	}
	if delay {
		return c[0] + c[1]
	}
	return c[0]
}

// work is the wire seconds of a border's values from a to b and their longest delay.
func (l *line) work(i int, a, b NodeID) (float64, float64) {
	t, most := 0.0, 0.0
	for _, v := range l.crossing[i] {
		if l.in.p.Values[v].Output && i == l.in.pieces && b != l.in.p.Sink {
			continue
		}
		h, ok := l.in.rawHop(v, a, b)
		if !ok {
			return inf, 0
		}
		t += h.wire
		most = max(most, h.delay)
	}
	return t, most
}

// rawCodings make every hop carry its value as it is.
func rawCodings(p *Problem) Codings {
	out := Codings{}
	for v := range p.Values {
		if len(p.Values[v].Codings) == 0 {
			continue
		}
		k := rawCoding(p, ValueID(v))
		for n := range p.Nodes {
			out[Hop{ValueID(v), NodeID(n)}] = k
		}
	}
	return out
}
