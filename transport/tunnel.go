package transport

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Two peers without a direct path talk QUIC through a libp2p stream that a relay carries: each packet of the inner connection is
// a message of the stream. The inner connection is a link like any other, with streams, priorities, datagrams and cancellation.
//
//	stream := { length(2) packet }*
const (
	// tunnelPacket is the size of inner packets, and the most that a message may hold. It is quic-go's initial size: with a larger
	// one its pacer (0.64.1) spins, because it computes when to send with the one and whether to send with the other.
	tunnelPacket = 1280
	// tunnelQueue is how many packets wait to be written to one stream, and how many from all streams wait to be read; more are
	// dropped, as a router would.
	tunnelQueue = 512
	tunnelHead  = 2
)

// tunnel is the socket of the inner connections. Peers appear under made-up unique local addresses. Safe for concurrent use.
type tunnel struct {
	host *Host
	in   chan inPacket
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	ways     map[string]*way // by address
	deadline time.Time
	moved    chan struct{} // closed when deadline changes
}

type inPacket struct {
	from *net.UDPAddr
	b    []byte
}

// way is the stream to one peer.
type way struct {
	peer   PeerID
	addr   *net.UDPAddr
	stream io.ReadWriteCloser
	queue  chan []byte
	done   chan struct{} // closed when reading has ended
}

func newTunnel(h *Host) *tunnel {
	return &tunnel{
		host: h, in: make(chan inPacket, tunnelQueue), done: make(chan struct{}), ways: map[string]*way{}, moved: make(chan struct{}),
	}
}

// tunnelAddr is the constant made-up address of a peer.
func tunnelAddr(p PeerID) *net.UDPAddr {
	sum := sha256.Sum256([]byte(p))
	return &net.UDPAddr{IP: append(net.IP{0xfd}, sum[:15]...), Port: 1}
}

// attach makes a stream the way to a peer, in place of any before it, and returns the peer's address. The tunnel closes the
// stream, which must end reads and writes under way.
func (t *tunnel) attach(p PeerID, s io.ReadWriteCloser) (*net.UDPAddr, error) {
	w := &way{peer: p, addr: tunnelAddr(p), stream: s, queue: make(chan []byte, tunnelQueue), done: make(chan struct{})}
	if !t.host.enter() {
		_ = s.Close()
		return nil, ErrClosed
	}
	t.mu.Lock()
	old := t.ways[w.addr.String()]
	t.ways[w.addr.String()] = w
	t.mu.Unlock()
	if old != nil {
		_ = old.stream.Close()
	}
	go func() {
		defer t.host.wg.Done()
		t.serve(w)
	}()
	return w.addr, nil
}

// serve moves packets until the stream ends, and ends the links over it.
func (t *tunnel) serve(w *way) {
	var wg sync.WaitGroup
	wg.Go(func() {
		w.write()
		_ = w.stream.Close()
	})
	t.read(w)
	close(w.done)
	_ = w.stream.Close()
	wg.Wait()
	t.mu.Lock()
	last := t.ways[w.addr.String()] == w
	if last {
		delete(t.ways, w.addr.String())
	}
	t.mu.Unlock()
	if last {
		t.host.relayLost(w.peer)
	}
}

func (t *tunnel) read(w *way) {
	r := bufio.NewReaderSize(w.stream, 64<<10)
	for {
		b, err := readFrame(r)
		if err != nil {
			return
		}
		select {
		case t.in <- inPacket{w.addr, b}:
		default:
		}
	}
}

// readFrame reads one message of a stream.
func readFrame(r io.Reader) ([]byte, error) {
	var head [tunnelHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(head[:])
	if n == 0 || n > tunnelPacket {
		return nil, fmt.Errorf("packet of %d bytes, limit %d: %w", n, tunnelPacket, errWire)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// appendFrame writes one message.
func appendFrame(dst, packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(packet))), packet...)
}

// write sends queued packets, as many together as there are.
func (w *way) write() {
	out := bufio.NewWriterSize(w.stream, 16<<10)
	for {
		var b []byte
		select {
		case b = <-w.queue:
		case <-w.done:
			return
		}
		for more := true; more; {
			if _, err := out.Write(b); err != nil {
				return
			}
			select {
			case b = <-w.queue:
			default:
				more = false
			}
		}
		if err := out.Flush(); err != nil {
			return
		}
	}
}

// detach closes the stream to a peer, if there is one.
func (t *tunnel) detach(p PeerID) {
	t.mu.Lock()
	w := t.ways[tunnelAddr(p).String()]
	t.mu.Unlock()
	if w != nil {
		_ = w.stream.Close()
	}
}

// has tells whether there is a stream to a peer.
func (t *tunnel) has(p PeerID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ways[tunnelAddr(p).String()] != nil
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

// WriteTo queues a packet; without a stream to the peer, or when its queue is full, the packet is lost, which QUIC above repeats.
func (t *tunnel) WriteTo(b []byte, to net.Addr) (int, error) {
	if len(b) > tunnelPacket {
		return 0, fmt.Errorf("packet of %d bytes: %w", len(b), ErrTooLarge)
	}
	t.mu.Lock()
	w := t.ways[to.String()]
	t.mu.Unlock()
	if w == nil {
		return len(b), nil
	}
	select {
	case w.queue <- appendFrame(make([]byte, 0, tunnelHead+len(b)), b):
	default:
	}
	return len(b), nil
}

// Close ends reads and every stream.
func (t *tunnel) Close() error {
	t.once.Do(func() { close(t.done) })
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.ways {
		_ = w.stream.Close()
	}
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

// innerConfig is the QUIC configuration of inner connections.
func (h *Host) innerConfig() *quic.Config {
	c := h.quicConf.Clone()
	c.InitialPacketSize = tunnelPacket
	c.DisablePathMTUDiscovery = true
	return c
}
