package node

import (
	"sync"

	"github.com/cleave-mesh/cleave/node/session"
)

// maxEnded is how many requests that ended a node remembers, so that what comes late does not begin them anew.
const maxEnded = 4096

// flightTable holds the requests in which this node takes part. It is safe for concurrent use.
type flightTable struct {
	loops sync.WaitGroup

	mu     sync.Mutex
	active map[requestID]*flight       // guarded by mu
	over   map[requestID]session.Epoch // guarded by mu
	order  []requestID                 // guarded by mu; of over, oldest first
	closed bool                        // guarded by mu
}

func newFlightTable() *flightTable {
	return &flightTable{active: map[requestID]*flight{}, over: map[requestID]session.Epoch{}}
}

// start registers a flight and runs its loop; false when the node stops.
func (t *flightTable) start(f *flight) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.startLocked(f)
}

func (t *flightTable) startLocked(f *flight) bool {
	if t.closed {
		f.stop()
		return false
	}
	t.active[f.id] = f
	t.loops.Add(1)
	go func() {
		defer t.loops.Done()
		f.run()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.active[f.id] == f {
			delete(t.active, f.id)
		}
	}()
	return true
}

// deliver hands a letter to the request's flight and begins one where there is none.
func (t *flightTable) deliver(n *Node, id requestID, fr *frameHere, l letter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.active[id]; ok && f.mail.put(l) {
		return
	}
	f := newFlight(n, id, fr)
	f.mail.put(l)
	t.startLocked(f)
}

// deliverKnown hands a letter to the request's flight, if there is one.
func (t *flightTable) deliverKnown(id requestID, l letter) {
	t.mu.Lock()
	f := t.active[id]
	t.mu.Unlock()
	if f != nil {
		f.mail.put(l)
	}
}

// each calls fn for every flight.
func (t *flightTable) each(fn func(*flight)) {
	t.mu.Lock()
	all := make([]*flight, 0, len(t.active))
	for _, f := range t.active {
		all = append(all, f)
	}
	t.mu.Unlock()
	for _, f := range all {
		fn(f)
	}
}

// ended remembers that a request is over up to an epoch.
func (t *flightTable) ended(id requestID, e session.Epoch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, ok := t.over[id]
	t.over[id] = max(old, e)
	if ok {
		return
	}
	if t.order = append(t.order, id); len(t.order) > maxEnded {
		delete(t.over, t.order[0])
		t.order = t.order[1:]
	}
}

// endedAt is the epoch up to which a request is over; 0 when it is not.
func (t *flightTable) endedAt(id requestID) session.Epoch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over[id]
}

// close refuses new flights and waits for those under way; the node's context has ended before.
func (t *flightTable) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.loops.Wait()
}
