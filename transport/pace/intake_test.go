package pace

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// source is a socket on which packets from one address always wait.
type source struct {
	net.PacketConn
	from *net.UDPAddr
}

func (s source) ReadFrom([]byte) (int, net.Addr, error) { return 1, s.from, nil }
func (s source) Close() error                           { return nil }

// TestIntake reads a socket faster than a connection processes.
func TestIntake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addr := netip.MustParseAddrPort("192.0.2.1:25328")
		c, socket := Wrap(source{from: net.UDPAddrFromAddrPort(addr)})
		var processed, read atomic.Uint64
		unfollow := c.Follow(addr, processed.Load)
		const limit = 1000
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for read.Load() < limit {
				if _, _, err := socket.ReadFrom(nil); err != nil {
					t.Error(err)
					return
				}
				read.Add(1)
			}
		}()
		settle := func(d time.Duration) uint64 {
			time.Sleep(d) // virtual
			synctest.Wait()
			return read.Load()
		}
		if n := settle(patience / 2); n != maxUnread {
			t.Errorf("%d packets read while none was processed, want %d", n, maxUnread)
		}
		processed.Add(10)
		if n := settle(patience / 2); n != maxUnread {
			t.Errorf("%d packets read although %d wait", n, maxUnread-10)
		}
		processed.Add(maxUnread - 10 - enoughRead + 1)
		if n := settle(patience / 2); n != 2*maxUnread-enoughRead+1 {
			t.Errorf("%d packets read after some were processed", n)
		}
		if n := settle(2 * patience); n != limit {
			t.Errorf("%d packets read: packets that nothing processes hold the reader again at once", n)
		}
		unfollow()
		<-ended
		if n := read.Load(); n != limit || c.followed.Load() != 0 || len(c.sources) != 0 {
			t.Errorf("%d packets read after the connection's end, %d sources left", n, len(c.sources))
		}
	})
}

// TestIntakeOfSeveral follows two connections of one peer, of which one ends.
func TestIntakeOfSeveral(t *testing.T) {
	in := func(c *Conn, a netip.AddrPort) int {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sources[a].count()
		return c.sources[a].unread
	}
	addr := netip.MustParseAddrPort("192.0.2.1:25328")
	c, _ := Wrap(source{})
	one, two := uint64(7), uint64(0)
	end := c.Follow(addr, func() uint64 { return one })
	c.Follow(addr, func() uint64 { return two })
	for range 20 {
		c.took(net.UDPAddrFromAddrPort(addr))
	}
	if n := in(c, addr); n != 20 {
		t.Errorf("%d unread of 20", n)
	}
	one, two = one+5, two+5
	if n := in(c, addr); n != 10 {
		t.Errorf("%d unread of 20 when 10 were processed", n)
	}
	end()
	c.took(net.UDPAddrFromAddrPort(addr))
	two++
	if n := in(c, addr); n != 0 {
		t.Errorf("%d unread after one connection ended", n)
	}
}
