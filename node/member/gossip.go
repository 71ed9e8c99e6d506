package member

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cleave-mesh/cleave/transport"
)

const (
	// gossipPort completes the made-up addresses that memberlist is given.
	gossipPort = 25328
	// heldPackets is how many packets to one peer wait for its connection.
	heldPackets = 16
	packetQueue = 512
)

// wire is memberlist's Transport over a Host: packets as QUIC datagrams, streams as QUIC streams, both routed by node name.
type wire struct {
	host    *transport.Host
	timeout time.Duration
	packets chan *memberlist.Packet
	streams chan net.Conn
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu     sync.Mutex
	held   map[transport.PeerID][][]byte // packets that wait for a dial under way
	closed bool
}

var _ memberlist.NodeAwareTransport = (*wire)(nil)

func newWire(h *transport.Host, timeout time.Duration) *wire {
	w := &wire{
		host: h, timeout: timeout, packets: make(chan *memberlist.Packet, packetQueue), streams: make(chan net.Conn),
		held: map[transport.PeerID][][]byte{},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	h.HandlePackets(func(from transport.PeerID, b []byte, received time.Time) {
		select {
		case w.packets <- &memberlist.Packet{Buf: b, From: addressOf(from), Timestamp: received}:
		default: // gossip survives lost packets; blocking the connection would not
		}
	})
	h.Handle(transport.KindGossip, w.serve)
	return w
}

// addressOf makes the constant address that stands for a node: a unique local IPv6 address from a hash of its identity.
func addressOf(id transport.PeerID) *net.UDPAddr {
	sum := sha256.Sum256([]byte(id))
	ip := append(net.IP{0xfd}, sum[:15]...)
	return &net.UDPAddr{IP: ip, Port: gossipPort}
}

// FinalAdvertiseAddr gives memberlist the constant address of this node.
func (w *wire) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	a := addressOf(w.host.ID())
	return a.IP, a.Port, nil
}

var errNoName = errors.New("member: gossip needs a node's name, not only an address")

// WriteTo cannot route by address.
func (w *wire) WriteTo([]byte, string) (time.Time, error) { return time.Time{}, errNoName }

// DialTimeout cannot route by address.
func (w *wire) DialTimeout(string, time.Duration) (net.Conn, error) { return nil, errNoName }

// WriteToAddress sends a packet on the standing connection, or holds it for a dial in the background.
func (w *wire) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	if addr.Name == "" {
		return time.Time{}, errNoName
	}
	id := transport.PeerID(addr.Name)
	if w.host.Connected(id) {
		return time.Now(), w.host.SendPacket(w.ctx, id, b)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return time.Time{}, net.ErrClosed
	}
	held, dialing := w.held[id]
	if len(held) < heldPackets {
		w.held[id] = append(held, append([]byte(nil), b...))
	}
	if !dialing {
		w.wg.Add(1)
		go w.dial(id)
	}
	return time.Now(), nil
}

// dial connects to a peer and sends what was held for it; without a connection it is lost, as packets may be.
func (w *wire) dial(id transport.PeerID) {
	defer w.wg.Done()
	ctx, cancel := context.WithTimeout(w.ctx, w.timeout)
	defer cancel()
	err := w.host.Connect(ctx, id)
	w.mu.Lock()
	held := w.held[id]
	delete(w.held, id)
	w.mu.Unlock()
	if err != nil {
		return
	}
	for _, b := range held {
		_ = w.host.SendPacket(ctx, id, b)
	}
}

// PacketCh delivers received packets.
func (w *wire) PacketCh() <-chan *memberlist.Packet { return w.packets }

// StreamCh delivers accepted streams.
func (w *wire) StreamCh() <-chan net.Conn { return w.streams }

// DialAddressTimeout opens a gossip stream. timeout bounds the opening; memberlist sets deadlines for the rest.
func (w *wire) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if addr.Name == "" {
		return nil, errNoName
	}
	id := transport.PeerID(addr.Name)
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	if err := w.host.Connect(ctx, id); err != nil {
		return nil, err
	}
	s, err := w.host.Open(w.ctx, id, transport.KindGossip)
	if err != nil {
		return nil, err
	}
	return dialedConn{s}, nil
}

// dialedConn finishes what was written before it closes, as a TCP connection does.
type dialedConn struct{ *transport.Stream }

func (c dialedConn) Close() error {
	// A stream that was reset needs no end.
	_ = c.CloseWrite()
	return c.Stream.Close()
}

// acceptedConn ends its handler when memberlist closes it.
type acceptedConn struct {
	*transport.Incoming
	once *sync.Once
	done chan struct{}
}

func (c acceptedConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

func (w *wire) serve(ctx context.Context, in *transport.Incoming) {
	c := acceptedConn{in, new(sync.Once), make(chan struct{})}
	select {
	case w.streams <- c:
	case <-ctx.Done():
		return
	case <-w.ctx.Done():
		in.Fail(transport.CodeClosing, "gossip has ended")
		return
	}
	// memberlist closes the stream when it is done with it; its own deadlines make sure that it is.
	select {
	case <-c.done:
	case <-ctx.Done():
	}
}

// Shutdown stops the wire; the host goes on.
func (w *wire) Shutdown() error {
	w.host.HandlePackets(nil)
	w.host.Handle(transport.KindGossip, nil)
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
	return nil
}

// joinName is the text by which memberlist joins a node.
func joinName(id transport.PeerID) string {
	return fmt.Sprintf("%s/%s", id, addressOf(id))
}
