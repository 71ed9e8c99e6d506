package transport

import "time"

// Remeasure drops what was measured of the path to a peer. It is for whoever knows that the path is another one from now on, as
// when a link begins to be emulated; ordinary changes are found by the estimates themselves.
func (h *Host) Remeasure(peer PeerID) {
	r, ok := h.known(peer)
	if !ok {
		return
	}
	e := r.path
	e.mu.Lock()
	defer e.mu.Unlock()
	e.goodput, e.variance, e.weight, e.run = 0, 0, 0, 0
	e.bucketAt, e.buckets = [rttBuckets]int64{}, [rttBuckets]time.Duration{}
	e.sent, e.lost = 0, 0
}
