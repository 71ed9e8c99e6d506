package transport_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// nat is a socket that behaves as if it stood behind a network address translator: packets come in only from addresses that it
// has sent to before. When deaf, they come in only from the addresses in open: what a symmetric translator comes to.
type nat struct {
	net.PacketConn
	mu   sync.Mutex
	sent map[netip.AddrPort]bool
	deaf bool
	open map[netip.AddrPort]bool
}

func addrPortOf(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (n *nat) WriteTo(b []byte, to net.Addr) (int, error) {
	n.mu.Lock()
	n.sent[addrPortOf(to)] = true
	n.mu.Unlock()
	return n.PacketConn.WriteTo(b, to)
}

func (n *nat) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		k, from, err := n.PacketConn.ReadFrom(b)
		if err != nil {
			return k, from, err
		}
		ap := addrPortOf(from)
		n.mu.Lock()
		ok := n.sent[ap] && !n.deaf || n.open[ap]
		n.mu.Unlock()
		if ok {
			return k, from, err
		}
	}
}

// behindNATs makes a relay and two hosts behind NATs, in virtual time at 10 ms one way.
func behindNATs(t *testing.T, symmetric bool) (relay, a, b *transport.Host, m *transporttest.Mesh) {
	t.Helper()
	v := &transporttest.Virtual{}
	var relayAddr netip.AddrPort
	m = transporttest.New(t, 3, func(i int, c *transport.Config) {
		v.Configure(t, c, shape.Link{Delay: 10 * time.Millisecond}, uint64(i))
		if i == 0 {
			c.Relay = true
			relayAddr = addrPortOf(c.Socket.LocalAddr())
			return
		}
		c.Socket = &nat{
			PacketConn: c.Socket, sent: map[netip.AddrPort]bool{}, deaf: symmetric,
			open: map[netip.AddrPort]bool{relayAddr: true},
		}
	})
	relay, a, b = m.Hosts[0], m.Hosts[1], m.Hosts[2]
	a.Forget(b.ID())
	b.Forget(a.ID())
	for _, h := range m.Hosts[1:] {
		h.SetRelays([]transport.PeerID{relay.ID()})
		if err := h.Connect(t.Context(), relay.ID()); err != nil {
			t.Fatal(err)
		}
	}
	return relay, a, b, m
}

func TestIntroductionPunchesHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b, m := behindNATs(t, false)
		defer m.Close()
		b.Handle(transport.KindTensor, discard)
		if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<20)); err != nil {
			t.Fatal(err)
		}
		if p, _ := a.Path(b.ID()); p.Relayed || p.MinRTT > 25*time.Millisecond {
			t.Errorf("path after an introduction: %+v", p)
		}
	})
}

func TestRelayCarriesWhatNATsForbid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay, a, b, m := behindNATs(t, true)
		defer m.Close()
		b.Handle(transport.KindTensor, discard)
		b.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
		if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<20)); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Call(t.Context(), b.ID(), transport.KindUser, []byte("hello")); err != nil || string(got) != "hello" {
			t.Fatalf("call through the relay: %q, %v", got, err)
		}
		p, _ := a.Path(b.ID())
		if !p.Relayed || p.MinRTT < 39*time.Millisecond || p.MinRTT > 45*time.Millisecond {
			t.Errorf("path through the relay: %+v", p)
		}
		packets := make(chan string, 1)
		b.HandlePackets(func(from transport.PeerID, p []byte, _ time.Time) { packets <- string(p) })
		if err := a.SendPacket(t.Context(), b.ID(), make([]byte, transport.MaxPacket)); err != nil {
			t.Fatal(err)
		}
		if got := <-packets; len(got) != transport.MaxPacket {
			t.Errorf("packet of %d bytes through the relay", len(got))
		}
		// The relay is a member like any other, and the inner connection is not its business: it has no stream of it.
		if n := len(relay.Paths()); n != 2 {
			t.Errorf("the relay knows %d paths, want 2", n)
		}
	})
}
