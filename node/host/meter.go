package host

import (
	"math"
	"sync"
	"time"
)

// meterSpan is the time over which a share of busy time is averaged.
const meterSpan = 5 * time.Second

// Meter is an exponentially decaying share of busy time. The zero value is idle. It is safe for concurrent use.
type Meter struct {
	mu   sync.Mutex
	load float64   // guarded by mu
	last time.Time // guarded by mu
}

// Add notes work from begin to end.
func (m *Meter) Add(begin, end time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.decay(begin)
	m.load = 1 - (1-m.load)*math.Exp(-float64(end.Sub(begin))/float64(meterSpan))
	m.last = end
}

// Share is the part of the last seconds that was work, in [0, 1].
func (m *Meter) Share(now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.decay(now)
	return m.load
}

// decay lets idle time pass; m.mu is held.
func (m *Meter) decay(now time.Time) {
	if d := now.Sub(m.last); d > 0 && !m.last.IsZero() {
		m.load *= math.Exp(-float64(d) / float64(meterSpan))
	}
	if now.After(m.last) {
		m.last = now
	}
}
