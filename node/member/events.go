package member

import "github.com/cleave-mesh/cleave/transport"

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

// lag is what remains of events that nobody has read in time.
func lag(waiting []Event) []Event { return append(waiting[:0], Event{Kind: Lagged}) }
