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

// set makes the translator symmetric or port-restricted.
func (n *nat) set(symmetric bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deaf = symmetric
}

// behindNATs makes a relay and two hosts behind NATs, in virtual time at 10 ms one way.
func behindNATs(t *testing.T, symmetric bool) (relay, a, b *transport.Host, m *transporttest.Mesh) {
	t.Helper()
	relay, a, b, m, _ = natted(t, symmetric)
	return relay, a, b, m
}

// natted is behindNATs with the translators.
func natted(t *testing.T, symmetric bool) (relay, a, b *transport.Host, m *transporttest.Mesh, nats []*nat) {
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
		n := &nat{
			PacketConn: c.Socket, sent: map[netip.AddrPort]bool{}, deaf: symmetric,
			open: map[netip.AddrPort]bool{relayAddr: true},
		}
		c.Socket, nats = n, append(nats, n)
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
	return relay, a, b, m, nats
}

// settle lets virtual time pass.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestHoleIsPunched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b, m := behindNATs(t, false)
		defer m.Close()
		b.Handle(transport.KindTensor, discard)
		if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<20)); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		if p, _ := a.Path(b.ID()); !p.Connected || p.Relayed || p.Address != b.Addrs()[0] {
			t.Errorf("path five seconds after the first tensor: %+v", p)
		}
		settle(10 * time.Second) // until the round trips through the relay are forgotten
		if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<20)); err != nil {
			t.Fatal(err)
		}
		if p, _ := a.Path(b.ID()); p.MinRTT > 25*time.Millisecond {
			t.Errorf("path through the hole: %+v", p)
		}
		if n := a.Libp2pPeers(); n != 1 {
			t.Errorf("libp2p keeps connections to %d peers, want only the relay", n)
		}
	})
}

func TestRelayedLinkTurnsDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b, m, nats := natted(t, true)
		defer m.Close()
		b.Handle(transport.KindTensor, discard)
		for range 3 {
			if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<20)); err != nil {
				t.Fatal(err)
			}
			if p, _ := a.Path(b.ID()); !p.Relayed {
				t.Fatalf("path through two symmetric translators: %+v", p)
			}
			settle(20 * time.Second)
		}
		for _, n := range nats {
			n.set(false)
		}
		// The link is kept busy, as gossip does.
		for range 12 {
			settle(10 * time.Second)
			if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<10)); err != nil {
				t.Fatal(err)
			}
		}
		if p, _ := a.Path(b.ID()); !p.Connected || p.Relayed {
			t.Errorf("path two minutes after the translators gave way: %+v", p)
		}
	})
}

func TestEvictionEndsRelaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay, a, b, m := behindNATs(t, true)
		defer m.Close()
		b.Handle(transport.KindTensor, discard)
		if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1<<10)); err != nil {
			t.Fatal(err)
		}
		if relay.Libp2pPeers() != 2 || b.Libp2pPeers() != 2 {
			t.Fatalf("libp2p peers: relay %d, b %d", relay.Libp2pPeers(), b.Libp2pPeers())
		}
		public, err := a.ID().Public()
		if err != nil {
			t.Fatal(err)
		}
		r := m.Authority.Evict(public, time.Now())
		for _, h := range []*transport.Host{relay, b} {
			if news, err := h.Revoke(r); !news || err != nil {
				t.Fatal(news, err)
			}
		}
		settle(3 * time.Second)
		if relay.Libp2pPeers() != 1 || b.Libp2pPeers() != 1 || a.Libp2pPeers() != 0 {
			t.Errorf("libp2p peers after the eviction: relay %d, b %d, a %d", relay.Libp2pPeers(), b.Libp2pPeers(), a.Libp2pPeers())
		}
		if p, _ := b.Path(a.ID()); p.Connected {
			t.Errorf("path to the evicted: %+v", p)
		}
		if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(1)); err == nil {
			t.Error("the evicted still sends")
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
