package transport

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// PathState is what is known of the directed path from this host to a peer.
type PathState struct {
	Peer      PeerID
	Connected bool
	// Relayed says that packets go through a relay.
	Relayed bool
	// Address is where the peer is reached; "" when not connected.
	Address string
	// RTT is QUIC's smoothed round-trip time, queueing included; MinRTT the least of the last ten seconds; Jitter the mean
	// deviation. 0 means unknown.
	RTT, MinRTT, Jitter time.Duration
	// Goodput is payload bytes per second that the path carries when it is kept busy; 0 means unknown. Spread is the standard
	// deviation of its samples relative to it.
	Goodput, Spread float64
	// Loss is the fraction of packets lost lately.
	Loss float64
	// Age is the time since the last sample of goodput.
	Age time.Duration
	// Confidence is 0 (nothing known) to 1 (several samples that agree, just now).
	Confidence float64
}

const (
	// rttBucket and rttBuckets make the window of MinRTT.
	rttBucket  = 500 * time.Millisecond
	rttBuckets = 20
	// goodputGain is the weight of a new sample.
	goodputGain = 0.25
	// outlier is the ratio to the estimate beyond which a sample speaks of a change rather than of noise, and outlierRun how
	// many in a row prove it.
	outlier    = 1.3
	outlierRun = 2
	// confidenceHalfLife is the age at which an estimate is worth half.
	confidenceHalfLife = 60 * time.Second
	// minTail is the fewest bytes whose timing says something of goodput.
	minTail = 24 << 10
	// lossWindow is how many packets the loss estimate looks back on.
	lossWindow = 2000
)

// estimator keeps one path's estimates. Safe for concurrent use.
type estimator struct {
	mu       sync.Mutex
	goodput  float64 // bytes per second
	variance float64 // of samples relative to goodput
	weight   float64 // samples that agree, capped
	last     time.Time
	run      int // consecutive outliers, signed by direction
	runMean  float64

	rtt, jitter time.Duration
	buckets     [rttBuckets]time.Duration
	bucketAt    [rttBuckets]int64

	win window

	sent, lost float64
	conn       *quic.Conn
	seenSent   uint64
	seenLost   uint64
}

func newEstimator() *estimator { return &estimator{} }

// sample takes a measured rate in bytes per second. A floor is a rate that the path carried at least: it can only raise the
// estimate. It reports whether the estimate jumped.
func (e *estimator) sample(rate float64, floor bool, now time.Time) bool {
	if !(rate > 0) || math.IsInf(rate, 0) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.goodput == 0 {
		e.goodput, e.weight, e.last = rate, 1, now
		if floor {
			e.weight = 0.5
		}
		return true
	}
	if floor && rate <= e.goodput {
		return false
	}
	ratio := rate / e.goodput
	switch {
	case ratio > outlier || ratio < 1/outlier:
		dir := 1
		if ratio < 1 {
			dir = -1
		}
		if e.run*dir < 0 || e.run == 0 {
			e.run, e.runMean = 0, 0
		}
		e.run += dir
		n := float64(e.run * dir)
		e.runMean += (rate - e.runMean) / n
		if e.run*dir < outlierRun && e.weight > 1 {
			e.last = now
			return false
		}
		e.goodput, e.variance, e.weight, e.run, e.last = e.runMean, 0, 1, 0, now
		return true
	default:
		e.run = 0
		dev := ratio - 1
		e.variance += goodputGain * (dev*dev - e.variance)
		e.goodput += goodputGain * (rate - e.goodput)
		e.weight = min(8, e.weight+1)
		e.last = now
		return false
	}
}

// observe reads QUIC's statistics of the connection in use.
func (e *estimator) observe(c *quic.Conn, now time.Time) {
	st := c.ConnectionStats()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rtt, e.jitter = st.SmoothedRTT, st.MeanDeviation
	e.noteRTT(st.LatestRTT, now)
	if e.conn != c {
		e.conn, e.seenSent, e.seenLost = c, 0, 0
	}
	e.sent += float64(st.PacketsSent - e.seenSent)
	if st.PacketsLost > e.seenLost { // it can fall, when a packet thought lost arrives
		e.lost += float64(st.PacketsLost - e.seenLost)
	} else {
		e.lost = max(0, e.lost-float64(e.seenLost-st.PacketsLost))
	}
	e.seenSent, e.seenLost = st.PacketsSent, st.PacketsLost
	if e.sent > lossWindow {
		e.lost *= lossWindow / e.sent
		e.sent = lossWindow
	}
}

// noteRTT adds a round trip to the window of the least one; e.mu is held.
func (e *estimator) noteRTT(d time.Duration, now time.Time) {
	if d <= 0 {
		return
	}
	at := now.UnixNano() / int64(rttBucket)
	i := int(at % rttBuckets)
	if e.bucketAt[i] != at || d < e.buckets[i] {
		e.bucketAt[i], e.buckets[i] = at, d
	}
}

func (e *estimator) pingRTT(d time.Duration, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noteRTT(d, now)
}

// minRTT is the least round trip of the window; 0 when there is none. e.mu is held.
func (e *estimator) minRTT(now time.Time) time.Duration {
	at := now.UnixNano() / int64(rttBucket)
	var least time.Duration
	for i, b := range e.bucketAt {
		if b != 0 && at-b < rttBuckets && (least == 0 || e.buckets[i] < least) {
			least = e.buckets[i]
		}
	}
	return least
}

func (e *estimator) state(now time.Time) PathState {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := PathState{RTT: e.rtt, Jitter: e.jitter, MinRTT: e.minRTT(now), Goodput: e.goodput, Spread: math.Sqrt(e.variance)}
	if s.MinRTT == 0 {
		s.MinRTT = e.rtt
	}
	if e.sent > 0 {
		s.Loss = min(1, e.lost/e.sent)
	}
	if e.goodput > 0 {
		s.Age = now.Sub(e.last)
		s.Confidence = (1 - math.Pow(0.5, e.weight)) * math.Pow(0.5, s.Age.Seconds()/confidenceHalfLife.Seconds())
	}
	return s
}

func (h *Host) pathStates() []PathState {
	now := time.Now()
	var out []PathState
	for _, r := range h.remotes() {
		out = append(out, r.pathState(now))
	}
	return slices.Clip(out)
}

func (h *Host) pathState(id PeerID) (PathState, bool) {
	r, ok := h.known(id)
	if !ok {
		return PathState{}, false
	}
	return r.pathState(time.Now()), true
}

func (r *remote) pathState(now time.Time) PathState {
	l := r.current()
	if l != nil {
		r.path.observe(l.conn, now)
	}
	s := r.path.state(now)
	s.Peer = r.id
	if l != nil {
		s.Connected, s.Relayed, s.Address = true, l.relayed, l.conn.RemoteAddr().String()
	}
	return s
}
