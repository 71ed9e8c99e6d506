package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

const (
	// protoPackets is the libp2p protocol of inner packets: see tunnel.go.
	protoPackets protocol.ID = "/cleave/packets/1"
	// relayedWindow is the most bytes of one relayed stream that are on their way: it bounds what waits in relays.
	relayedWindow = 2 << 20
	// reservationTime is how long a relay keeps a place for a member that is connected; it is renewed at half time.
	reservationTime = time.Hour
	// maxReservations is how many members may hold a place at a relay, maxCircuits how many connections through it one member may
	// have.
	maxReservations = 1024
	maxCircuits     = 128
	relayBuffer     = 64 << 10
	// reservationTries and reservationPause are how often, and after what pause, a peer is looked for at a relay: it may be just
	// about to reserve its place there.
	reservationTries = 4
	reservationPause = 300 * time.Millisecond
)

// p2p is libp2p on the host's socket: the client of circuit relays, hole punching (DCUtR) and, when told to, the relay service.
// It begins with the first thing that needs it: being a relay, knowing one, or looking for members on the LAN. libp2p makes paths;
// what goes over them are links of this package.
type p2p struct {
	host  *Host
	node  *basichost.BasicHost
	punch *holepunch.Service
	relay *relay.Relay // nil unless Config.Relay
	reuse *quicreuse.ConnManager
	lent  []*lent
	// reserved are the places at relays; only keepPaths uses it.
	reserved map[PeerID]place
}

// place is a reservation at a relay; it ends with the connection.
type place struct {
	conn  network.Conn
	renew time.Time
}

// startLibp2p is the running libp2p; the first call starts it.
func (h *Host) startLibp2p() (*p2p, error) {
	h.p2pMu.Lock()
	defer h.p2pMu.Unlock()
	if p := h.libp2p.Load(); p != nil {
		return p, nil
	}
	if h.ctx.Err() != nil {
		return nil, ErrClosed
	}
	p := &p2p{host: h, reserved: map[PeerID]place{}}
	if err := p.start(); err != nil {
		h.libp2p.Store(nil)
		p.close()
		return nil, fmt.Errorf("transport: start libp2p: %w", err)
	}
	return p, nil
}

// start assembles the host by hand: libp2p's own constructor links every transport that libp2p has.
func (p *p2p) start() error {
	h, key, id := p.host, p.host.identity.key, p.host.peerID()
	limits, err := newLimits()
	if err != nil {
		return err
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return err
	}
	if err := errors.Join(store.AddPrivKey(id, key), store.AddPubKey(id, key.GetPublic())); err != nil {
		return err
	}
	bus := eventbus.NewBus()
	sw, err := swarm.NewSwarm(id, store, bus, swarm.WithConnectionGater(gate{h}), swarm.WithResourceManager(limits),
		swarm.WithDialTimeout(dialTimeout), swarm.WithUDPBlackHoleSuccessCounter(nil), swarm.WithIPv6BlackHoleSuccessCounter(nil))
	if err != nil {
		return err
	}
	p.node, err = basichost.NewHost(sw, &basichost.HostOpts{
		EventBus: bus, UserAgent: "cleave", AddrsFactory: func([]ma.Multiaddr) []ma.Multiaddr { return h.multiaddrs() },
	})
	if err != nil {
		return errors.Join(err, sw.Close())
	}
	listen, err := p.borrow()
	if err != nil {
		return err
	}
	direct, err := libp2pquic.NewTransport(key, p.reuse, nil, gate{h}, limits)
	if err != nil {
		return err
	}
	if err := sw.AddTransport(direct); err != nil {
		return err
	}
	mux := *yamux.DefaultTransport.Config()
	mux.MaxStreamWindowSize = relayedWindow
	up, err := upgrader.New([]sec.SecureTransport{secure{h}},
		[]upgrader.StreamMuxer{{ID: yamux.ID, Muxer: (*yamux.Transport)(&mux)}}, nil, limits, gate{h})
	if err != nil {
		return err
	}
	if err := client.AddTransport(p.node, up); err != nil {
		return err
	}
	p.punch, err = holepunch.NewService(p.node, p.node.IDService(), h.multiaddrs, holepunch.DirectDialTimeout(punchTimeout))
	if err != nil {
		return err
	}
	if h.cfg.Relay {
		p.relay, err = relay.New(p.node, relay.WithResources(relay.Resources{
			ReservationTTL: reservationTime, MaxReservations: maxReservations, MaxReservationsPerIP: maxReservations,
			MaxReservationsPerASN: maxReservations, MaxCircuits: maxCircuits, BufferSize: relayBuffer,
		}))
		if err != nil {
			return err
		}
	}
	p.node.SetStreamHandler(protoPackets, func(s network.Stream) {
		// attach fails only when the host closes, and has closed the stream then.
		_, _ = h.tunnel.attach(PeerID(s.Conn().RemotePeer().String()), resetter{s})
	})
	sw.Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) { h.found(c) }})
	h.libp2p.Store(p) // before strangers' first handshake, which asks for it
	if err := sw.Listen(listen...); err != nil {
		return err
	}
	p.node.Start()
	return nil
}

