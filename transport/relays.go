package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// How two members behind NATs find a path: each keeps a connection to a relay and a libp2p reservation there. Who is to be reached
// and is not found at its known addresses is dialled through the relay (circuit v2), which yields a relayed link at once. The
// callee's libp2p then punches a hole (DCUtR); when it stands, a direct link is dialled through it and replaces the relayed one.
// Where the NATs give every destination another port the relayed link stays, and a direct way is looked for from time to time.

const (
	// directTimeout is how long known addresses are tried while other ways remain, punchTimeout how long one attempt at a hole.
	directTimeout = time.Second
	punchTimeout  = 3 * time.Second
	// maxRelays is how many relays a host keeps a connection to.
	maxRelays = 3
	// relayKeepAlive keeps the NAT's mapping towards a relay; upkeep is how often relays and libp2p's connections are looked after.
	relayKeepAlive = 15 * time.Second
	upkeep         = 5 * time.Second
	// retryDirect is how long a relayed link stays before a direct way is looked for again.
	retryDirect = 30 * time.Second
	// linkless is how long libp2p connections stay with a peer that there is no link to.
	linkless = time.Minute
	// reobserve is how often a relay is asked again for this host's outer address.
	reobserve = time.Minute
	// maxAddress is the most bytes of an address in an answer.
	maxAddress = 64
)

// SetRelays names members that relay for this host, the preferred one first. The host keeps a connection to each of the first
// three.
func (h *Host) SetRelays(ids []PeerID) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id PeerID) bool { return id == h.ID() })
	h.mu.Lock()
	h.relays = ids[:min(len(ids), maxRelays)]
	h.mu.Unlock()
	select {
	case h.relayWake <- struct{}{}:
	default:
	}
}

// relayList is the relays in order of preference.
func (h *Host) relayList() []PeerID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.relays)
}

// Relay tells whether this host relays for others.
func (h *Host) Relay() bool { return h.cfg.Relay }

// External is this host's address as others see it; "" when unknown or the same as an own one.
func (h *Host) External() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.external
}

// observe asks a peer that this host has dialled how it sees this host. One observer is enough: it is a member. One that sees an
// own address is on the same network and knows nothing of the outer one.
func (h *Host) observe(l *link) {
	ctx, cancel := context.WithTimeout(h.ctx, punchTimeout)
	defer cancel()
	b, err := h.call(ctx, l.peer.id, KindObserve, nil)
	if err != nil {
		return
	}
	if _, err := net.ResolveUDPAddr("udp", string(b)); err != nil || len(b) > maxAddress || slices.Contains(h.addrs(), string(b)) {
		return
	}
	h.mu.Lock()
	h.external = string(b)
	h.mu.Unlock()
}

// serveObserve tells a peer how this host sees it.
func serveObserve(_ context.Context, in *Incoming) {
	_, _ = in.Write([]byte(in.RemoteAddr().String()))
}

// multiaddrs is every address at which this host might be reached, in libp2p's form, the outer one first.
func (h *Host) multiaddrs() []ma.Multiaddr {
	list := h.addrs()
	if ext := h.External(); ext != "" {
		list = append([]string{ext}, list...)
	}
	var out, loopback []ma.Multiaddr
	for _, s := range list {
		a, err := net.ResolveUDPAddr("udp", s)
		if err != nil {
			continue
		}
		m, err := quicreuse.ToQuicMultiaddr(a, quic.Version1)
		switch {
		case err != nil:
		case a.IP.IsLoopback():
			loopback = append(loopback, m)
		default:
			out = append(out, m)
		}
	}
	if len(out) == 0 { // the whole mesh is on this machine
		return loopback
	}
	return out
}

// keepPaths keeps places at relays, looks for direct ways beside relayed links, and closes libp2p connections that have done
// their work.
func (h *Host) keepPaths() {
	defer h.wg.Done()
	if h.cfg.Relay {
		if _, err := h.startLibp2p(); err != nil && h.ctx.Err() == nil {
			h.log.Error("no relay for others", "error", err.Error())
		}
	}
	tick := time.NewTimer(upkeep)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		case <-h.relayWake:
		}
		for _, id := range h.relayList() {
			if err := h.keepRelay(id); err != nil && h.ctx.Err() == nil {
				h.log.Debug("relay not reached", "peer", id.Short(), "error", err.Error())
			}
		}
		if h.libp2p.Load() != nil {
			for _, r := range h.remotes() {
				h.improve(r, time.Now())
			}
		}
		tick.Reset(upkeep)
	}
}

