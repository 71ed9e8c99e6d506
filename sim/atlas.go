package sim

import (
	"math"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
)

// atlas is the mesh as wires and routes.
type atlas struct {
	wires []*wire
	// links are the two wires of each topology link; the second is nil for a one-way link.
	links map[string][2]*wire
	// routes[a][b] are the wires from node a to node b; nil when there is no way.
	routes [][][]*wire
}

func newAtlas(t *topology.Topology) *atlas {
	index := map[string]int{}
	for i, n := range t.Nodes {
		index[n.Name] = i
	}
	m := &atlas{links: map[string][2]*wire{}, routes: make([][][]*wire, len(t.Nodes))}
	direct := map[pair]*wire{}
	for _, l := range t.Links {
		a, b := index[l.From], index[l.To]
		forth := newWire(l)
		m.wires = append(m.wires, forth)
		direct[pair{a, b}] = forth
		both := [2]*wire{forth}
		if !l.OneWay {
			both[1] = newWire(l)
			m.wires = append(m.wires, both[1])
			direct[pair{b, a}] = both[1]
		}
		m.links[l.Name] = both
	}
	for a := range t.Nodes {
		m.routes[a] = shortest(a, len(t.Nodes), direct)
	}
	return m
}

func newWire(l topology.Link) *wire {
	w := &wire{jitter: l.Jitter}
	rate := l.Bandwidth
	if l.Rates != nil {
		rate, _ = l.Rates.At(0)
	}
	w.setRate(rate)
	w.delay, w.loss = l.RTT/2, l.Loss
	w.queue = float64(l.Queue)
	if l.Queue == 0 {
		w.queue = max(float64(topology.MinQueue), w.rate*l.RTT.Seconds())
	}
	return w
}

// shortest are the routes from one node to all: a direct link where there is one, else the way of the least delay, and of
// the fewest links among equals.
func shortest(from, nodes int, direct map[pair]*wire) [][]*wire {
	const hop = time.Nanosecond // what a link counts beyond its delay
	dist := make([]time.Duration, nodes)
	routes := make([][]*wire, nodes)
	for i := range dist {
		dist[i] = math.MaxInt64
	}
	dist[from] = 0
	for range nodes {
		for a := range nodes {
			for b := range nodes {
				w := direct[pair{a, b}]
				if w == nil || dist[a] == math.MaxInt64 || b == from {
					continue
				}
				if d := dist[a] + w.delay + hop; d < dist[b] {
					dist[b] = d
					routes[b] = append(append([]*wire{}, routes[a]...), w)
				}
			}
		}
	}
	for b := range nodes {
		if w := direct[pair{from, b}]; w != nil {
			routes[b] = []*wire{w}
		}
	}
	return routes
}

// setRate takes a rate that counts headers.
func (w *wire) setRate(r topology.Rate) { w.rate = r.BytesPerSecond() * PayloadShare }

// degrade applies an event to both wires of its link.
func (m *atlas) degrade(e topology.Event) {
	for _, w := range m.links[e.Link] {
		if w == nil {
			continue
		}
		if e.Bandwidth != nil {
			w.setRate(*e.Bandwidth)
		}
		if e.RTT != nil {
			w.delay = *e.RTT / 2
		}
		if e.Loss != nil {
			w.loss = *e.Loss
		}
	}
}
