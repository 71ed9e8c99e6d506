package node

import (
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// Keys of the records that a node publishes of itself.
const (
	keyNode    = "node"
	keyModels  = "models"
	keyPaths   = "paths"
	keyLoad    = "load"
	keyProfile = "profile/" // and the start of the graph's digest
)

// Version is Cleave's, as nodes tell each other.
const Version = "0.1.0"

// nodeRecord is what a node says of itself.
type nodeRecord struct {
	Name     string   `json:"name"`
	PID      int      `json:"pid"`
	Version  string   `json:"version"`
	Platform string   `json:"platform"`
	API      string   `json:"api,omitempty"`
	Backends []string `json:"backends"`
	Speed    float64  `json:"speed"`
	Cores    int      `json:"cores"`
	Memory   int64    `json:"memory,omitempty"`
	Power    float64  `json:"power,omitempty"`
}

// modelsRecord is the names that a node knows, the models that it holds, and those that it cannot run.
type modelsRecord struct {
	Names  []store.Name            `json:"names"`
	Holds  []store.Digest          `json:"holds"`
	Failed map[store.Digest]string `json:"failed,omitempty"`
}

// pathRecord is one measured way from the record's node.
type pathRecord struct {
	To         transport.PeerID `json:"to"`
	RTT        time.Duration    `json:"rtt"`
	Jitter     time.Duration    `json:"jitter"`
	Overhead   time.Duration    `json:"overhead"` // of a transfer, beyond the round trip and its bytes
	Goodput    float64          `json:"goodput"`  // bytes per second
	Spread     float64          `json:"spread"`
	Loss       float64          `json:"loss"`
	Confidence float64          `json:"confidence"`
	Relayed    bool             `json:"relayed,omitempty"`
	// Measured is when the goodput was last seen, in unix nanoseconds of the record's node; 0 when never.
	Measured int64 `json:"measured"`
	// Link is the emulated link, nil when the way is real.
	Link *client.Link `json:"link,omitempty"`
}

// peer is what this node knows of another, or of itself.
type peer struct {
	member.Node
	info     nodeRecord
	models   modelsRecord
	paths    map[transport.PeerID]pathRecord
	profiles map[string]*graphProfile // by graph digest
	load     loadRecord
}

// directory is this node's picture of the mesh, made from records. It is safe for concurrent use.
type directory struct {
	n     *Node
	group *member.Group // constant after startMesh

	mu        sync.Mutex
	peers     map[transport.PeerID]*peer       // guarded by mu
	suspects  map[transport.PeerID]bool        // guarded by mu: they do not answer just now
	failed    map[store.Digest]string          // guarded by mu: models that this node cannot run
	generated uint64                           // guarded by mu: counts changes of who is there
	said      map[string]string                // guarded by mu: what was published last, by key
	seen      map[transport.PeerID]seenRecords // guarded by mu: versions that were parsed
}

type seenRecords map[string]uint64

func newDirectory(n *Node) *directory {
	return &directory{
		n: n, peers: map[transport.PeerID]*peer{}, suspects: map[transport.PeerID]bool{}, failed: map[store.Digest]string{},
		said: map[string]string{}, seen: map[transport.PeerID]seenRecords{},
	}
}

// set publishes a record of this node, unless it says what it said before.
func (d *directory) set(key string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		d.n.log.Error("record not published", "key", key, "err", err)
		return
	}
	d.mu.Lock()
	same := d.said[key] == string(b)
	d.said[key] = string(b)
	d.mu.Unlock()
	if same {
		return
	}
	if err := d.group.Set(key, b); err != nil {
		d.n.log.Error("record not published", "key", key, "err", err)
	}
}

// publish says what this node is and what it holds.
func (d *directory) publish() {
	n := d.n
	d.set(keyNode, nodeRecord{
		Name: n.set.Name, PID: pid, Version: Version, Platform: runtime.GOOS + "/" + runtime.GOARCH, API: n.API(),
		Backends: n.host.Backends(), Speed: n.host.Speed(), Cores: runtime.NumCPU(), Memory: n.set.memory, Power: n.set.power,
	})
	d.publishModels()
	for _, p := range n.profiles.all() {
		n.publishProfile(p)
	}
}

