package member

import (
	"context"

	"github.com/cleave-mesh/cleave/transport"
)

// startLAN looks for other nodes of the mesh on the local network. Without multicast the group does without.
func (g *Group) startLAN() {
	if err := g.host.SearchLAN(g.found); err != nil {
		g.log.Info("no discovery on the LAN", "error", err.Error())
	}
}

// found takes a hint where a node is: an unknown or lost one is joined, which proves or disproves the hint.
func (g *Group) found(s transport.Seed) {
	n, ok := g.Node(s.Peer)
	if ok && (n.State == Alive || n.State == Evicted) || !g.joining.CompareAndSwap(false, true) {
		return
	}
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
		if err := g.joinAt(ctx, s); err != nil {
			g.log.Debug("node announced on the LAN not reached", "peer", s.Peer.Short(), "error", err.Error())
		}
	}()
}
