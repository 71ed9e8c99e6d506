package shape

import (
	"net"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/transport/alarm"
)

// Conn is a socket whose sent packets pass the Shaper's links. Packets in flight at Close are dropped.
type Conn struct {
	net.PacketConn
	shaper *Shaper
	timer  alarm.Timer
	flush  func([]delivery) // writes packets to the socket
	done   chan struct{}
	wg     sync.WaitGroup
	once   sync.Once
}

// Wrap puts the Shaper before a socket. It panics when called twice, since times on a link belong to one socket.
func (s *Shaper) Wrap(pc net.PacketConn) net.PacketConn {
	if s.conn != nil {
		panic("shape: one Shaper for two sockets")
	}
	c := &Conn{PacketConn: pc, shaper: s, done: make(chan struct{})}
	c.flush = c.writeEach
	out := wrapUDP(c)
	if c.timer = alarm.NewPlain(); !s.virtual {
		c.timer = alarm.New()
	}
	s.conn = c
	c.wg.Add(1)
	go c.deliver()
	return out
}

// WriteTo hands a packet to the link. Like a real network, it reports no loss.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	default:
	}
	direct, err := c.shaper.send(b, nil, 0, to)
	if err != nil {
		return 0, err
	}
	if direct {
		return c.PacketConn.WriteTo(b, to)
	}
	return len(b), nil
}

// SetReadBuffer sizes the system's buffer of the socket below, when it has one.
func (c *Conn) SetReadBuffer(n int) error {
	if s, ok := c.PacketConn.(interface{ SetReadBuffer(int) error }); ok {
		return s.SetReadBuffer(n)
	}
	return nil
}

// SetWriteBuffer sizes the system's buffer of the socket below, when it has one.
func (c *Conn) SetWriteBuffer(n int) error {
	if s, ok := c.PacketConn.(interface{ SetWriteBuffer(int) error }); ok {
		return s.SetWriteBuffer(n)
	}
	return nil
}

// Close drops what is under way and closes the socket.
func (c *Conn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.done)
		c.timer.Stop()
		err = c.PacketConn.Close()
		c.wg.Wait()
		c.timer.Close()
	})
	return err
}

// deliver is the goroutine that puts packets onto the socket at their time.
func (c *Conn) deliver() {
	defer c.wg.Done()
	var batch []delivery
	for c.timer.Wait() {
		var next time.Time
		batch, next = c.shaper.due(batch[:0], time.Now())
		c.flush(batch)
		for i := range batch {
			putBuffer(batch[i].b)
			batch[i] = delivery{}
		}
		if !next.IsZero() {
			c.timer.Set(next)
		}
	}
}

// writeEach writes packets one by one. A packet that the system refuses is a lost packet.
func (c *Conn) writeEach(batch []delivery) {
	for _, d := range batch {
		_, _ = c.PacketConn.WriteTo(d.b, d.to)
	}
}
