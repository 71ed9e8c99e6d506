package transport

import (
	"encoding/binary"
	"time"
)

const (
	// watchTick is how often peers with open streams are looked at, idleTick how often the others are, and pingEvery how often the
	// former are pinged.
	watchTick = 25 * time.Millisecond
	pingEvery = 50 * time.Millisecond
	idleTick  = time.Second
	pingLen   = 8
)

// liveness is when a peer was last heard; guarded by remote.mu.
type liveness struct {
	last    time.Time // when something was last heard, or when an answer first became owed
	pinged  time.Time
	packets uint64 // QUIC's count of received packets then
	owed    bool   // streams are open, or someone watches: the peer must show signs of life
	stalled bool
	// deadlines are the silences that watchers allow, by a number of their own.
	deadlines map[int]time.Duration
	next      int
}

// allowed is the silence that makes a peer stalled.
func (w *liveness) allowed(most time.Duration) time.Duration {
	for _, d := range w.deadlines {
		most = min(most, d)
	}
	return most
}

// Watch makes the host look closely at a peer that an answer is awaited from: PeerStalled is reported when it is silent for
// longer than within (and the path's own round-trip time), even if no stream is open, and PeerRecovered when it is heard again.
// A frozen peer shows so, one that is merely far does not. The caller must call stop.
func (h *Host) Watch(peer PeerID, within time.Duration) (stop func()) {
	r := h.remote(peer)
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.watch
	if w.deadlines == nil {
		w.deadlines = map[int]time.Duration{}
	}
	w.next++
	n := w.next
	w.deadlines[n] = within
	select {
	case h.watchWake <- struct{}{}:
	default:
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(w.deadlines, n)
	}
}

// heard notes a sign of life.
func (w *liveness) heard(now time.Time) { w.last = now }

// watchLoop looks after every peer until the host closes.
func (h *Host) watchLoop() {
	defer h.wg.Done()
	tick := time.NewTimer(idleTick)
	defer tick.Stop()
	var expired time.Time // when memberships were last looked at
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.watchWake:
			tick.Reset(0)
		case now := <-tick.C:
			next, peers := idleTick, h.remotes()
			for _, r := range peers {
				if h.watchPeer(r, now) {
					next = watchTick
				}
			}
			if now.Sub(expired) >= idleTick {
				expired = now
				for _, r := range peers {
					h.expire(r, now)
				}
			}
			tick.Reset(next)
		}
	}
}

// watchPeer reports whether the peer owes signs of life, and so needs a close look.
func (h *Host) watchPeer(r *remote, now time.Time) bool {
	r.mu.Lock()
	var l *link
	busy := false
	for _, o := range r.links {
		l = o
		busy = busy || o.active.Load() > 0
	}
	w := &r.watch
	busy = busy || len(w.deadlines) > 0
	if l == nil {
		w.owed, w.stalled = false, false
		r.mu.Unlock()
		h.unpace(r)
		return false
	}
	if !busy && !w.owed && !w.stalled { // nothing is awaited from it
		r.mu.Unlock()
		return false
	}
	packets := uint64(0)
	for _, o := range r.links {
		packets += o.conn.ConnectionStats().PacketsReceived
	}
	var event *PeerEvent
	if packets != w.packets {
		w.packets = packets
		w.heard(now)
		if w.stalled {
			w.stalled = false
			event = &PeerEvent{Kind: PeerRecovered, Peer: r.id}
		}
	}
	if busy && !w.owed {
		w.heard(now)
	}
	w.owed = busy
	silence := now.Sub(w.last)
	allowed := w.allowed(h.cfg.StallAfter) + 2*r.path.state(now).RTT
	if busy && !w.stalled && silence > allowed {
		w.stalled = true
		event = &PeerEvent{Kind: PeerStalled, Peer: r.id, Silence: silence}
	}
	ping := busy && now.Sub(w.pinged) >= pingEvery
	if ping {
		w.pinged = now
	}
	r.mu.Unlock()
	if busy {
		r.path.observe(l.conn, now)
		h.pacePeer(r, l, now)
	}
	if ping {
		_ = h.sendDatagram(l, packetPing, binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())))
	}
	if event != nil {
		h.log.Info("peer "+event.Kind.String(), "peer", r.id.Short(), "silence", event.Silence)
		h.report(*event)
	}
	return busy
}

// pong takes the answer to a ping.
func (h *Host) pong(r *remote, b []byte, now time.Time) {
	if len(b) != pingLen {
		return
	}
	if d := now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(b)))); d > 0 && d < time.Minute {
		r.path.pingRTT(d, now)
	}
}
