package transport_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// relayedMesh is a relay, a member that uses it, and the member's address there kept: libp2p runs on both.
func relayedMesh(t *testing.T) *transporttest.Mesh {
	t.Helper()
	m := transporttest.New(t, 2, func(i int, c *transport.Config) { c.Relay = i == 0 })
	m.Hosts[0].Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
	m.Hosts[1].SetRelays([]transport.PeerID{m.Hosts[0].ID()})
	ctx := testContext(t)
	for tick := time.NewTicker(5 * time.Millisecond); m.Hosts[0].Libp2pPeers() != 1; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the member does not reach the relay by libp2p")
		}
	}
	return m
}

// TestNoByteOfLibp2pWithoutMembership dials the one port with libp2p's own protocol: who shows no membership is refused within the
// handshake, and not even identify is spoken.
func TestNoByteOfLibp2pWithoutMembership(t *testing.T) {
	ctx := testContext(t)
	m := relayedMesh(t)
	other, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	issue := func(a *admit.Issuer, id *transport.Identity, at time.Time) admit.Chain {
		ch, err := a.Issue(id.Public(), admit.Member, at, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return ch
	}
	member, stranger, expired, foreign, evicted := identity(t), identity(t), identity(t), identity(t), identity(t)
	if _, err := m.Hosts[0].Revoke(m.Authority.Evict(evicted.Public(), time.Now())); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		id    *transport.Identity
		chain admit.Chain
		good  bool
	}{
		{"member", member, issue(m.Authority, member, time.Now()), true},
		{"no certificate", stranger, nil, false},
		{"expired", expired, issue(m.Authority, expired, time.Now().Add(-2*time.Hour)), false},
		{"foreign", foreign, issue(other, foreign, time.Now()), false},
		{"evicted", evicted, issue(m.Authority, evicted, time.Now()), false},
	} {
		a := newAttacker(t, c.id, c.chain)
		a.conf.NextProtos = []string{"libp2p"}
		conn, err := a.tr.Dial(ctx, udpAddr(t, m.Hosts[0]), a.conf.Clone(), &quic.Config{})
		if err == nil {
			var s *quic.Stream
			if s, err = conn.AcceptStream(ctx); err == nil { // libp2p begins with identify
				b := make([]byte, 1)
				_, err = io.ReadFull(s, b)
			}
		}
		var refused *quic.TransportError
		switch {
		case c.good && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case !c.good && (!errors.As(err, &refused) || !refused.ErrorCode.IsCryptoError()):
			t.Errorf("%s: %v, want a refusal within the handshake", c.name, err)
		}
	}
	alive(ctx, t, m)
}

// TestStockLibp2pHostIsRefused connects with libp2p's own host, to a node with and to one without libp2p running.
func TestStockLibp2pHostIsRefused(t *testing.T) {
	ctx := testContext(t)
	key, _, err := ic.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.AddPrivKey(id, key), store.AddPubKey(id, key.GetPublic())); err != nil {
		t.Fatal(err)
	}
	bus := eventbus.NewBus()
	sw, err := swarm.NewSwarm(id, store, bus)
	if err != nil {
		t.Fatal(err)
	}
	reuse, err := quicreuse.NewConnManager(quic.StatelessResetKey{}, quic.TokenGeneratorKey{})
	if err != nil {
		t.Fatal(err)
	}
	defer reuse.Close()
	tr, err := libp2pquic.NewTransport(key, reuse, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sw.AddTransport(tr); err != nil {
		t.Fatal(err)
	}
	stock, err := basichost.NewHost(sw, &basichost.HostOpts{EventBus: bus})
	if err != nil {
		t.Fatal(err)
	}
	defer stock.Close()
	stock.Start()
	with := relayedMesh(t)
	for name, h := range map[string]*transport.Host{"with libp2p": with.Hosts[0], "without": target(t).Hosts[0]} {
		to, err := peer.Decode(string(h.ID()))
		if err != nil {
			t.Fatal(err)
		}
		a, err := quicreuse.ToQuicMultiaddr(udpAddr(t, h), quic.Version1)
		if err != nil {
			t.Fatal(err)
		}
		// TLS 1.3 lets a client believe in a connection before the server has judged its certificate, so connecting may succeed.
		if err := stock.Connect(ctx, peer.AddrInfo{ID: to, Addrs: append(stock.Addrs(), a)}); err == nil {
			if s, err := stock.NewStream(ctx, to, "/ipfs/id/1.0.0", "/libp2p/circuit/relay/0.2.0/hop"); err == nil {
				t.Errorf("%s: a stranger speaks %s", name, s.Protocol())
			}
		}
		if n, want := h.Libp2pPeers(), len(h.Paths()); name == "with libp2p" && n != want {
			t.Errorf("%s: libp2p connections to %d peers, want %d", name, n, want)
		}
		if protocols, _ := stock.Peerstore().GetProtocols(to); len(protocols) > 0 {
			t.Errorf("%s: a stranger was told the protocols %v", name, protocols)
		}
	}
	alive(ctx, t, with)
}

// TestRelayOnLoopback reaches a member whose address is unknown through a relay, over real sockets, and closes quickly.
func TestRelayOnLoopback(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 3, func(i int, c *transport.Config) { c.Relay = i == 0 })
	relay, a, b := m.Hosts[0], m.Hosts[1], m.Hosts[2]
	b.Handle(transport.KindTensor, discard)
	a.Forget(b.ID())
	b.Forget(a.ID())
	for _, h := range m.Hosts[1:] {
		h.SetRelays([]transport.PeerID{relay.ID()})
		if err := h.Connect(ctx, relay.ID()); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Send(ctx, b.ID(), transport.Header{}, writeN(1<<20)); err != nil {
		t.Fatal(err)
	}
	for _, h := range m.Hosts {
		begin := time.Now()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("close took %v", d)
		}
	}
}

// TestMembersFindEachOtherOnTheLAN needs an interface with multicast.
func TestMembersFindEachOtherOnTheLAN(t *testing.T) {
	ctx := testContext(t)
	every := func(_ int, c *transport.Config) { c.Listen = "0.0.0.0:0" }
	ours, theirs := transporttest.New(t, 2, every), transporttest.New(t, 1, every)
	seen := make(chan transport.PeerID, 64)
	for i, h := range append(ours.Hosts, theirs.Hosts...) {
		err := h.SearchLAN(func(s transport.Seed) {
			if i == 0 {
				select {
				case seen <- s.Peer:
				default:
				}
			}
		})
		if err != nil {
			t.Skip(err)
		}
	}
	for {
		select {
		case id := <-seen:
			if id == theirs.Hosts[0].ID() {
				t.Error("a node of another mesh was found")
			}
			if id == ours.Hosts[1].ID() {
				return
			}
		case <-ctx.Done():
			t.Skip("no multicast here")
		}
	}
}
