package sim

import (
	"math"
	"time"
)

// Constants of the network model.
const (
	// PayloadShare is the part of a link's rate that is left for payload: a QUIC packet of 1,280 bytes carries 1,248 of a
	// stream, and 28 of UDP and IP come on top.
	PayloadShare = 1248.0 / 1308
	// InitialWindow is what a new connection may send before the first acknowledgement: 32 packets, quic-go's own.
	InitialWindow = 32 * segment
	// segment is the payload of one packet in bytes.
	segment = 1248
)

// network carries flows over wires. Rates are max-min fair: all flows of a wire grow together until the wire is full or a
// flow is held back elsewhere (progressive filling, Bertsekas and Gallager). Each directed pair of nodes has one
// connection, whose congestion window holds all its flows back together: see connection.
type network struct {
	clock *clock
	wires []*wire
	flows []*flow
	conns map[pair]*connection
	// since is when the flows' progress was last brought up to date; next is the alarm for the next change.
	since time.Duration
	next  *alarm
}

// pair is a directed pair of nodes.
type pair struct{ from, to int }

// wire is one direction of a link.
type wire struct {
	rate  float64 // payload bytes per second
	delay time.Duration
	loss  float64
	queue float64 // bytes
	// jitter is the standard deviation of the one-way delay.
	jitter time.Duration

	share   float64 // left during a fill
	waiting int     // flows not fixed yet during a fill
	carried float64 // payload bytes so far
	active  bool    // something moves on it until the next change
	busy    time.Duration
}

// flow is one value, or one burst of bytes, on its way.
type flow struct {
	conn  *connection
	route []*wire
	left  float64 // bytes
	rate  float64 // bytes per second, at present
	fixed bool    // during a fill
	done  func()
}

func newNetwork(c *clock) *network { return &network{clock: c, conns: map[pair]*connection{}} }

// send starts a flow of a number of bytes over a route; done is called when the last byte has left. It returns the flow,
// for abort.
func (n *network) send(p pair, route []*wire, bytes float64, done func()) *flow {
	n.advance()
	conn := n.conns[p]
	if conn == nil {
		conn = &connection{window: InitialWindow, credit: InitialWindow}
		n.conns[p] = conn
	}
	conn.refresh(n.clock.now, route)
	lost := 0.0
	for _, w := range route {
		lost = 1 - (1-lost)*(1-w.loss)
	}
	f := &flow{conn: conn, route: route, left: max(1, bytes/(1-lost)), done: done}
	n.flows = append(n.flows, f)
	conn.flows++
	n.settle()
	return f
}

// abort ends a flow without calling done.
func (n *network) abort(f *flow) {
	n.advance()
	n.remove(f)
	n.settle()
}

// change lets do alter wires or connections, and works the rates out anew.
func (n *network) change(do func()) {
	n.advance()
	do()
	n.settle()
}

// forget closes the connections of a node: what comes after starts with a new window.
func (n *network) forget(node int) {
	for p := range n.conns {
		if p.from == node || p.to == node {
			delete(n.conns, p)
		}
	}
}

func (n *network) remove(f *flow) {
	for i, g := range n.flows {
		if g == f {
			n.flows = append(n.flows[:i], n.flows[i+1:]...)
			f.conn.flows--
			return
		}
	}
}

// advance brings every flow and window up to the present.
func (n *network) advance() {
	dt := n.clock.now - n.since
	n.since = n.clock.now
	if dt <= 0 {
		return
	}
	for _, f := range n.flows {
		sent := f.rate * dt.Seconds()
		f.left -= sent
		f.conn.spend(sent)
		for _, w := range f.route {
			w.carried += sent
		}
	}
	for _, w := range n.wires {
		if w.active {
			w.busy += dt
		}
	}
}

// settle ends finished flows, shares the wires out anew, and sets the alarm for the next change.
func (n *network) settle() {
	var ended []*flow
	for i := 0; i < len(n.flows); {
		if f := n.flows[i]; f.left < 0.5 {
			n.remove(f)
			ended = append(ended, f)
			continue
		}
		i++
	}
	for _, f := range n.flows {
		f.conn.refresh(n.clock.now, f.route)
	}
	n.fill()
	n.clock.cancel(n.next)
	n.next = nil
	if at, ok := n.soonest(); ok {
		n.next = n.clock.at(at, func() {
			n.next = nil
			n.advance()
			n.settle()
		})
	}
	for _, f := range ended {
		n.clock.after(0, f.done)
	}
}

// fill gives every flow its max-min fair rate.
func (n *network) fill() {
	for _, w := range n.wires {
		w.share, w.waiting, w.active = w.rate, 0, false
	}
	open := 0
	for _, f := range n.flows {
		f.fixed, f.rate = f.conn.blocked(), 0
		if f.fixed {
			continue
		}
		open++
		for _, w := range f.route {
			w.waiting++
		}
	}
	for open > 0 {
		least := math.Inf(1)
		var narrow *wire
		for _, w := range n.wires {
			if w.waiting > 0 && w.share/float64(w.waiting) < least {
				least, narrow = w.share/float64(w.waiting), w
			}
		}
		for _, f := range n.flows {
			if f.fixed || narrow != nil && !f.crosses(narrow) {
				continue
			}
			f.fixed, f.rate = true, max(0, least)
			open--
			for _, w := range f.route {
				w.share -= least
				w.waiting--
			}
		}
	}
	for _, f := range n.flows {
		for _, w := range f.route {
			w.active = w.active || f.rate > 0
		}
	}
}

func (f *flow) crosses(w *wire) bool {
	for _, v := range f.route {
		if v == w {
			return true
		}
	}
	return false
}

// soonest is when the next flow ends, window closes or window opens.
func (n *network) soonest() (time.Duration, bool) {
	first := math.Inf(1)
	pace := map[*connection]float64{}
	for _, f := range n.flows {
		pace[f.conn] += f.rate
		if f.rate > 0 {
			first = min(first, f.left/f.rate)
		}
	}
	for _, f := range n.flows {
		first = min(first, f.conn.until(n.clock.now, pace[f.conn]))
	}
	if math.IsInf(first, 1) || first > float64(math.MaxInt64)/float64(time.Second)/4 {
		return 0, false
	}
	return n.clock.now + max(1, time.Duration(math.Ceil(first*float64(time.Second)))), true
}
