package member

import (
	"context"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/lan"
)

// startLAN looks for other nodes of the mesh on the local network. Without multicast the group does without.
func (g *Group) startLAN() {
	s, err := lan.Start(lan.Config{Self: g.announcement, Found: g.found})
	if err != nil {
		g.log.Info("no discovery on the LAN", "error", err.Error())
		return
	}
	g.lan = s
}

func (g *Group) announcement() lan.Announcement {
	c := g.host.Credentials()
	if c == nil {
		return lan.Announcement{}
	}
	return lan.Announcement{Peer: string(g.host.ID()), Mesh: c.Trust.Mesh().String(), Addrs: g.host.Addrs()}
}

// found takes a hint where a node is: an unknown or lost one is joined, which proves or disproves the hint.
func (g *Group) found(a lan.Announcement) {
	id := transport.PeerID(a.Peer)
	if _, err := id.Public(); err != nil {
		return
	}
	n, ok := g.Node(id)
	if ok && (n.State == Alive || n.State == Evicted) || !g.joining.CompareAndSwap(false, true) {
		return
	}
	g.host.Learn(id, a.Addrs...)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		g.joining.Store(false)
		return
	}
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		defer g.joining.Store(false)
		ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Timing.Stream)
		defer cancel()
		if err := g.joinAt(ctx, transport.Seed{Peer: id}); err != nil {
			g.log.Debug("node announced on the LAN not reached", "peer", id.Short(), "error", err.Error())
		}
	}()
}
