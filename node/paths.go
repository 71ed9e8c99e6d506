package node

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/transport"
)

const (
	// probeTime bounds one probe of a path.
	probeTime = 10 * time.Second
	// defaultGoodput is assumed of a path that was never measured, in bytes per second: 10 Mbps.
	defaultGoodput = 10e6 / 8
)

// probe measures the path to a peer.
func (n *Node) probe(ctx context.Context, id transport.PeerID) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if _, err := n.mesh.Probe(ctx, id); err != nil {
		n.log.Debug("path not measured", "to", n.nodeName(id), "err", err)
	}
	n.publishPaths()
}

// settleTime is how long the other end may take to emulate its direction of a link as well.
const settleTime = time.Second

// measureAnew forgets what was measured of a path before its link was emulated, and measures it: at once, and when the other end
// has surely done the same.
func (n *Node) measureAnew(ctx context.Context, id transport.PeerID) {
	n.mesh.Remeasure(id)
	n.probe(ctx, id)
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	n.mesh.Remeasure(id)
	n.probe(ctx, id)
}

// A transfer that took more than doubtFactor times what the estimates say, or less than its inverse, and differs by more than
// doubtSlack, puts the path in doubt.
const (
	doubtFactor = 1.6
	doubtSlack  = 5 * time.Millisecond
	// doubtPause is the least time between two measurements of a path in doubt, doubtRuns how many transfers in a row have to say
	// the same.
	doubtPause = 500 * time.Millisecond
	doubtRuns  = 2
)

// doubts counts transfers that contradict the estimate of a path. It is safe for concurrent use.
type doubts struct {
	mu   sync.Mutex
	run  map[transport.PeerID]int       // guarded by mu; slow ones above 0, quick ones below
	next map[transport.PeerID]time.Time // guarded by mu; when the path may be measured again
}

func newDoubts() *doubts {
	return &doubts{run: map[transport.PeerID]int{}, next: map[transport.PeerID]time.Time{}}
}

// contradicts tells whether a transfer was much slower or quicker than expected.
func contradicts(expected, took time.Duration) (slow, quick bool) {
	return float64(took) > doubtFactor*float64(expected) && took-expected > doubtSlack,
		float64(took)*doubtFactor < float64(expected) && expected-took > doubtSlack
}

// note takes one transfer's time in and reports whether the path should be measured now.
func (d *doubts) note(id transport.PeerID, expected, took time.Duration, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	slow, quick := contradicts(expected, took)
	switch run := d.run[id]; {
	case slow:
		d.run[id] = max(run, 0) + 1
	case quick:
		d.run[id] = min(run, 0) - 1
	default:
		d.run[id] = 0
	}
	if run := d.run[id]; max(run, -run) < doubtRuns || now.Before(d.next[id]) {
		return false
	}
	d.run[id], d.next[id] = 0, now.Add(doubtPause)
	return true
}

// judgePath compares a transfer's time, without that of making its bytes, with what the path's estimates say of it. It learns the
// overhead, and has the path measured anew when the estimates are wrong.
func (n *Node) judgePath(id transport.PeerID, bytes int64, took time.Duration) {
	st, ok := n.mesh.Path(id)
	if !ok || st.Goodput == 0 {
		return
	}
	onLink := time.Duration(float64(bytes) / st.Goodput * float64(time.Second))
	expected := rttOf(st) + onLink
	if onLink <= overheadHorizon {
		n.overheads.note(id, expected, took)
	}
	if !n.doubts.note(id, expected, took, time.Now()) {
		return
	}
	n.beside(func(ctx context.Context) {
		n.log.Debug("path in doubt", "to", n.nodeName(id), "expected", expected, "took", took)
		n.mesh.Remeasure(id)
		n.probe(ctx, id)
		if now, ok := n.mesh.Path(id); ok && changed(st.Goodput, now.Goodput) || changed(rttOf(st).Seconds(), rttOf(now).Seconds()) {
			n.log.Info("path has changed", "to", n.nodeName(id), "mbps", now.Goodput*8/1e6, "rtt", rttOf(now))
			n.plansStale.Store(true)
		}
	})
}

