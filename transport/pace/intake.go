package pace

import (
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/net/ipv4"
)

const (
	// maxUnread is how many packets of one source may wait for QUIC to process them, and enoughRead down to how many a reader waits then.
	// quic-go (0.64.1) drops packets beyond 256 that one connection has not processed.
	maxUnread  = 160
	enoughRead = 96
	// yields is how often a waiting reader only lets other goroutines run before it sleeps for nap.
	yields = 64
	nap    = 100 * time.Microsecond
	// patience is how long a reader waits for a source of which nothing is processed. Then the count was wrong: packets that belong to no
	// connection are never processed.
	patience = 20 * time.Millisecond
	// grace is how long the reader does not wait for such a source again: whoever forges a member's address costs all others no more than
	// patience in every grace.
	grace = time.Second
)

// intake is one source of packets.
type intake struct {
	conns     map[int]func() uint64 // packets that each connection has processed; guarded by Conn.mu
	next      int
	processed uint64    // their sum when it was last looked at
	unread    int       // packets read and not processed then, and those read since
	until     time.Time // until then nobody waits for this source
}

// count looks at what was processed; Conn.mu is held. It reports whether it was anything.
func (in *intake) count() bool {
	sum := uint64(0)
	for _, processed := range in.conns {
		sum += processed()
	}
	done := sum - in.processed
	in.processed = sum
	in.unread = max(0, in.unread-int(min(done, uint64(in.unread))))
	return done > 0
}

// Follow makes reads wait while a connection to a source has not processed what was read before: the system's buffer holds more
// than QUIC does. processed is how many packets the connection has processed so far; it is called from other goroutines. The caller must
// call stop when the connection has ended.
func (c *Conn) Follow(from netip.AddrPort, processed func() uint64) (stop func()) {
	from = canonical(from)
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.sources[from]
	if in == nil {
		in = &intake{conns: map[int]func() uint64{}}
		c.sources[from] = in
		c.followed.Add(1)
	}
	in.next++
	n := in.next
	in.conns[n] = processed
	in.processed += processed()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(in.conns, n)
		if len(in.conns) == 0 {
			delete(c.sources, from)
			c.followed.Add(-1)
			return
		}
		in.processed, in.unread = 0, 0
		in.count()
	}
}

// took notes a packet read from a source, and waits while too many are unprocessed.
func (c *Conn) took(from net.Addr) {
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return
	}
	source := canonical(u.AddrPort())
	c.mu.Lock()
	in := c.sources[source]
	full := false
	if in != nil {
		if in.unread++; in.unread > maxUnread {
			in.count()
			full = in.unread > maxUnread && time.Now().After(in.until)
		}
	}
	c.mu.Unlock()
	if full {
		c.await(source, in)
	}
}

// await waits until enough packets of a source are processed, or none for too long.
func (c *Conn) await(source netip.AddrPort, in *intake) {
	last := time.Now()
	for i := 0; ; i++ {
		if i < yields {
			runtime.Gosched()
		} else if !c.sleep(nap, c.done) {
			return
		}
		c.mu.Lock()
		moved := in.count()
		gone := c.sources[source] != in
		enough := in.unread <= enoughRead
		if !moved && time.Since(last) > patience {
			in.unread, in.until, enough = 0, time.Now().Add(grace), true
		}
		c.mu.Unlock()
		if gone || enough {
			return
		}
		if moved {
			last = time.Now()
		}
	}
}

// ReadFrom reads a packet.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil && c.followed.Load() > 0 {
		c.took(from)
	}
	return n, from, err
}

// ReadBatch reads packets that have arrived.
func (u *udpConn) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	n, err := u.batchSocket.ReadBatch(ms, flags)
	if err == nil && u.conn.followed.Load() > 0 {
		for i := range ms[:n] {
			u.conn.took(ms[i].Addr)
		}
	}
	return n, err
}
