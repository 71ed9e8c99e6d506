package transport

import (
	"context"
	"sync"
	"time"
)

// EventQueue is how many events wait for a slow reader before the oldest is dropped.
const EventQueue = 1024

// PeerEventKind says what happened to a peer. Append only.
type PeerEventKind uint8

// What can happen to a peer.
const (
	PeerConnected PeerEventKind = 1 // the first connection is up
	PeerLost      PeerEventKind = 2 // the last connection is down; Err says why
	PeerStalled   PeerEventKind = 3 // connected, but silent for Silence although it owes an answer: frozen, or cut off
	PeerRecovered PeerEventKind = 4 // a stalled peer answers again
	PeerChanged   PeerEventKind = 5 // the path's goodput or round-trip time changed
)

var peerEventNames = [...]string{"", "connected", "lost", "stalled", "recovered", "path changed"}

func (k PeerEventKind) String() string {
	if int(k) < len(peerEventNames) {
		return peerEventNames[k]
	}
	return "unknown event"
}

// PeerEvent is something that happened to a peer.
type PeerEvent struct {
	Kind    PeerEventKind
	Peer    PeerID
	Time    time.Time
	Silence time.Duration // PeerStalled: how long nothing has been heard
	Err     error         // PeerLost: why
}

// eventQueue hands events on without ever blocking who reports them.
type eventQueue struct {
	out  chan PeerEvent
	wake chan struct{}

	mu   sync.Mutex
	list []PeerEvent
}

func newEventQueue() *eventQueue {
	return &eventQueue{out: make(chan PeerEvent), wake: make(chan struct{}, 1)}
}

func (q *eventQueue) put(e PeerEvent) {
	e.Time = time.Now()
	q.mu.Lock()
	if len(q.list) == EventQueue {
		q.list = q.list[1:]
	}
	q.list = append(q.list, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) take() (PeerEvent, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return PeerEvent{}, false
	}
	e := q.list[0]
	q.list = q.list[1:]
	return e, true
}

// run moves events to the channel until ctx ends, and closes it.
func (q *eventQueue) run(ctx context.Context) {
	defer close(q.out)
	for {
		e, ok := q.take()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case q.out <- e:
		case <-ctx.Done():
			return
		}
	}
}
