package planner

import (
	"fmt"
	"math"
	"slices"
)

// MaxPieces, MaxValues and MaxNodes bound what Validate accepts, so that a hostile problem cannot exhaust a solver's memory.
const (
	MaxPieces = 1 << 16
	MaxValues = 1 << 18
	MaxNodes  = 256
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func unsuited(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsuited, fmt.Sprintf(format, args...))
}

// Validate names the first thing that is wrong with the problem: missing, negative or NaN costs, ids out of range, a value
// that is used before it is made (a cycle), a limit below zero. Its error wraps ErrInvalid.
func (p *Problem) Validate() error {
	if len(p.Nodes) == 0 {
		return invalid("no nodes")
	}
	if len(p.Nodes) > MaxNodes || len(p.Pieces) > MaxPieces || len(p.Values) > MaxValues {
		return invalid("%d nodes, %d pieces, %d values; at most %d, %d, %d are taken",
			len(p.Nodes), len(p.Pieces), len(p.Values), MaxNodes, MaxPieces, MaxValues)
	}
	for _, check := range []func() error{p.checkNodes, p.checkPaths, p.checkPieces, p.checkValues, p.checkLimits} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Problem) checkNodes() error {
	seen := map[string]bool{}
	for i, n := range p.Nodes {
		if n.Name == "" {
			return invalid("node %d has no name", i)
		}
		if seen[n.Name] {
			return invalid("two nodes are named %q", n.Name)
		}
		seen[n.Name] = true
		for _, q := range []struct {
			what string
			v    float64
		}{{"speed", n.Speed}, {"load", n.Load}, {"power", n.Power}, {"price", n.Price}, {"memory", float64(n.Memory)}} {
			if !finite(q.v) || q.v < 0 {
				return invalid("node %q: %s is %v", n.Name, q.what, q.v)
			}
		}
		if n.Load >= 1 {
			return invalid("node %q: load is %v, not below 1", n.Name, n.Load)
		}
	}
	for what, n := range map[string]NodeID{"source": p.Source, "sink": p.Sink} {
		if !p.hasNode(n) {
			return invalid("the %s is node %d of %d", what, n, len(p.Nodes))
		}
	}
	return nil
}

func (p *Problem) checkPaths() error {
	if len(p.Paths) != len(p.Nodes) {
		return invalid("paths from %d nodes, but there are %d nodes", len(p.Paths), len(p.Nodes))
	}
	for a := range p.Paths {
		if len(p.Paths[a]) != len(p.Nodes) {
			return invalid("node %q has paths to %d nodes, but there are %d nodes", p.Nodes[a].Name, len(p.Paths[a]), len(p.Nodes))
		}
		for b, w := range p.Paths[a] {
			if a == b {
				continue
			}
			for _, q := range []struct {
				what string
				v    float64
			}{
				{"round-trip time", w.RTT.Seconds()},
				{"goodput", w.Goodput},
				{"jitter", w.Jitter.Seconds()},
				{"spread", w.Spread},
				{"overhead", w.Overhead},
				{"energy", w.Energy},
			} {
				if !finite(q.v) || q.v < 0 {
					return invalid("path %q to %q: %s is %v", p.Nodes[a].Name, p.Nodes[b].Name, q.what, q.v)
				}
			}
		}
	}
	return nil
}

