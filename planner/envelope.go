package planner

import (
	"math"
	"time"
)

// Envelope is the best two-way plan for every goodput and round-trip time in a range. For a given cut and codings the sum of compute
// and hops is a plane over (1/goodput, rtt); the least sum is the lower envelope of planes. All planes of the envelope are found
// by asking the minimum cut at the envelope's own vertices until none is lower there (Eisner and Severance 1976, in two
// dimensions): the least sum is concave, so that planes which agree with it at every vertex agree everywhere.
//
// It is read-only and safe for concurrent use.
type Envelope struct {
	Device, Cloud NodeID
	// Back is the goodput from Cloud to Device relative to that from Device to Cloud, as the problem has it.
	Back float64
	Cuts []EnvelopeCut
	// Complete says that no plane is missing: it is false only when there are more than a table may hold.
	Complete bool
	// Solves counts the minimum cuts that were needed.
	Solves int
}

// EnvelopeCut is one plane.
type EnvelopeCut struct {
	Place   []NodeID
	Codings Codings
	// Fixed seconds, Bytes there and back (these divided by Envelope.Back), and one-way delays: the sum is
	// Fixed + Bytes/goodput + Delays*rtt/2.
	Fixed  float64
	Bytes  float64
	Delays int
}

// Seconds is the cut's sum at a goodput (bytes per second) and a round-trip time.
func (c *EnvelopeCut) Seconds(goodput float64, rtt time.Duration) float64 {
	return c.Fixed + c.Bytes/goodput + float64(c.Delays)*rtt.Seconds()/2
}

// maxEnvelope is the most planes that are looked for; finding vertices takes time with its fourth power.
const maxEnvelope = 96

// NewEnvelope prepares all plans between the source and one other node for goodputs from least to most (bytes per second, from the source)
// and round-trip times up to rtt; both directions of the path change together. The paths' overheads, the ratio of their goodputs and the
// values' codings are the problem's.
func NewEnvelope(p *Problem, cloud NodeID, least, most float64, rtt time.Duration) (*Envelope, error) {
	switch {
	case !p.hasNode(cloud) || cloud == p.Source:
		return nil, invalid("an envelope is between the source and another node, not node %d", cloud)
	case !finite(least) || !finite(most) || least <= 0 || most < least || rtt < 0:
		return nil, invalid("goodput from %v to %v, round trips up to %v", least, most, rtt)
	}
	back := p.Paths[cloud][p.Source].Goodput / p.Paths[p.Source][cloud].Goodput
	if !finite(back) || back <= 0 {
		return nil, invalid("an envelope needs a path both ways between %q and %q", p.Nodes[p.Source].Name, p.Nodes[cloud].Name)
	}
	e := &Envelope{Device: p.Source, Cloud: cloud, Back: back}
	b := &envelopeBuilder{e: e, p: p, x: [2]float64{1 / most, 1 / least}, r: rtt.Seconds()}
	return e, b.build()
}

// At is the best cut for a goodput and a round-trip time. It costs a few nanoseconds per plane and does not allocate.
func (e *Envelope) At(goodput float64, rtt time.Duration) *EnvelopeCut {
	x, r := 1/goodput, rtt.Seconds()/2
	best, least := 0, math.Inf(1)
	for k := range e.Cuts {
		c := &e.Cuts[k]
		if t := c.Fixed + c.Bytes*x + float64(c.Delays)*r; t < least {
			best, least = k, t
		}
	}
	return &e.Cuts[best]
}

type envelopeBuilder struct {
	e *Envelope
	p *Problem
	x [2]float64 // 1/goodput
	r float64    // rtt
}

// point is (1/goodput, rtt).
type point struct{ x, r float64 }

func (b *envelopeBuilder) build() error {
	checked := map[point]bool{}
	for {
		fresh := false
		b.e.Complete = true
		for _, at := range b.vertices() {
			if checked[at] {
				continue
			}
			checked[at] = true
			cut, err := b.solve(at)
			if err != nil {
				return err
			}
			if have := b.value(at); len(b.e.Cuts) == 0 || cut.at(at) < have-1e-12*math.Abs(have) {
				if len(b.e.Cuts) == maxEnvelope {
					b.e.Complete = false
					continue
				}
				b.e.Cuts = append(b.e.Cuts, *cut)
				fresh = true
				break
			}
		}
		if !fresh {
			return nil
		}
	}
}

func (c *EnvelopeCut) at(q point) float64 { return c.Fixed + c.Bytes*q.x + float64(c.Delays)*q.r/2 }

