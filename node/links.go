package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
)

// ErrNotEmulated is returned for a change of a link on a node that emulates none.
var ErrNotEmulated = errors.New("this node does not emulate links: start it with --topology")

// downLoss is the share of packets that a link which is down loses.
const downLoss = 1

// links are the emulated ways from this node, by the other node's name. It is safe for concurrent use.
type links struct {
	n      *Node
	shaper *shape.Shaper // nil when nothing is emulated

	mu   sync.Mutex
	want map[string]client.Link        // guarded by mu; by the name of the receiver
	set  map[netip.AddrPort]shape.Link // guarded by mu
}

func newLinks(n *Node, s *shape.Shaper) *links {
	l := &links{n: n, shaper: s, want: map[string]client.Link{}, set: map[netip.AddrPort]shape.Link{}}
	if n.set.topo == nil {
		return l
	}
	for _, other := range n.set.topo.Nodes {
		if t, ok := n.set.topo.Between(n.set.Name, other.Name); ok {
			l.want[other.Name] = client.Link{
				From: n.set.Name, To: other.Name, Mbps: float64(t.Bandwidth) / 1e6, DelayMS: ms(t.RTT) / 2, JitterMS: ms(t.Jitter),
				Loss: t.Loss, QueueBytes: int(t.Queue),
			}
		}
	}
	return l
}

// to is the emulated link to a node, or nil.
func (l *links) to(name string) *client.Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w, ok := l.want[name]; ok {
		return &w
	}
	return nil
}

// change sets the emulated link to a node.
func (l *links) change(w client.Link) error {
	if l.shaper == nil {
		return ErrNotEmulated
	}
	if w.From != "" && w.From != l.n.set.Name {
		return fmt.Errorf("node %s shapes what it sends itself: change the link from %s at that node", l.n.set.Name, w.From)
	}
	if w.To == "" || w.To == l.n.set.Name {
		return errors.New("name the node at the other end of the link in \"to\"")
	}
	w.From = l.n.set.Name
	if err := shapeOf(w).Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	l.want[w.To] = w
	l.mu.Unlock()
	l.apply()
	l.n.publishPaths()
	return nil
}

func shapeOf(w client.Link) shape.Link {
	s := shape.Link{
		Rate: w.Mbps * 1e6, Delay: time.Duration(w.DelayMS * float64(time.Millisecond)),
		Jitter: time.Duration(w.JitterMS * float64(time.Millisecond)), Loss: w.Loss, Queue: w.QueueBytes,
	}
	if w.Down {
		s.Loss = downLoss
	}
	return s
}

// apply gives every known address of a named peer its link. A peer whose link was set for the first time is measured again.
func (l *links) apply() {
	if l.shaper == nil || l.n.peers == nil || l.n.peers.group == nil {
		return
	}
	for id, p := range l.n.peers.addresses() {
		l.mu.Lock()
		w, ok := l.want[p.name]
		l.mu.Unlock()
		if !ok {
			continue
		}
		s, fresh := shapeOf(w), false
		for _, a := range p.addrs {
			ap, err := netip.ParseAddrPort(a)
			if err != nil {
				continue
			}
			l.mu.Lock()
			old, had := l.set[ap]
			l.set[ap] = s
			l.mu.Unlock()
			if had && old == s {
				continue
			}
			if err := l.shaper.Set(ap, s); err != nil {
				l.n.log.Error("link not set", "to", p.name, "err", err)
				continue
			}
			fresh = fresh || !had
		}
		if fresh {
			l.n.beside(func(ctx context.Context) { l.n.measureAnew(ctx, id) })
		}
	}
}

// reach is how a peer is called and where it is.
type reach struct {
	name  string
	addrs []string
}

// addresses lists what is known of every other peer's addresses.
func (d *directory) addresses() map[transport.PeerID]reach {
	out := map[transport.PeerID]reach{}
	self := d.n.mesh.ID()
	d.mu.Lock()
	for id, p := range d.peers {
		if id != self && p.State != member.Left {
			out[id] = reach{p.Name, append([]string(nil), p.Addrs...)}
		}
	}
	d.mu.Unlock()
	for id, r := range out {
		if st, ok := d.n.mesh.Path(id); ok && st.Address != "" {
			r.addrs = append(r.addrs, st.Address)
			out[id] = r
		}
	}
	return out
}
