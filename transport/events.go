package transport

import "time"

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

// report tells the reader of PeerEvents, without waiting for it.
func (h *Host) report(e PeerEvent) {
	e.Time = time.Now()
	h.events.Put(e)
}