func (p *Problem) checkPieces() error {
	for i, c := range p.Pieces {
		if len(c.Time) != len(p.Nodes) {
			return invalid("piece %q has times on %d nodes, but there are %d nodes", c.Name, len(c.Time), len(p.Nodes))
		}
		for n, t := range c.Time {
			if math.IsNaN(t) || t < 0 {
				return invalid("piece %q: time on node %q is %v", c.Name, p.Nodes[n].Name, t)
			}
		}
		if c.Backend != nil && len(c.Backend) != len(p.Nodes) {
			return invalid("piece %q names backends of %d nodes, but there are %d nodes", c.Name, len(c.Backend), len(p.Nodes))
		}
		if c.Weights < 0 || c.Work < 0 {
			return invalid("piece %q: weights %d bytes, work %d bytes", c.Name, c.Weights, c.Work)
		}
		for _, n := range c.Pin {
			if !p.hasNode(n) {
				return invalid("piece %q is pinned to node %d of %d", c.Name, n, len(p.Nodes))
			}
		}
		for _, v := range slices.Concat(c.In, c.Out) {
			if v < 0 || int(v) >= len(p.Values) {
				return invalid("piece %q uses value %d of %d", c.Name, v, len(p.Values))
			}
		}
		for k, v := range c.In {
			if slices.Contains(c.In[:k], v) {
				return invalid("piece %q lists value %q twice", c.Name, p.Values[v].Name)
			}
			val := &p.Values[v]
			if int(val.Producer) >= i {
				return invalid("piece %q reads value %q before it is made: a cycle, or pieces not in topological order", c.Name, val.Name)
			}
			if !slices.Contains(val.Consumers, PieceID(i)) {
				return invalid("piece %q reads value %q, which does not list it as a consumer", c.Name, val.Name)
			}
		}
		for k, v := range c.Out {
			if slices.Contains(c.Out[:k], v) || p.Values[v].Producer != PieceID(i) {
				return invalid("piece %q makes value %q, which names another producer or is listed twice", c.Name, p.Values[v].Name)
			}
		}
	}
	return nil
}

func (p *Problem) checkValues() error {
	for id, v := range p.Values {
		if v.Producer < External || int(v.Producer) >= len(p.Pieces) {
			return invalid("value %q is made by piece %d of %d", v.Name, v.Producer, len(p.Pieces))
		}
		if v.Producer >= 0 && !slices.Contains(p.Pieces[v.Producer].Out, ValueID(id)) {
			return invalid("value %q names piece %q as its producer, which does not list it", v.Name, p.Pieces[v.Producer].Name)
		}
		if !(v.Exit >= 0 && v.Exit < 1) || v.Exit > 0 && !v.Output {
			return invalid("value %q is an exit for a share of %v: it must be an output, and the share in (0, 1)", v.Name, v.Exit)
		}
		if v.Producer >= 0 && v.At != nil {
			return invalid("value %q is made by piece %q and yet lies at nodes already", v.Name, p.Pieces[v.Producer].Name)
		}
		for k, c := range v.Consumers {
			if c < 0 || int(c) >= len(p.Pieces) || (k > 0 && v.Consumers[k-1] >= c) {
				return invalid("value %q: consumers %v are not ascending pieces", v.Name, v.Consumers)
			}
			if !slices.Contains(p.Pieces[c].In, ValueID(id)) {
				return invalid("value %q lists piece %q, which does not read it", v.Name, p.Pieces[c].Name)
			}
		}
		for _, n := range slices.Concat(v.At, v.Stay) {
			if !p.hasNode(n) {
				return invalid("value %q is tied to node %d of %d", v.Name, n, len(p.Nodes))
			}
		}
		for _, c := range v.Codings {
			if c.Bytes < 0 || !finite(c.Encode) || c.Encode < 0 || !finite(c.Decode) || c.Decode < 0 || !finite(c.Loss) || c.Loss < 0 {
				return invalid("value %q, codec %q: %d bytes, encode %v s, decode %v s, loss %v", v.Name, c.Codec, c.Bytes, c.Encode, c.Decode, c.Loss)
			}
		}
	}
	return nil
}

func (p *Problem) checkLimits() error {
	switch p.Objective {
	case Latency, Throughput, Energy, Price:
	default:
		return invalid("objective %q is not one of latency, throughput, energy, price", p.Objective)
	}
	l := p.Limits
	for what, v := range map[string]float64{
		"latency": l.Latency.Seconds(), "period": l.Period.Seconds(), "energy": l.Energy, "price": l.Price, "loss": l.Loss, "stages": float64(l.Stages),
	} {
		if !finite(v) || v < 0 {
			return invalid("the limit on %s is %v", what, v)
		}
	}
	return nil
}

func (p *Problem) hasNode(n NodeID) bool { return n >= 0 && int(n) < len(p.Nodes) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
