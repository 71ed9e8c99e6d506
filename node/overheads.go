package node

import (
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/transport"
)

const (
	// defaultOverhead is what a transfer is thought to cost beyond delay and bytes before one was timed.
	defaultOverhead = 300 * time.Microsecond
	// overheadGain is the weight of the newest transfer.
	overheadGain = 0.2
	// overheadHorizon is how long a transfer may be on the link for its overhead to be learned from: the rest of a longer one is
	// mostly the error of the goodput.
	overheadHorizon = 20 * time.Millisecond
	// overheadStep is how finely an overhead is told to others, so that noise spreads nothing.
	overheadStep = 250 * time.Microsecond
)

// overheads learns what a transfer over each path costs beyond its round trip and its bytes at the path's goodput: streams,
// headers, wake-ups on both sides, and what an estimate of goodput leaves out. It is safe for concurrent use.
type overheads struct {
	mu   sync.Mutex
	mean map[transport.PeerID]time.Duration // guarded by mu
}

func newOverheads() *overheads { return &overheads{mean: map[transport.PeerID]time.Duration{}} }

// note takes in a transfer that took so long where round trip and bytes account for expected. Transfers that put the path itself in
// doubt say nothing of its overhead.
func (o *overheads) note(id transport.PeerID, expected, took time.Duration) {
	if slow, quick := contradicts(expected, took); slow || quick {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	mean, ok := o.mean[id]
	if !ok {
		mean = defaultOverhead
	}
	// A transfer that was quicker than expected shows an estimate too low, and brings the mean down with it.
	o.mean[id] = max(0, mean+time.Duration(overheadGain*float64(took-expected-mean)))
}

// of is the overhead of the path to a peer.
func (o *overheads) of(id transport.PeerID) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if mean, ok := o.mean[id]; ok {
		return mean
	}
	return defaultOverhead
}
