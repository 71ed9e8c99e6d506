package sim

import (
	"math"
	"time"
)

// connection is the congestion window of a directed pair of nodes, in rounds of one round trip. In a round it may send
// its window at whatever rate the wires give; when the window is spent, it waits for the round to end. A round that spent
// its window doubles it (slow start), up to what the wires and their buffer hold, or what loss allows: the square-root
// law of Mathis et al. (1997), segment * sqrt(3/2 / loss). Windows stay as they are through idle times.
//
// What this leaves out: the sawtooth after a loss, delay in the bottleneck's standing queue, and the pause of a timeout
// when the last packets of a value are lost.
type connection struct {
	window float64 // bytes
	credit float64 // what is left of it in this round
	spent  bool    // the round used up its window
	round  time.Duration
	end    time.Duration // of the round; 0 before the first
	limit  float64       // most bytes of window
	flows  int
	frozen int // ends that do not move
}

// refresh begins a new round when the last one is over.
func (c *connection) refresh(now time.Duration, route []*wire) {
	c.round, c.limit = 0, math.Inf(1)
	rate, queue, kept := math.Inf(1), 0.0, 1.0
	for _, w := range route {
		c.round += 2 * w.delay
		kept *= 1 - w.loss
		if w.rate < rate {
			rate, queue = w.rate, w.queue
		}
	}
	c.limit = max(2*segment, rate*c.round.Seconds()+queue)
	if kept < 1 {
		c.limit = max(2*segment, min(c.limit, segment*math.Sqrt(1.5/(1-kept))))
	}
	c.window = min(c.window, c.limit)
	if now < c.end {
		return
	}
	if c.spent {
		c.window = min(2*c.window, c.limit)
	}
	c.spent, c.credit, c.end = false, c.window, now+c.round
}

func (c *connection) spend(bytes float64) {
	c.credit -= bytes
	if c.credit < 0.5 {
		c.spent = true
	}
}

// blocked reports whether nothing can be sent now. Without a round-trip time there is nothing to wait for.
func (c *connection) blocked() bool {
	return c.frozen > 0 || c.round > 0 && c.spent
}

// until is the seconds until the window is spent at a pace, or the round ends.
func (c *connection) until(now time.Duration, pace float64) float64 {
	if c.frozen > 0 || c.round == 0 {
		return math.Inf(1)
	}
	left := max(0, (c.end - now).Seconds())
	if !c.spent && pace > 0 {
		return min(left, c.credit/pace)
	}
	return left
}
