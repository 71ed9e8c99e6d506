package member

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// Timing sets how fast gossip notices and tells.
type Timing struct {
	ProbeInterval, ProbeTimeout time.Duration
	SuspicionMult, MaxSuspicion int
	GossipInterval              time.Duration
	GossipNodes                 int
	PushPull                    time.Duration
	Stream                      time.Duration // one exchange on a stream
	Entropy                     time.Duration // between exchanges of record digests with a random node
	Reconnect                   time.Duration // between attempts to reach a failed node again
	Forget                      time.Duration // how long a failed node is remembered
}

// LAN suits nodes within some milliseconds of each other: a dead one of a hundred is known everywhere within five seconds.
func LAN() Timing {
	return Timing{
		ProbeInterval: 400 * time.Millisecond, ProbeTimeout: 150 * time.Millisecond, SuspicionMult: 3, MaxSuspicion: 2,
		GossipInterval: 100 * time.Millisecond, GossipNodes: 6, PushPull: 60 * time.Second, Stream: 5 * time.Second,
		Entropy: 2 * time.Second, Reconnect: 5 * time.Second, Forget: 10 * time.Minute,
	}
}

// WAN suits nodes up to some hundred milliseconds apart, over relays and lossy links.
func WAN() Timing {
	return Timing{
		ProbeInterval: 2 * time.Second, ProbeTimeout: time.Second, SuspicionMult: 4, MaxSuspicion: 4,
		GossipInterval: 300 * time.Millisecond, GossipNodes: 4, PushPull: 45 * time.Second, Stream: 20 * time.Second,
		Entropy: 10 * time.Second, Reconnect: 20 * time.Second, Forget: time.Hour,
	}
}

// apply writes the timing into memberlist's configuration.
func (t Timing) apply(c *memberlist.Config) {
	c.ProbeInterval, c.ProbeTimeout = t.ProbeInterval, t.ProbeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = t.SuspicionMult, t.MaxSuspicion
	c.GossipInterval, c.GossipNodes = t.GossipInterval, t.GossipNodes
	c.PushPullInterval, c.TCPTimeout = t.PushPull, t.Stream
	c.GossipToTheDeadTime = 30 * time.Second
}