// borrow lends the host's transport to libp2p for the families of its socket, and returns where libp2p is to listen.
func (p *p2p) borrow() ([]ma.Multiaddr, error) {
	local, ok := p.host.socket.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("socket of type %T has no UDP address", p.host.socket.LocalAddr())
	}
	var err error
	p.reuse, err = quicreuse.NewConnManager(quic.StatelessResetKey{}, quic.TokenGeneratorKey{},
		quicreuse.OverrideListenUDP(func(string, *net.UDPAddr) (net.PacketConn, error) {
			return nil, errors.New("the host has one socket")
		}))
	if err != nil {
		return nil, err
	}
	v4 := local.IP.To4() != nil
	var out []ma.Multiaddr
	for _, f := range []struct {
		network string
		any     net.IP
		use     bool
	}{
		{"udp4", net.IPv4zero, v4 || local.IP.IsUnspecified()},
		{"udp6", net.IPv6unspecified, !v4},
	} {
		if !f.use {
			continue
		}
		l := newLent(p.host, f.any, local.Port)
		if _, err := p.reuse.LendTransport(f.network, l, borrowed{p.host.socket, l.local}); err != nil {
			return nil, err
		}
		a, err := quicreuse.ToQuicMultiaddr(l.local, quic.Version1)
		if err != nil {
			return nil, err
		}
		p.lent, out = append(p.lent, l), append(out, a)
	}
	return out, nil
}

// close ends libp2p, whole or half started; the host's transport and socket stay.
func (p *p2p) close() {
	if p.punch != nil {
		_ = p.punch.Close()
	}
	if p.relay != nil {
		_ = p.relay.Close()
	}
	if p.node != nil {
		_ = p.node.Close()
	}
	if p.reuse != nil {
		_ = p.reuse.Close()
	}
}

// dropLibp2p closes the libp2p connections with a peer that stood at a time.
func (h *Host) dropLibp2p(id PeerID, at time.Time) {
	p := h.libp2p.Load()
	pid, err := peer.Decode(string(id))
	if p == nil || err != nil {
		return
	}
	for _, c := range p.node.Network().ConnsToPeer(pid) {
		if !c.Stat().Opened.After(at) {
			_ = c.Close()
		}
	}
}

// reserve makes sure that this host has a place at a relay, which is reached at the address.
func (p *p2p) reserve(ctx context.Context, id PeerID, at net.Addr) error {
	if r, ok := p.reserved[id]; ok && !r.conn.IsClosed() && time.Now().Before(r.renew) {
		return nil
	}
	pid, err := p.address(id, at)
	if err != nil {
		return err
	}
	s, err := client.Reserve(ctx, p.node, peer.AddrInfo{ID: pid})
	if err != nil {
		return err
	}
	conns := p.node.Network().ConnsToPeer(pid)
	if len(conns) == 0 {
		return errors.New("the connection is gone already")
	}
	p.reserved[id] = place{conns[0], time.Now().Add(time.Until(s.Expiration) / 2)}
	return nil
}

// address tells libp2p where a peer is.
func (p *p2p) address(id PeerID, at net.Addr) (peer.ID, error) {
	pid, err := peer.Decode(string(id))
	if err != nil {
		return "", fmt.Errorf("peer id %q: %w", string(id), err)
	}
	a, err := quicreuse.ToQuicMultiaddr(at, quic.Version1)
	if err != nil {
		return "", err
	}
	p.node.Peerstore().AddAddrs(pid, []ma.Multiaddr{a}, peerstore.ConnectedAddrTTL)
	return pid, nil
}

// through opens a stream to a peer by way of a relay that both have a connection to.
func (p *p2p) through(ctx context.Context, via *remote, to PeerID) (network.Stream, error) {
	l := via.direct()
	if l == nil {
		return nil, errors.New("not connected")
	}
	if _, err := p.address(via.id, l.conn.RemoteAddr()); err != nil {
		return nil, err
	}
	pid, err := peer.Decode(string(to))
	if err != nil {
		return nil, fmt.Errorf("peer id %q: %w", string(to), err)
	}
	circuit, err := ma.NewMultiaddr("/p2p/" + string(via.id) + "/p2p-circuit")
	if err != nil {
		return nil, err
	}
	p.node.Peerstore().AddAddrs(pid, []ma.Multiaddr{circuit}, peerstore.TempAddrTTL)
	for try := 1; ; try++ {
		p.node.Network().(*swarm.Swarm).Backoff().Clear(pid)
		s, err := p.node.NewStream(ctx, pid, protoPackets)
		if err == nil || try == reservationTries {
			return s, err
		}
		pause := time.NewTimer(reservationPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		}
	}
}

// resetter is a stream whose Close ends both directions at once.
type resetter struct{ network.Stream }

var _ io.ReadWriteCloser = resetter{}

func (r resetter) Close() error { return r.Reset() }
