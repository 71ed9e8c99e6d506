package shape

import (
	"net"
	"sync"
	"time"
)

// Conn is a socket whose sent packets pass the Shaper's links. Packets in flight at Close are dropped.
type Conn struct {
	net.PacketConn
	shaper *Shaper
	timer  timer
	flush  func([]delivery) // writes packets to the socket
	done   chan struct{}
	wg     sync.WaitGroup
	once   sync.Once
}

// timer waits until a moment; one goroutine waits, others set.
type timer interface {
	// set makes the wait end at that moment. It is called with the earliest moment that anything is to be done.
	set(at time.Time)
	// wait blocks until the moment last set, or longer when stop was called before: then it reports false.
	wait() bool
	// stop ends the wait for ever.
	stop()
	// close frees what the timer holds; no wait may be under way.
	close()
}

// Wrap puts the Shaper before a socket. It panics when called twice, since times on a link belong to one socket.
func (s *Shaper) Wrap(pc net.PacketConn) net.PacketConn {
	if s.conn != nil {
		panic("shape: one Shaper for two sockets")
	}
	c := &Conn{PacketConn: pc, shaper: s, done: make(chan struct{})}
	c.flush = c.writeEach
	out := wrapUDP(c)
	if !s.virtual {
		c.timer = newPreciseTimer()
	}
	if c.timer == nil {
		c.timer = newGoTimer()
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
		c.timer.stop()
		err = c.PacketConn.Close()
		c.wg.Wait()
		c.timer.close()
	})
	return err
}

// deliver is the goroutine that puts packets onto the socket at their time.
func (c *Conn) deliver() {
	defer c.wg.Done()
	var batch []delivery
	for c.timer.wait() {
		var next time.Time
		batch, next = c.shaper.due(batch[:0], time.Now())
		c.flush(batch)
		for i := range batch {
			putBuffer(batch[i].b)
			batch[i] = delivery{}
		}
		if !next.IsZero() {
			c.timer.set(next)
		}
	}
}

// writeEach writes packets one by one. A packet that the system refuses is a lost packet.
func (c *Conn) writeEach(batch []delivery) {
	for _, d := range batch {
		_, _ = c.PacketConn.WriteTo(d.b, d.to)
	}
}

// goTimer waits on an ordinary timer: late by up to a millisecond on an idle Linux process.
type goTimer struct {
	moved chan time.Time
	done  chan struct{}
}

func newGoTimer() *goTimer {
	return &goTimer{moved: make(chan time.Time, 1), done: make(chan struct{})}
}

func (t *goTimer) set(at time.Time) {
	for {
		select {
		case t.moved <- at:
			return
		case <-t.done:
			return
		default:
		}
		select {
		case old := <-t.moved:
			if old.Before(at) {
				at = old
			}
		default:
		}
	}
}

func (t *goTimer) wait() bool {
	var at time.Time
	var fire <-chan time.Time
	var tm *time.Timer
	for {
		select {
		case <-t.done:
			return false
		case next := <-t.moved:
			if at.IsZero() || next.Before(at) {
				at = next
				if tm != nil {
					tm.Stop()
				}
				tm = time.NewTimer(time.Until(at))
				fire = tm.C
			}
		case <-fire:
			return true
		}
	}
}

func (t *goTimer) stop()  { close(t.done) }
func (t *goTimer) close() {}
