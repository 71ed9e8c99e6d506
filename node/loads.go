package node

import (
	"math"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/transport"
)

const (
	// loadStep is by how much a share of this node's time has to change to be told to the mesh.
	loadStep = 0.1
	// maxLoad is the most load that plans reckon with: a node that is busy all the time still serves requests in turn.
	maxLoad = 0.9
	// entryNode is the index of the entry in every frame: question puts it first.
	entryNode = 0
)

// loadRecord is the share of a node's time that it computes for requests of each entry node. An entry leaves its own share out when
// it plans: its plan would flee from the very load that it makes.
type loadRecord map[transport.PeerID]float64

// others is the load that all entries but one make, at most maxLoad.
func (r loadRecord) others(entry transport.PeerID) float64 {
	sum := 0.0
	for id, share := range r {
		if id != entry && share > 0 {
			sum += share
		}
	}
	return min(sum, maxLoad)
}

// valid reports whether a record from another node can be used.
func (r loadRecord) valid() bool {
	for _, share := range r {
		if !(share >= 0 && share <= 1) {
			return false
		}
	}
	return true
}

// loads measures the share of time that this node computes for each entry node. It is safe for concurrent use.
type loads struct {
	mu     sync.Mutex
	meters map[transport.PeerID]*host.Meter // guarded by mu
	told   loadRecord                       // guarded by mu
}

func newLoads() *loads {
	return &loads{meters: map[transport.PeerID]*host.Meter{}, told: loadRecord{}}
}

// add notes work for an entry node from begin to end.
func (l *loads) add(entry transport.PeerID, begin, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.meters[entry]
	if m == nil {
		m = &host.Meter{}
		l.meters[entry] = m
	}
	m.Add(begin, end)
}

// record is what the mesh should know: the shares told last, but for those that have changed by loadStep. Entries for which nothing is
// done any more are forgotten.
func (l *loads) record(now time.Time) loadRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := make(loadRecord, len(l.meters))
	for id, m := range l.meters {
		share := m.Share(now)
		switch {
		case share < loadStep/2:
			delete(l.meters, id)
			continue
		case math.Abs(share-l.told[id]) < loadStep:
			share = l.told[id]
		}
		if share > 0 {
			r[id] = roundTo(share, loadStep/10)
		}
	}
	l.told = r
	return r
}

// loads is what each of the nodes is busy with for others than this node, parallel to ids.
func (d *directory) loads(ids []transport.PeerID) []float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]float64, len(ids))
	for i, id := range ids {
		if p := d.peers[id]; p != nil {
			out[i] = p.load.others(d.n.mesh.ID())
		}
	}
	return out
}