// changed reports whether two figures differ by more than a tenth.
func changed(a, b float64) bool { return math.Abs(a-b) > 0.1*max(a, b) }

// publishPaths spreads what this node measured of its paths. Figures are rounded, so that noise spreads nothing.
func (n *Node) publishPaths() {
	records := []pathRecord{}
	for _, st := range n.mesh.Paths() {
		if !st.Connected {
			continue
		}
		r := pathRecord{
			To: st.Peer, RTT: round(rttOf(st)), Jitter: st.Jitter.Round(100 * time.Microsecond), Goodput: roundTo(st.Goodput, 0.01), Spread: roundTo(st.Spread, 0.1),
			Loss: roundTo(st.Loss, 0.1), Confidence: roundTo(st.Confidence, 0.1), Link: n.links.to(n.nodeName(st.Peer)),
			Overhead: n.overheads.of(st.Peer).Round(overheadStep), Relayed: st.Relayed,
		}
		if st.Goodput > 0 {
			r.Measured = time.Now().Add(-st.Age).Round(time.Second).UnixNano()
		}
		records = append(records, r)
	}
	n.peers.set(keyPaths, records)
}

// rttOf is the round-trip time without the queueing of what is sent just now.
func rttOf(st transport.PathState) time.Duration {
	if st.MinRTT > 0 {
		return st.MinRTT
	}
	return st.RTT
}

func round(d time.Duration) time.Duration {
	return d.Round(max(d/50, 10*time.Microsecond))
}

// roundTo keeps about as many digits as the relative step leaves.
func roundTo(v, step float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)*step*2)))
	return math.Round(v/unit) * unit
}

// paths are the ways between nodes as planners take them. What was never measured is guessed, so that a new node is tried.
func (d *directory) paths(ids []transport.PeerID) [][]planner.Path {
	out := make([][]planner.Path, len(ids))
	self := d.n.mesh.ID()
	d.mu.Lock()
	defer d.mu.Unlock()
	for a, from := range ids {
		out[a] = make([]planner.Path, len(ids))
		for b, to := range ids {
			if a == b {
				continue
			}
			if d.n.set.paths != nil {
				out[a][b] = d.n.set.paths()
				continue
			}
			path := planner.Path{Goodput: defaultGoodput, Overhead: defaultOverhead.Seconds()}
			if st, ok := d.n.mesh.Path(to); from == self && ok {
				path.RTT, path.Jitter, path.Spread = rttOf(st), st.Jitter, st.Spread
				path.Overhead = d.n.overheads.of(to).Seconds()
				if st.Goodput > 0 {
					path.Goodput = st.Goodput
				}
			} else if p := d.peers[from]; p != nil {
				if r, ok := p.paths[to]; ok {
					path.RTT, path.Jitter, path.Spread, path.Overhead = r.RTT, r.Jitter, r.Spread, r.Overhead.Seconds()
					if r.Goodput > 0 {
						path.Goodput = r.Goodput
					}
				}
			}
			out[a][b] = path
		}
	}
	return out
}

// pathDocuments lists every known way between nodes that are there, for the HTTP interface.
func (d *directory) pathDocuments() []client.Path {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []client.Path{}
	now := time.Now()
	for _, p := range d.peers {
		for to, r := range p.paths {
			other, ok := d.peers[to]
			if !ok || p.State != member.Alive || other.State != member.Alive {
				continue
			}
			doc := client.Path{
				From: p.info.Name, To: other.info.Name, RTTMS: ms(r.RTT), Mbps: r.Goodput * 8 / 1e6, Loss: r.Loss,
				Confidence: r.Confidence, Relayed: r.Relayed, Configured: r.Link,
			}
			if r.Measured > 0 {
				doc.AgeMS = max(0, ms(now.Sub(time.Unix(0, r.Measured))))
			}
			out = append(out, doc)
		}
	}
	return out
}
