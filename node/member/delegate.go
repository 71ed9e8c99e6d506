package member

import (
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// delegate is what memberlist calls back.
type delegate struct{ g *Group }

// NodeMeta is this node's metadata.
func (d delegate) NodeMeta(limit int) []byte {
	g := d.g
	m := meta{name: g.cfg.Name, relay: g.host.Relay(), addrs: append(append([]string(nil), g.cfg.Addrs...), g.host.Addrs()...)}
	if ext := g.host.External(); ext != "" {
		m.addrs = append(m.addrs, ext)
	}
	if c := g.host.Credentials(); c != nil {
		m.role = c.Chain[0].Role
	}
	return m.append(nil, limit)
}

// NotifyMsg takes a rumour.
func (d delegate) NotifyMsg(b []byte) { d.g.hear(b) }

// GetBroadcasts hands out rumours to pass on.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.g.queue.GetBroadcasts(overhead, limit)
}

// LocalState and MergeRemoteState are unused: records have an anti-entropy of their own, which sends differences only.
func (d delegate) LocalState(bool) []byte        { return nil }
func (d delegate) MergeRemoteState([]byte, bool) {}

// NotifyAlive refuses nodes that are not, or no longer, of this mesh.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	public, err := transport.PeerID(n.Name).Public()
	if err != nil {
		return err
	}
	if c := d.g.host.Credentials(); c != nil && c.Trust.Evicted(public) {
		return admit.ErrEvicted
	}
	if _, err := parseMeta(n.Meta); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return nil
}

// NotifyJoin, NotifyLeave and NotifyUpdate keep the list of nodes.
func (d delegate) NotifyJoin(n *memberlist.Node)   { d.g.noteNode(n, NodeJoined) }
func (d delegate) NotifyLeave(n *memberlist.Node)  { d.g.noteNode(n, NodeFailed) }
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.g.noteNode(n, NodeUpdated) }

func (g *Group) noteNode(n *memberlist.Node, kind EventKind) {
	id := transport.PeerID(n.Name)
	node := Node{ID: id, State: Alive, Since: time.Now()}
	if m, err := parseMeta(n.Meta); err == nil {
		node.Name, node.Role, node.Relay, node.Addrs = m.name, m.role, m.relay, m.addrs
	}
	if kind == NodeFailed {
		node.State = Failed
		// memberlist does not tell its delegate whether a node left or died: the node's own status record does.
		if r, ok := g.Get(id, statusKey); ok && string(r.Value) == statusLeft {
			kind, node.State = NodeLeft, Left
		}
	}
	g.mu.Lock()
	old, ok := g.nodes[id]
	if ok && old.State == Evicted {
		g.mu.Unlock()
		return
	}
	if ok && old.State == node.State {
		node.Since = old.Since
	}
	g.nodes[id] = node
	g.mu.Unlock()
	if node.Relay || old.Relay {
		g.useRelays()
	}
	if node.State == Alive && id != g.host.ID() {
		g.host.Learn(id, node.Addrs...)
		if public, err := id.Public(); err == nil {
			g.store.welcome(admit.KeyOf(public))
		}
	}
	g.log.Info("node "+kind.String(), "node", node.Name, "peer", id.Short())
	g.events.Put(Event{Kind: kind, Node: id})
}

// noteStatus takes a node's status record, which may come after memberlist's word that it is gone.
func (g *Group) noteStatus(r Record) {
	if r.Key != statusKey || string(r.Value) != statusLeft {
		return
	}
	g.mu.Lock()
	n, ok := g.nodes[r.Node]
	late := ok && n.State == Failed
	if late {
		n.State = Left
		g.nodes[r.Node] = n
	}
	g.mu.Unlock()
	if late {
		g.events.Put(Event{Kind: NodeLeft, Node: r.Node})
	}
}
