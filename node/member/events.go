package member

import (
	"context"
	"sync"

	"github.com/cleave-mesh/cleave/transport"
)

// EventQueue is how many events wait for a slow reader.
const EventQueue = 4096

// EventKind says what happened. Append only.
type EventKind uint8

// What can happen.
const (
	NodeJoined    EventKind = 1
	NodeUpdated   EventKind = 2 // name or addresses
	NodeFailed    EventKind = 3
	NodeLeft      EventKind = 4
	NodeForgotten EventKind = 5 // gone for so long that nothing is kept of it
	RecordChanged EventKind = 6 // Key says which record of Node
	Lagged        EventKind = 7 // events were dropped: read Nodes and Records afresh
	NodeEvicted   EventKind = 8 // credentials hold one more revocation: save them
)

var eventNames = [...]string{"", "joined", "updated", "failed", "left", "forgotten", "record changed", "lagged", "evicted"}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown event"
}

// Event is something that happened to a node or a record.
type Event struct {
	Kind EventKind
	Node transport.PeerID
	Key  string
}

// eventQueue hands events on without blocking who reports them.
type eventQueue struct {
	out  chan Event
	wake chan struct{}

	mu   sync.Mutex
	list []Event
}

func newEventQueue() *eventQueue {
	return &eventQueue{out: make(chan Event), wake: make(chan struct{}, 1)}
}

func (q *eventQueue) put(e Event) {
	q.mu.Lock()
	if len(q.list) >= EventQueue {
		q.list = append(q.list[:0], Event{Kind: Lagged})
	}
	q.list = append(q.list, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) take() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return Event{}, false
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