// keepRelay makes sure of a connection to a relay and of a place there.
func (h *Host) keepRelay(id PeerID) error {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	r := h.remote(id)
	l := r.direct()
	if l == nil {
		var err error
		if l, err = h.dialDirect(ctx, r, dialTimeout); err != nil {
			return err
		}
	}
	if now := time.Now(); now.Sub(l.since) > reobserve && now.Sub(r.observed) > reobserve { // the NAT may have changed its mind
		r.observed = now
		h.observe(l)
	}
	p, err := h.startLibp2p()
	if err != nil {
		return err
	}
	return p.reserve(ctx, id, l.conn.RemoteAddr())
}

// improve looks for a direct way to a peer that is reached through a relay, and closes what libp2p no longer needs.
func (h *Host) improve(r *remote, now time.Time) {
	l := r.current()
	if l == nil && !h.tunnel.has(r.id) && now.Sub(r.lostAt()) > linkless { // a place at this relay is for members that are connected
		h.dropLibp2p(r.id, now.Add(-linkless))
		return
	}
	if l == nil || !l.relayed {
		if !h.cfg.Relay && !slices.Contains(h.relayList(), r.id) && !h.tunnel.has(r.id) {
			h.dropLibp2p(r.id, now.Add(-upkeep))
		}
		return
	}
	if now.Sub(l.since) < retryDirect || now.Sub(r.tried) < retryDirect || !h.enter() {
		return
	}
	r.tried = now
	go func() {
		defer h.wg.Done()
		if _, err := h.dialDirect(h.ctx, r, handshakeTimeout); err == nil {
			return
		}
		p := h.libp2p.Load()
		pid, err := peer.Decode(string(r.id))
		if p == nil || err != nil {
			return
		}
		// Only the callee of a circuit may punch.
		if slices.ContainsFunc(p.node.Network().ConnsToPeer(pid), func(c network.Conn) bool {
			return c.Stat().Direction == network.DirInbound && relayedConn(c)
		}) {
			if err := p.punch.DirectConnect(pid); err != nil {
				h.log.Debug("no hole punched", "peer", r.id.Short(), "error", err.Error())
			}
		}
	}()
}

func relayedConn(c network.Conn) bool {
	_, err := c.RemoteMultiaddr().ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// found takes a new connection of libp2p: a direct one shows an address that works, so a link is dialled there, by one side.
func (h *Host) found(c network.Conn) {
	if relayedConn(c) {
		return
	}
	id := PeerID(c.RemotePeer().String())
	a, _, err := quicreuse.FromQuicMultiaddr(c.RemoteMultiaddr())
	if err != nil {
		return
	}
	h.book.learn(id, []string{a.String()})
	r := h.remote(id)
	if r.direct() != nil || id < h.ID() || !h.enter() {
		return
	}
	go func() {
		defer h.wg.Done()
		ctx, cancel := context.WithTimeout(h.ctx, punchTimeout)
		defer cancel()
		if _, err := h.dialMember(ctx, r, []string{a.String()}); err != nil && h.ctx.Err() == nil {
			h.log.Debug("no link through the punched hole", "peer", id.Short(), "error", err.Error())
		}
	}()
}

// viaRelays are connected relays that may reach the target.
func (h *Host) viaRelays(target PeerID) []*remote {
	var out []*remote
	for _, id := range h.relayList() {
		if r, ok := h.known(id); ok && id != target && r.direct() != nil {
			out = append(out, r)
		}
	}
	return out
}

// dialRelayed makes an inner connection through a relay.
func (h *Host) dialRelayed(ctx context.Context, via, r *remote) (*link, error) {
	fail := func(err error) (*link, error) {
		return nil, fmt.Errorf("through relay %s: %w", via.id.Short(), err)
	}
	p, err := h.startLibp2p()
	if err != nil {
		return fail(err)
	}
	s, err := p.through(ctx, via, r.id)
	if err != nil {
		return fail(err)
	}
	addr, err := h.tunnel.attach(r.id, resetter{s})
	if err != nil {
		return fail(err)
	}
	conn, err := h.inner.Dial(ctx, addr, h.clientTLS(r.id, alpnMember), h.innerConfig())
	if err != nil {
		return fail(refusal(err))
	}
	return h.dialed(r, conn, true)
}

// relayLost ends the links over a stream that is no more.
func (h *Host) relayLost(id PeerID) {
	r, ok := h.known(id)
	if !ok {
		return
	}
	for _, l := range r.all() {
		if l.relayed {
			_ = l.conn.CloseWithError(quic.ApplicationErrorCode(CodeClosing), errRelayLost.Error())
		}
	}
}

var errRelayLost = errors.New("the relayed path is gone")
