package pace

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"

	"github.com/cleave-mesh/cleave/transport/alarm"
	"github.com/cleave-mesh/cleave/transport/shape"
)

const (
	// slack is how much of the time that a sleep lasted too long is made up for; more would be a burst again.
	slack = time.Millisecond
	// longest bounds how long one write is held back, whatever the rate.
	longest = 100 * time.Millisecond
)

// Conn is a socket that can hold packets back. Writes to different destinations do not wait for each other; those to one
// destination come from one goroutine, as QUIC's do. Safe for concurrent use.
type Conn struct {
	net.PacketConn
	sleep func(d time.Duration, done <-chan struct{}) bool
	done  chan struct{}
	once  sync.Once

	paced    atomic.Int32 // limits with a rate
	followed atomic.Int32 // sources
	mu       sync.Mutex
	dests    map[netip.AddrPort]*limit
	sources  map[netip.AddrPort]*intake
}

// limit is one destination.
type limit struct {
	rate float64       // bytes per second
	held time.Duration // in all
	next time.Time     // when the next packet may leave
}

// batchSocket is what QUIC makes use of in a UDP socket.
type batchSocket interface {
	quic.OOBCapablePacketConn
	SetWriteBuffer(bytes int) error
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
}

// plain gives the system's socket a batched read.
type plain struct {
	*net.UDPConn
	batch *ipv4.PacketConn
}

func (p plain) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	return p.batch.ReadBatch(ms, flags)
}

// udpConn is a Conn over a socket with control messages and segmentation offload.
type udpConn struct {
	batchSocket
	conn *Conn
}

// Wrap puts a Conn before a socket. QUIC is to use the second result, which has the capabilities of the socket below.
func Wrap(pc net.PacketConn) (*Conn, net.PacketConn) {
	c := &Conn{PacketConn: pc, sleep: alarm.PlainSleep, done: make(chan struct{}), dests: map[netip.AddrPort]*limit{}, sources: map[netip.AddrPort]*intake{}}
	if u, ok := pc.(*net.UDPConn); ok {
		pc = plain{u, ipv4.NewPacketConn(u)}
	}
	if s, ok := pc.(batchSocket); ok { // of the system, where time is real
		c.sleep = alarm.Sleep
		return c, &udpConn{s, c}
	}
	return c, c
}

// Pace sets a destination's rate in bytes per second of payload; 0 lets packets pass.
func (c *Conn) Pace(to netip.AddrPort, rate float64) {
	to = canonical(to)
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.dests[to]
	switch {
	case rate > 0 && ok:
		l.rate = rate
	case rate > 0:
		c.dests[to] = &limit{rate: rate}
		c.paced.Add(1)
	case ok:
		delete(c.dests, to)
		c.paced.Add(-1)
	}
}

// Held is how long packets to a destination were held back in all since it has a rate.
func (c *Conn) Held(to netip.AddrPort) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.dests[canonical(to)]; ok {
		return l.held
	}
	return 0
}

func canonical(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// hold takes bytes into account that leave now or later, and returns how long they must wait.
func (l *limit) hold(n int, now time.Time) time.Duration {
	if earliest := now.Add(-slack); l.next.Before(earliest) {
		l.next = earliest
	}
	wait := min(longest, max(0, l.next.Sub(now)))
	l.next = l.next.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	l.held += wait
	return wait
}

// pass waits until n bytes may leave.
func (c *Conn) pass(n int, to netip.AddrPort) {
	c.mu.Lock()
	l := c.dests[canonical(to)]
	var wait time.Duration
	if l != nil {
		wait = l.hold(n, time.Now())
	}
	c.mu.Unlock()
	if wait > 0 {
		c.sleep(wait, c.done)
	}
}

// WriteTo sends a packet when its time has come.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.paced.Load() > 0 {
		if u, ok := to.(*net.UDPAddr); ok {
			c.pass(len(b), u.AddrPort())
		}
	}
	return c.PacketConn.WriteTo(b, to)
}

// Release ends all holding back, now and from now on.
func (c *Conn) Release() { c.once.Do(func() { close(c.done) }) }

// Close releases what waits, and closes the socket.
func (c *Conn) Close() error {
	c.Release()
	return c.PacketConn.Close()
}

func (u *udpConn) Close() error { return u.conn.Close() }

func (u *udpConn) WriteTo(b []byte, to net.Addr) (int, error) { return u.conn.WriteTo(b, to) }

// WriteMsgUDP sends one packet, or the segments of one buffer a few at a time, when their time has come.
func (u *udpConn) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	if u.conn.paced.Load() == 0 {
		return u.batchSocket.WriteMsgUDP(b, oob, to)
	}
	segment := len(b)
	if size := shape.SegmentSize(oob); size > 0 {
		segment = size
	}
	for len(b) > 0 {
		part := b[:min(segment, len(b))]
		u.conn.pass(len(part), to.AddrPort())
		k, ko, err := u.batchSocket.WriteMsgUDP(part, oob, to)
		n, oobn = n+k, ko
		if err != nil {
			return n, oobn, err
		}
		b = b[len(part):]
	}
	return n, oobn, nil
}
