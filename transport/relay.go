package transport

import (
	"context"
	"crypto/sha256"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// Two peers without a direct path talk QUIC through a relay: each packet of the inner connection is the payload of a datagram of
// the outer connections. The inner connection is a link like any other, encrypted end to end: the relay sees identities, sizes
// and times.
//
//	datagram := 4 destination(32) packet        to the relay
//	          | 5 source(32) packet             from the relay

const (
	relayHeader = 33
	// relayPacket is the size of inner packets: what QUIC asks of every path, and what fits an outer packet with the header.
	relayPacket = 1200
	// relayQueue is how many packets wait at a relay for one peer; more are dropped, as a router would.
	relayQueue = 256
	// tunnelQueue is how many packets from relays wait to be read.
	tunnelQueue = 512
)

// route is a way to a peer through a relay.
type route struct{ relay, peer PeerID }

// tunnel is the socket of the inner connections. Routes appear as made-up unique local addresses.
type tunnel struct {
	host *Host
	in   chan tunnelPacket
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	routes   map[string]route // by address
	deadline time.Time
	moved    chan struct{} // closed when deadline changes
}

type tunnelPacket struct {
	from *net.UDPAddr
	b    []byte
}

func newTunnel(h *Host) *tunnel {
	return &tunnel{
		host: h, in: make(chan tunnelPacket, tunnelQueue), done: make(chan struct{}), routes: map[string]route{},
		moved: make(chan struct{}),
	}
}

// address is the constant made-up address of a route.
func (t *tunnel) address(r route) *net.UDPAddr {
	sum := sha256.Sum256([]byte(r.relay + "/" + r.peer))
	a := &net.UDPAddr{IP: append(net.IP{0xfd}, sum[:15]...), Port: 1}
	t.mu.Lock()
	t.routes[a.String()] = r
	t.mu.Unlock()
	return a
}

func (t *tunnel) route(a net.Addr) (route, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.routes[a.String()]
	return r, ok
}

// deliver takes a packet that a relay passed on.
func (t *tunnel) deliver(relay, source PeerID, b []byte) {
	select {
	case t.in <- tunnelPacket{t.address(route{relay, source}), b}:
	default:
	}
}

// ReadFrom waits for a packet.
func (t *tunnel) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		t.mu.Lock()
		deadline, moved := t.deadline, t.moved
		t.mu.Unlock()
		var expired <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case p := <-t.in:
			return copy(b, p.b), p.from, nil
		case <-expired:
			return 0, nil, context.DeadlineExceeded
		case <-moved:
		case <-t.done:
			return 0, nil, net.ErrClosed
		}
	}
}

// WriteTo sends a packet through the route's relay; without a connection to it the packet is lost.
func (t *tunnel) WriteTo(b []byte, to net.Addr) (int, error) {
	r, ok := t.route(to)
	if !ok {
		return 0, net.ErrClosed
	}
	peer, known := t.host.known(r.relay)
	public, err := r.peer.Public()
	if !known || err != nil {
		return len(b), nil
	}
	if l := peer.direct(); l != nil {
		// A full queue or a closing connection loses the packet, which QUIC above repeats.
		_ = t.host.sendDatagram(l, packetForward, append(append(make([]byte, 0, relayHeader+len(b)), public...), b...))
	}
	return len(b), nil
}

// Close ends reads.
func (t *tunnel) Close() error {
	t.once.Do(func() { close(t.done) })
	return nil
}

// LocalAddr is a made-up address.
func (t *tunnel) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv6loopback, Port: 1} }

// SetReadDeadline makes ReadFrom fail after d.
func (t *tunnel) SetReadDeadline(d time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = d
	close(t.moved)
	t.moved = make(chan struct{})
	return nil
}

// SetDeadline is SetReadDeadline: writes never block.
func (t *tunnel) SetDeadline(d time.Time) error { return t.SetReadDeadline(d) }

// SetWriteDeadline does nothing: writes never block.
func (t *tunnel) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer and SetWriteBuffer exist because QUIC asks sockets for them.
func (t *tunnel) SetReadBuffer(int) error  { return nil }
func (t *tunnel) SetWriteBuffer(int) error { return nil }

// forwarder is a relay's queue towards one connection.
type forwarder struct {
	queue chan []byte
}

// relayConfig is the QUIC configuration of inner connections.
func (h *Host) relayConfig() *quic.Config {
	c := h.quicConf.Clone()
	c.InitialPacketSize = relayPacket
	c.DisablePathMTUDiscovery = true
	return c
}

// forward passes a packet from one member to another, if this host is a relay and is connected to the other.
func (h *Host) forward(from *remote, b []byte) {
	if !h.cfg.Relay || len(b) < relayHeader-1 || h.relayLimit != nil && !h.relayLimit.AllowN(time.Now(), len(b)) {
		return
	}
	id, err := h.idOf(admit.Key(b[:relayHeader-1]))
	if err != nil {
		return
	}
	to, ok := h.known(id)
	if !ok {
		return
	}
	source, err := from.id.Public()
	if err != nil {
		return
	}
	l := to.direct()
	if l == nil {
		return
	}
	copy(b, source)
	f := h.forwarderOf(l)
	if f == nil {
		return
	}
	select {
	case f.queue <- b:
	default:
	}
}

// forwarderOf finds or starts the queue towards a connection; nil when the host closes.
func (h *Host) forwarderOf(l *link) *forwarder {
	if f := l.forward.Load(); f != nil {
		return f
	}
	f := &forwarder{queue: make(chan []byte, relayQueue)}
	if !l.forward.CompareAndSwap(nil, f) {
		return l.forward.Load()
	}
	if !h.enter() {
		return nil
	}
	go func() {
		defer h.wg.Done()
		for {
			select {
			case b := <-f.queue:
				_ = h.sendDatagram(l, packetForwarded, b)
			case <-l.conn.Context().Done():
				return
			}
		}
	}()
	return f
}

// idOf is PeerIDOf with a memory, for the packets of a relay.
func (h *Host) idOf(k admit.Key) (PeerID, error) {
	if id, ok := h.ids.Load(k); ok {
		return id.(PeerID), nil
	}
	id, err := PeerIDOf(k[:])
	if err != nil {
		return "", err
	}
	if _, known := h.known(id); known { // strangers' keys must not fill the memory
		h.ids.Store(k, id)
	}
	return id, nil
}

// newRelayLimit bounds what a relay forwards; nil means no bound.
func newRelayLimit(bytesPerSecond int) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), max(bytesPerSecond/4, 64<<10))
}