func (d *directory) publishModels() {
	r := modelsRecord{Names: d.n.names.List(), Failed: map[store.Digest]string{}}
	for _, name := range r.Names {
		if !name.Deleted && d.n.folder.HasModel(name.Digest) && !slices.Contains(r.Holds, name.Digest) {
			r.Holds = append(r.Holds, name.Digest)
		}
	}
	d.mu.Lock()
	for m, why := range d.failed {
		r.Failed[m] = why
	}
	d.mu.Unlock()
	d.set(keyModels, r)
}

// fail says that this node cannot run a model.
func (d *directory) fail(model store.Digest, why error) {
	d.mu.Lock()
	d.failed[model] = strings.ReplaceAll(why.Error(), "\n", "; ")
	d.mu.Unlock()
	d.publishModels()
	d.refresh()
}

func (n *Node) publishProfile(p *graphProfile) {
	n.peers.set(keyProfile+p.Graph[:min(32, len(p.Graph))], p)
	n.peers.refresh()
}

// watch keeps the picture up to date.
func (d *directory) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-d.group.Events():
			if !ok {
				return
			}
			d.refresh()
			switch e.Kind {
			case member.NodeFailed, member.NodeLeft, member.NodeForgotten:
				d.tellFlights(e.Node, func(id planner.NodeID) session.Event { return session.PeerDown{Node: id} })
			case member.NodeEvicted:
				d.tellFlights(e.Node, func(id planner.NodeID) session.Event { return session.PeerDown{Node: id} })
				d.n.saveCredentials(d.n.mesh.Credentials())
			case member.NodeJoined:
				d.suspect(e.Node, false)
				d.n.links.apply()
				d.remember()
			case member.NodeUpdated:
				d.n.links.apply()
				d.remember()
			case member.RecordChanged:
				d.n.links.apply()
				if e.Key == keyModels || e.Key == "" {
					d.n.beside(d.n.followNames)
				}
			case member.Lagged:
				d.n.beside(d.n.followNames)
			}
		}
	}
}

// refresh rebuilds the picture from the group's list and records. Records that have not changed are not parsed again.
func (d *directory) refresh() {
	nodes := d.group.Nodes()
	records := d.group.Records("")
	d.mu.Lock()
	defer d.mu.Unlock()
	before, self := d.aliveLocked(), d.n.mesh.ID()
	here := map[transport.PeerID]bool{}
	for _, m := range nodes {
		here[m.ID] = true
		p, ok := d.peers[m.ID]
		if !ok {
			p = &peer{paths: map[transport.PeerID]pathRecord{}, profiles: map[string]*graphProfile{}}
			p.info.Name = m.Name
			d.peers[m.ID], d.seen[m.ID] = p, seenRecords{}
		}
		p.Node = m
	}
	for id := range d.peers {
		if !here[id] {
			delete(d.peers, id)
			delete(d.seen, id)
		}
	}
	for i := range records {
		r := &records[i]
		p, ok := d.peers[r.Node]
		if !ok || d.seen[r.Node][r.Key] == r.Version {
			continue
		}
		d.seen[r.Node][r.Key] = r.Version
		before := p.load.others(self)
		paths, speeds := p.take(r)
		speeds = speeds || p.load.others(self) != before
		if paths || speeds {
			d.n.plansStale.Store(true)
		}
		if speeds {
			d.n.speedsStale.Store(true)
		}
	}
	if before != d.aliveLocked() {
		d.generated++
	}
}

