package member

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// Evict puts a node out of the mesh: this node drops its connections at once, gossip tells the others, and who was away learns
// it by anti-entropy.
func (g *Group) Evict(issuer *admit.Issuer, node transport.PeerID) error {
	if node == g.host.ID() {
		return fmt.Errorf("member: evict: %s is this node itself", node.Short())
	}
	public, err := node.Public()
	if err != nil {
		return fmt.Errorf("member: evict: %w", err)
	}
	now := time.Now()
	r := issuer.Evict(public, now)
	if _, err := g.host.Revoke(r); err != nil {
		return fmt.Errorf("member: evict %s: %w", node.Short(), err)
	}
	g.spreadRevocation(r)
	return g.affirm(issuer, now)
}

// affirm makes evictions rest on the authority's newest key, and tells the others.
func (g *Group) affirm(issuer *admit.Issuer, now time.Time) error {
	again, err := issuer.Affirm(g.host.Credentials().Trust, now)
	for _, r := range again {
		g.spreadRevocation(r)
	}
	if err != nil {
		return fmt.Errorf("member: %w", err)
	}
	return nil
}

// believe takes a revocation from gossip. One that does not verify comes from a member with a bug or a grudge; it is dropped.
func (g *Group) believe(r admit.Revocation) {
	if news, err := g.host.Revoke(r); err == nil && news {
		g.spreadRevocation(r)
	} else if err != nil {
		g.log.Warn("revocation not believed", "error", err.Error())
	}
}

// spreadRevocation passes a new revocation on and takes the node off the list.
func (g *Group) spreadRevocation(r admit.Revocation) {
	now := time.Now()
	g.queue.QueueBroadcast(broadcast{"revocation " + string(r.Subject[:]), r.Append([]byte{rumourRevocation})})
	g.store.forget(r.Subject, now)
	id, err := transport.PeerIDOf(r.Subject[:])
	if err != nil {
		return
	}
	g.mu.Lock()
	n := g.nodes[id]
	n.ID, n.State, n.Since = id, Evicted, now
	g.nodes[id] = n
	g.mu.Unlock()
	g.events.Put(Event{Kind: NodeEvicted, Node: id})
}

// statements is every succession and eviction known, for an exchange.
func (g *Group) statements() []byte {
	c := g.host.Credentials()
	if c == nil {
		return []byte{0}
	}
	line := c.Trust.Line()
	out := admit.AppendSuccessions([]byte{byte(len(line))}, line)
	for _, r := range c.Trust.Revocations() {
		b := r.Append(nil)
		out = binary.BigEndian.AppendUint16(out, uint16(len(b)))
		out = append(out, b...)
	}
	return out
}

// believeAll takes the successions and revocations of an exchange.
func (g *Group) believeAll(b []byte) error {
	if len(b) == 0 || len(b) < 1+int(b[0])*admit.SuccessionSize {
		return fmt.Errorf("successions are cut off: %w", errWire)
	}
	n := int(b[0]) * admit.SuccessionSize
	line, err := admit.ParseSuccessions(b[1 : 1+n])
	if err != nil {
		return err
	}
	for _, s := range line {
		g.succeed(s)
	}
	b = b[1+n:]
	for len(b) > 0 {
		if len(b) < 2 {
			return fmt.Errorf("revocations are cut off: %w", errWire)
		}
		n := int(binary.BigEndian.Uint16(b))
		if n > admit.MaxRevocation || len(b) < 2+n {
			return fmt.Errorf("revocation of %d bytes, limit %d: %w", n, admit.MaxRevocation, errWire)
		}
		r, err := admit.ParseRevocation(b[2 : 2+n])
		if err != nil {
			return err
		}
		g.believe(r)
		b = b[2+n:]
	}
	return nil
}