// value is the envelope so far.
func (b *envelopeBuilder) value(q point) float64 {
	least := inf
	for k := range b.e.Cuts {
		least = min(least, b.e.Cuts[k].at(q))
	}
	return least
}

// vertices are the corners of the range and the envelope's own vertices inside and on the border.
func (b *envelopeBuilder) vertices() []point {
	out := []point{{b.x[0], 0}, {b.x[1], 0}, {b.x[0], b.r}, {b.x[1], b.r}}
	keep := func(q point, on float64) {
		slack := 1e-9 * (b.x[1] - b.x[0])
		if q.x < b.x[0]-slack || q.x > b.x[1]+slack || q.r < -1e-12 || q.r > b.r*(1+1e-12) || math.IsNaN(q.x+q.r) {
			return
		}
		if v := b.value(q); on <= v+1e-9*math.Abs(v) {
			out = append(out, q)
		}
	}
	cuts := b.e.Cuts
	for i := range cuts {
		for j := range i {
			// Where planes i and j meet: da + db*x + dc*r/2 = 0.
			da, db, dc := cuts[i].Fixed-cuts[j].Fixed, cuts[i].Bytes-cuts[j].Bytes, float64(cuts[i].Delays-cuts[j].Delays)/2
			for _, x := range b.x {
				if q := (point{x, -(da + db*x) / dc}); dc != 0 {
					keep(q, cuts[i].at(q))
				}
			}
			for _, r := range []float64{0, b.r} {
				if q := (point{-(da + dc*r) / db, r}); db != 0 {
					keep(q, cuts[i].at(q))
				}
			}
			for k := range j {
				ea, eb, ec := cuts[i].Fixed-cuts[k].Fixed, cuts[i].Bytes-cuts[k].Bytes, float64(cuts[i].Delays-cuts[k].Delays)/2
				det := db*ec - dc*eb
				if det == 0 {
					continue
				}
				q := point{(dc*ea - da*ec) / det, (da*eb - db*ea) / det}
				keep(q, cuts[i].at(q))
			}
		}
	}
	return out
}

// solve is the minimum cut at one point, as a plane.
func (b *envelopeBuilder) solve(q point) (*EnvelopeCut, error) {
	b.e.Solves++
	p := *b.p
	p.Objective = Latency
	p.Paths = make([][]Path, len(b.p.Paths))
	for n := range p.Paths {
		p.Paths[n] = append([]Path(nil), b.p.Paths[n]...)
	}
	for _, w := range []*Path{&p.Paths[b.e.Device][b.e.Cloud], &p.Paths[b.e.Cloud][b.e.Device]} {
		w.Goodput, w.RTT = 1/q.x, time.Duration(q.r*1e9)
	}
	p.Paths[b.e.Cloud][b.e.Device].Goodput *= b.e.Back
	in, err := newInstance(&p)
	if err != nil {
		return nil, err
	}
	place, sum := in.cutBetween(b.e.Device, b.e.Cloud, true)
	if sum == inf {
		return nil, &InfeasibleError{Constraint: "there is no cut between " + p.Nodes[b.e.Device].Name + " and " + p.Nodes[b.e.Cloud].Name}
	}
	return in.plane(place, q.x), nil
}

// plane is a placement's sum as a plane, every hop under the coding that is best at this instance's paths, on which a byte from the source
// takes x seconds.
func (in *instance) plane(place []NodeID, x float64) *EnvelopeCut {
	c := &EnvelopeCut{Place: place, Codings: Codings{}}
	for i, n := range place {
		c.Fixed += in.cost(i, n)
	}
	for v := range in.p.Values {
		val := &in.p.Values[v]
		here := map[NodeID]bool{}
		origin := NodeID(-1)
		if val.Producer == External {
			for _, n := range in.at(ValueID(v)) {
				here[n] = true
			}
		} else {
			origin = place[val.Producer]
			here[origin] = true
		}
		bring := func(n NodeID) {
			if here[n] {
				return
			}
			here[n] = true
			o := in.options(ValueID(v), origin, n)
			if len(o) == 0 {
				c.Fixed = inf
				return
			}
			h := &o[0].hop
			c.Codings[Hop{ValueID(v), n}] = h.coding
			c.Fixed += h.encode + h.decode + in.p.Paths[o[0].from][n].Overhead
			c.Bytes += float64(h.bytes) / (in.p.Paths[o[0].from][n].Goodput * x)
			c.Delays++
		}
		for _, r := range val.Consumers {
			bring(place[r])
		}
		if val.Output {
			bring(in.p.Sink)
		}
	}
	return c
}
