package pace

import "time"

const (
	// minWindow and windowRTTs are how long one measurement lasts at least, firstWindow while the rate of the path is not known.
	minWindow   = 45 * time.Millisecond
	firstWindow = 20 * time.Millisecond
	windowRTTs  = 2
	// staleWindows is how many windows may pass between samples before they say nothing.
	staleWindows = 8
	// minBytes is the fewest sent bytes that say something.
	minBytes = 16 << 10
	// burstLoss is the share of lost bytes that speaks of bursts, or of a path that became much slower; calmLoss is that below which the
	// path may carry more.
	burstLoss = 0.1
	calmLoss  = 0.03
	// soonProbe and probeEvery are how many windows pass between probes: before and after one showed that the path is full.
	soonProbe  = 2
	probeEvery = 8
	// firstProbe is the gain of a probe; what it is above 1 doubles for as long as the path delivers more, up to mostGain.
	firstProbe = 1.06
	mostGain   = 2
	// leastWindow is the bytes that QUIC has under way at least; a path that it starts on is taken to carry that.
	leastWindow = 2 * 1280
	// startGain is the gain while the rate of the path is not known.
	startGain = 1.5
	// settle is by what share the rate falls in each window with a few losses: slowly, for they may have nothing to do with it.
	settle = 0.003
	// lessGain is by what the rate is lowered when packets are lost in bursts although they are spaced.
	lessGain = 0.75
	// more is how much more than before must be delivered for a probe to have found a faster path.
	more = 1.03
	// limitedShare is the share of a window that packets must have been held back for the pacer to have set the rate.
	limitedShare = 0.25
	// idleWindows is how many windows in a row the pacer may hold back nothing before it lets go.
	idleWindows = 40
	// longQueue is the bytes that a path's queue has held above which it takes bursts, as does one that has held packets for a round trip:
	// what is lost then, is lost because more was sent than the path carries, which is QUIC's own affair.
	longQueue = 32 << 10
	// maxRate is the rate in bytes per second above which ten packets at once are nothing to a queue.
	maxRate = 25e6
)

// Sample is what a connection's counters say.
type Sample struct {
	// Sent and Lost are bytes since the connection began; Lost may fall when a packet thought lost arrives.
	Sent, Lost uint64
	// RTT is the least round-trip time, Queued what the smoothed one has beyond it.
	RTT, Queued time.Duration
	// Held is how long packets were held back in all, since the beginning.
	Held time.Duration
}

// Pacer decides the rate of one connection's packets. It is a pure machine: the zero value is ready, and all time comes in.
type Pacer struct {
	at   time.Time // begin of the window
	base Sample

	on       bool
	starting bool
	path     float64 // what the path carries, in bytes per second
	gain     float64
	every    int // windows between probes
	since    int // windows since the last probe
	idle     int // windows in a row in which nothing was held back

	queued time.Duration // the most that packets waited on the path lately
	least  float64       // what QUIC sends whatever it loses, in bytes per second
}

// Step takes a sample and returns the rate in bytes per second at which packets are to be sent from now on; 0 means that they
// are not to be held back.
func (p *Pacer) Step(now time.Time, s Sample) float64 {
	least := minWindow
	if !p.on || p.starting {
		least = firstWindow
	}
	window := max(least, windowRTTs*s.RTT)
	took := now.Sub(p.at)
	sent := float64(s.Sent - p.base.Sent)
	switch {
	case p.at.IsZero() || s.Sent < p.base.Sent || took > staleWindows*window:
		if p.on && sent > 0 && p.rate() < minBytes/(staleWindows*window).Seconds() { // too slow to be judged
			*p = Pacer{}
		}
		p.at, p.base = now, s
		return p.rate()
	case took < window || sent < minBytes:
		return p.rate()
	}
	p.queued = max(s.Queued, p.queued/2)
	p.least = leastWindow / max(s.RTT, time.Millisecond).Seconds()
	lost := min(sent, max(0, float64(s.Lost)-float64(p.base.Lost)))
	held := s.Held - p.base.Held
	p.at, p.base = now, s
	p.window((sent-lost)/took.Seconds(), lost/sent, held.Seconds() >= limitedShare*took.Seconds())
	return p.rate()
}

// window takes one measurement: bytes per second delivered, the share lost, and whether the pacer set the rate.
func (p *Pacer) window(delivered, loss float64, limited bool) {
	if !p.on {
		queued := p.queued.Seconds()
		if loss >= burstLoss && delivered*queued < longQueue && p.least*queued < leastWindow {
			*p = Pacer{at: p.at, base: p.base, on: true, starting: true, path: max(delivered, p.least), gain: startGain, every: soonProbe}
		}
		return
	}
	if p.idle++; limited || loss >= burstLoss {
		p.idle = 0
	}
	if p.idle > idleWindows {
		*p = Pacer{at: p.at, base: p.base}
		return
	}
	p.since++
	calm := loss < calmLoss
	grew := delivered > more*p.path
	switch {
	case p.starting:
		p.path = max(p.path, delivered)
		switch {
		case limited && !(loss < burstLoss && grew):
			p.cruise()
		case !limited && loss >= burstLoss && p.gain > 1: // bursts still: this rate is too high to be of use
			p.gain = max(1, p.gain*lessGain)
		case !limited && loss >= burstLoss:
			p.cruise()
		}
	case !limited && loss >= burstLoss:
		p.path = max(delivered, p.path*lessGain)
		p.cruise()
	case !limited:
		p.path = max(p.path, delivered)
	case p.gain > 1 && calm && grew:
		p.path, p.every = delivered, soonProbe
		p.gain = min(mostGain, 1+2*(p.gain-1))
	case p.gain > 1: // full: what the probe itself lost is seen in the next window too
		if p.every == soonProbe { // the first probe that failed passed the path's rate by far
			p.path = max(p.path, delivered*(1-loss))
		}
		p.every = probeEvery
		p.cruise()
	case p.since <= 1:
	case !calm:
		p.path = max(delivered, p.path*(1-loss/2))
	case loss > 0 && p.since < p.every:
		p.path *= 1 - settle
	case p.since >= p.every:
		p.gain = firstProbe
	}
}

// cruise sends as much as the path carries until the next probe.
func (p *Pacer) cruise() { p.gain, p.since, p.starting = 1, 0, false }

func (p *Pacer) rate() float64 {
	if r := p.gain * p.path; p.on && r <= maxRate {
		return r
	}
	return 0
}
