package shape

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// HeaderBytes is what a UDP/IPv4 packet adds to its payload; rates count it, as links do.
const HeaderBytes = 28

// defaultQueueTime sizes a queue that no one gave a size: the bytes that the link carries in this time, and the round trip.
const defaultQueueTime = 20 * time.Millisecond

// minQueue is the smallest default queue, in bytes.
const minQueue = 64 << 10

// Link is one directed link.
type Link struct {
	// Rate is bits per second on the wire, headers included; 0 means unlimited.
	Rate float64
	// Delay is the one-way delay beyond serialisation and queueing.
	Delay time.Duration
	// Jitter is the standard deviation of the delay (normal, never below zero). Packets keep their order.
	Jitter time.Duration
	// Loss is the probability that a packet is lost, each by itself. Ignored when Burst is set.
	Loss float64
	// Burst makes losses come in bursts; nil means that Loss applies.
	Burst *GilbertElliott
	// Reorder is the probability that a packet skips the jitter and the order: it arrives after Delay/2.
	Reorder float64
	// Queue is the bytes that may wait for the link; a packet that does not fit is dropped. 0 means what Rate carries in
	// 20 ms and twice the Delay, at least 64 KiB.
	Queue int
	// Trace varies the rate over time; nil means that Rate is constant.
	Trace *Trace
}

// GilbertElliott is the two-state model of bursty loss (Gilbert 1960, Elliott 1963). Each packet first moves the state.
type GilbertElliott struct {
	GoodToBad, BadToGood float64 // probabilities of a change, per packet
	LossGood, LossBad    float64 // probabilities of loss in each state
}

// ErrLink is wrapped by every complaint about a link's numbers.
var ErrLink = errors.New("invalid link")

// Validate names the first number that makes no sense.
func (l Link) Validate() error {
	switch {
	case l.Rate < 0 || math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0):
		return fmt.Errorf("rate %g bit/s: %w", l.Rate, ErrLink)
	case l.Delay < 0 || l.Jitter < 0:
		return fmt.Errorf("delay %v, jitter %v: %w", l.Delay, l.Jitter, ErrLink)
	case !probability(l.Loss) || !probability(l.Reorder):
		return fmt.Errorf("loss %g, reorder %g: want 0 to 1: %w", l.Loss, l.Reorder, ErrLink)
	case l.Queue < 0:
		return fmt.Errorf("queue of %d bytes: %w", l.Queue, ErrLink)
	}
	if b := l.Burst; b != nil {
		for _, p := range []float64{b.GoodToBad, b.BadToGood, b.LossGood, b.LossBad} {
			if !probability(p) {
				return fmt.Errorf("burst probability %g: want 0 to 1: %w", p, ErrLink)
			}
		}
	}
	return nil
}

func probability(p float64) bool { return p >= 0 && p <= 1 }

// queue is the bound in bytes that holds at the given rate.
func (l *Link) queue(rate float64) int {
	if l.Queue > 0 {
		return l.Queue
	}
	return max(minQueue, int(rate/8*(2*l.Delay+defaultQueueTime).Seconds()))
}

// Stats counts what a link did. Bytes include headers.
type Stats struct {
	Packets, Bytes     uint64 // delivered to the socket
	Lost               uint64 // packets dropped by random loss
	Overflow           uint64 // packets dropped because the queue was full
	MaxQueue           int    // most bytes that ever waited
	MaxLate            time.Duration
	QueueTime, BusyFor time.Duration // sums over packets: waiting for the link, and on the link
}