// aliveLocked names the nodes that are there; d.mu is held.
func (d *directory) aliveLocked() string {
	var ids []string
	for id, p := range d.peers {
		if p.State == member.Alive {
			ids = append(ids, string(id))
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// take reads one record; one that is malformed is ignored. It reports whether plans may be wrong now because of changed paths or profiles.
func (p *peer) take(r *member.Record) (paths, profiles bool) {
	switch {
	case r.Key == keyNode:
		var v nodeRecord
		if json.Unmarshal(r.Value, &v) == nil {
			p.info = v
		}
	case r.Key == keyModels:
		var v modelsRecord
		if json.Unmarshal(r.Value, &v) == nil {
			p.models = v
		}
	case r.Key == keyPaths:
		var v []pathRecord
		if json.Unmarshal(r.Value, &v) == nil {
			old := p.paths
			p.paths = make(map[transport.PeerID]pathRecord, len(v))
			for _, w := range v {
				p.paths[w.To] = w
				paths = paths || changed(old[w.To].Goodput, w.Goodput) || changed(old[w.To].RTT.Seconds(), w.RTT.Seconds())
			}
		}
	case r.Key == keyLoad:
		var v loadRecord
		if json.Unmarshal(r.Value, &v) == nil && v.valid() {
			p.load = v
		}
	case strings.HasPrefix(r.Key, keyProfile):
		var v graphProfile
		if json.Unmarshal(r.Value, &v) == nil {
			p.profiles[v.Graph] = &v
			profiles = true
		}
	}
	return paths, profiles
}

// epoch changes when nodes come or go, or do not answer.
func (d *directory) epoch() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.generated
}

// suspect notes that a peer does not answer, or answers again, and tells the requests under way.
func (d *directory) suspect(id transport.PeerID, silent bool) {
	d.mu.Lock()
	if d.suspects[id] == silent {
		d.mu.Unlock()
		return
	}
	if silent {
		d.suspects[id] = true
	} else {
		delete(d.suspects, id)
	}
	d.generated++
	d.mu.Unlock()
	d.tellFlights(id, func(i planner.NodeID) session.Event {
		if silent {
			return session.PeerSuspect{Node: i}
		}
		return session.PeerUp{Node: i}
	})
}

// tellFlights gives every request that has the peer in its plan an event about it.
func (d *directory) tellFlights(id transport.PeerID, event func(planner.NodeID) session.Event) {
	d.n.flights.each(func(f *flight) {
		if at := f.frame.frame.Node(id); at >= 0 {
			f.mail.put(letter{event: event(at), only: coordOnly})
		}
	})
}

// usable lists the nodes that may take part in plans, this one first, then by name.
func (d *directory) usable() []transport.PeerID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []transport.PeerID
	for _, p := range d.usableLocked() {
		ids = append(ids, p.ID)
	}
	return ids
}

// usableLocked is usable with all that is known of the nodes; d.mu is held, and what it returns is valid while it is.
func (d *directory) usableLocked() []*peer {
	self := d.n.mesh.ID()
	var out []*peer
	for id, p := range d.peers {
		if id == self || p.State == member.Alive && !d.suspects[id] {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *peer) int {
		if (a.ID == self) != (b.ID == self) {
			if a.ID == self {
				return -1
			}
			return 1
		}
		if c := strings.Compare(a.info.Name, b.info.Name); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out
}

// machines are the candidates for stages of a graph, this node first, and the ways between them.
func (d *directory) machines(graph string) ([]placement.Machine, [][]planner.Path) {
	d.mu.Lock()
	peers := d.usableLocked()
	ms := make([]placement.Machine, len(peers))
	ids := make([]transport.PeerID, len(peers))
	for i, p := range peers {
		ids[i] = p.ID
		ms[i] = placement.Machine{ID: p.ID, Name: p.info.Name, Speed: p.info.Speed, Memory: p.info.Memory, Power: p.info.Power, Load: p.load.others(peers[0].ID)}
		if g := p.profiles[graph]; g != nil && g.Failure == "" && p.Role != admit.Client { // a client hosts nothing
			ms[i].Profiles = g.Backends
		}
	}
	d.mu.Unlock()
	return ms, d.paths(ids)
}

// nodeName is what people call a peer.
func (n *Node) nodeName(id transport.PeerID) string {
	n.peers.mu.Lock()
	defer n.peers.mu.Unlock()
	if p, ok := n.peers.peers[id]; ok && p.info.Name != "" {
		return p.info.Name
	}
	return id.Short()
}
