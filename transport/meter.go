package transport

import (
	"time"

	"github.com/quic-go/quic-go"
)

// meterWindow is how long busy streams are watched for one sample, meterChunk the most bytes handed to QUIC at once so that
// windows end in time.
const (
	meterWindow = 250 * time.Millisecond
	meterChunk  = 128 << 10
	// busyShare is the share of a window that must have been spent waiting for the network.
	busyShare = 0.8
)

// window adds up what all streams to one peer write: streams share the path, so only their sum says what it carries.
type window struct {
	begin   time.Time
	busy    time.Duration // during which at least one stream waited for the network
	since   time.Time     // since when that is so now
	waiting int
	bytes   int
	// started counts the meters ever made, open those not finished: a transfer was alone when neither changed.
	started uint64
	open    int
}

// enter notes that a stream hands bytes to the network and waits.
func (e *estimator) enter(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &e.win
	if w.waiting == 0 {
		w.since = now
		if w.begin.IsZero() || now.Sub(w.begin) > 2*meterWindow {
			w.begin, w.busy, w.bytes = now, 0, 0
		}
	}
	w.waiting++
}

// leave notes that the network took n bytes, and takes a sample when the window is over. It reports whether the estimate
// jumped.
func (e *estimator) leave(n int, now time.Time) bool {
	e.mu.Lock()
	w := &e.win
	w.waiting--
	w.bytes += n
	if w.waiting == 0 {
		w.busy += now.Sub(w.since)
	}
	busy := w.busy
	if w.waiting > 0 {
		busy += now.Sub(w.since)
	}
	length, bytes := now.Sub(w.begin), w.bytes
	if length < meterWindow {
		e.mu.Unlock()
		return false
	}
	w.begin, w.busy, w.bytes, w.since = now, 0, 0, now
	e.mu.Unlock()
	if busy.Seconds() < busyShare*length.Seconds() {
		return false
	}
	return e.sample(float64(bytes)/length.Seconds(), false, now)
}

// meter measures what one stream's writes say of the path.
type meter struct {
	e   *estimator
	s   *quic.Stream
	err error

	begin   time.Time
	waited  time.Duration
	alone   bool
	started uint64
	changed bool
}

func (e *estimator) meter(s *quic.Stream) *meter {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.win.started++
	e.win.open++
	return &meter{e: e, s: s, alone: e.win.open == 1, started: e.win.started}
}

// close ends the measurement; it must be called once.
func (m *meter) close() {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	m.e.win.open--
}

func (m *meter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		chunk := p[:min(len(p), meterChunk)]
		t0 := time.Now()
		if m.begin.IsZero() {
			m.begin = t0
		}
		m.e.enter(t0)
		n, err := m.s.Write(chunk)
		t1 := time.Now()
		m.changed = m.e.leave(n, t1) || m.changed
		total += n
		m.waited += t1.Sub(t0)
		if err != nil {
			m.err = err
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

// finish takes the receiver's view of the whole transfer. It counts fully when the stream had the path to itself and its body
// was written faster than the network took it; otherwise it is a floor.
func (m *meter) finish(r receipt) {
	now := time.Now()
	if r.tailBytes < minTail || r.tail <= 0 {
		return
	}
	m.e.mu.Lock()
	alone := m.alone && m.e.win.started == m.started
	m.e.mu.Unlock()
	// What passed beyond waiting for the network and the receiver's own time is the body being made.
	making := now.Sub(m.begin) - m.waited - r.total
	hungry := making <= 0 || m.waited > making
	m.changed = m.e.sample(float64(r.tailBytes)/r.tail.Seconds(), !alone || !hungry, now) || m.changed
}
