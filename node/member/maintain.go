package member

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// eager is how much sooner the next exchange comes after one that found differences.
const eager = 6

// maintain runs anti-entropy, reconnects failed nodes and forgets old ones.
func (g *Group) maintain() {
	defer g.wg.Done()
	jitter := func(d time.Duration) time.Duration { return d/2 + rand.N(d) }
	entropy, reconnect := time.NewTimer(jitter(g.cfg.Timing.Entropy)), time.NewTimer(jitter(g.cfg.Timing.Reconnect))
	defer entropy.Stop()
	defer reconnect.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.hurry:
			entropy.Reset(jitter(g.cfg.Timing.Entropy / eager))
		case <-entropy.C:
			next := g.cfg.Timing.Entropy
			if id, ok := g.pick(Alive); ok {
				ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Timing.Stream)
				differed, err := g.exchange(ctx, id)
				cancel()
				if err != nil && g.ctx.Err() == nil {
					g.log.Debug("records not exchanged", "peer", id.Short(), "error", err.Error())
				}
				if differed {
					next /= eager
				}
			}
			entropy.Reset(jitter(next))
		case now := <-reconnect.C:
			g.forgetOld(now)
			if id, ok := g.pick(Failed); ok {
				if _, err := g.list.Join([]string{joinName(id)}); err == nil {
					g.log.Info("reached a failed node again", "peer", id.Short())
				}
			}
			reconnect.Reset(jitter(g.cfg.Timing.Reconnect))
		}
	}
}

// forgetOld drops nodes that have been gone for long.
func (g *Group) forgetOld(now time.Time) {
	g.mu.Lock()
	var old []transport.PeerID
	for id, n := range g.nodes {
		if n.State != Alive && now.Sub(n.Since) > g.cfg.Timing.Forget {
			old = append(old, id)
			delete(g.nodes, id)
		}
	}
	g.mu.Unlock()
	for _, id := range old {
		if public, err := id.Public(); err == nil {
			g.store.forget(admit.KeyOf(public), now)
		}
		g.host.Forget(id)
		g.events.Put(Event{Kind: NodeForgotten, Node: id})
	}
}
