package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// loneHost is a member of an authority's mesh; nil means of none.
func loneHost(t *testing.T, a *admit.Issuer) *Host {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Identity: id}
	if a != nil {
		chain, err := a.Issue(id.Public(), admit.Member, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Credentials, err = admit.NewCredentials(a.Public(), chain, id.Public(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	h, err := Listen(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// TestRelayedLibp2pNeedsMembership shakes hands as libp2p connections through a relay do, without one.
func TestRelayedLibp2pNeedsMembership(t *testing.T) {
	mesh, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	server := loneHost(t, mesh)
	for _, c := range []struct {
		name   string
		client *Host
		want   error
	}{
		{"member", loneHost(t, mesh), nil},
		{"no certificate", loneHost(t, nil), admit.ErrStranger},
		{"foreign", loneHost(t, foreign), admit.ErrForeign},
	} {
		near, far := net.Pipe()
		client := make(chan error, 1)
		go func() {
			conf := c.client.serverTLS(yamux.ID) // a client that trusts everyone
			_, err := tls.Client(near, conf).Read(make([]byte, 1))
			client <- err
		}()
		s, err := secure{server}.SecureInbound(t.Context(), far, "")
		switch {
		case !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		case err == nil && s.RemotePeer() != c.client.peerID():
			t.Errorf("%s: connected to %s", c.name, s.RemotePeer())
		case err == nil:
			_ = far.Close()
		}
		if err := <-client; err == nil {
			t.Errorf("%s: the client read a byte", c.name)
		}
	}
}

// TestLibp2pDialsMembersOnly dials peers by libp2p that have the wanted identity, and no membership beside it.
func TestLibp2pDialsMembersOnly(t *testing.T) {
	mesh, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	p, err := loneHost(t, mesh).startLibp2p()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		of   *admit.Issuer
		good bool
	}{{"member", mesh, true}, {"no certificate", nil, false}, {"foreign", foreign, false}} {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: udp}
		ln, err := tr.Listen(loneHost(t, c.of).serverTLS(alpnLibp2p), nil)
		if err != nil {
			t.Fatal(err)
		}
		sameIdentity := &tls.Config{VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { return nil }}
		if _, err := p.lent[0].Dial(t.Context(), ln.Addr(), sameIdentity, nil); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
		_ = tr.Close()
		_ = udp.Close()
	}
}

func TestGateRefusesTheEvicted(t *testing.T) {
	mesh, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	h, other := loneHost(t, mesh), loneHost(t, mesh)
	g := gate{h}
	if !g.InterceptPeerDial(other.peerID()) || !g.InterceptSecured(1, other.peerID(), nil) {
		t.Error("a member is refused")
	}
	if _, err := h.Revoke(mesh.Evict(other.identity.Public(), time.Now())); err != nil {
		t.Fatal(err)
	}
	if g.InterceptPeerDial(other.peerID()) || g.InterceptSecured(1, other.peerID(), nil) {
		t.Error("an evicted node is let through")
	}
}

// TestFloodMustProveItsAddress spends what handshakes are free, as a flood from made-up addresses does: then the first answer to a
// newcomer is a Retry, which keeps no state, and a member that is at its address still comes in.
func TestFloodMustProveItsAddress(t *testing.T) {
	mesh, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	h, member := loneHost(t, mesh), loneHost(t, mesh)
	to, err := net.ResolveUDPAddr("udp", h.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	flood := func() {
		asked := 0
		for range 10 * unverifiedBurst {
			if h.tr.VerifySourceAddress(to) {
				asked++
			}
		}
		if asked < 8*unverifiedBurst {
			t.Fatalf("%d of %d were asked to prove their address", asked, 10*unverifiedBurst)
		}
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	first := make(chan byte, 1)
	tr := &quic.Transport{Conn: listener{socket, first}}
	defer tr.Close()
	for try := 0; ; try++ { // some are free again after a few milliseconds
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		flood()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = tr.Dial(ctx, to, member.clientTLS(h.ID(), alpnMember), &quic.Config{})
		}()
		b := byte(0)
		select {
		case b = <-first:
		case <-ctx.Done():
		}
		cancel()
		<-done
		if b&0xf0 == 0xf0 { // RFC 9000, section 17.2.5
			break
		}
		if try == 50 {
			t.Fatal("nobody was answered with a Retry")
		}
	}
	flood()
	member.Learn(h.ID(), h.Addrs()...)
	if err := member.Connect(t.Context(), h.ID()); err != nil {
		t.Errorf("a member during the flood: %v", err)
	}
}

// listener is a socket that tells the first byte of what comes, and hears nothing else.
type listener struct {
	net.PacketConn
	first chan byte
}

func (l listener) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if n > 0 {
			select {
			case l.first <- b[0]:
			default:
			}
		}
	}
}

func TestTunnelRefusesBadFrames(t *testing.T) {
	h := loneHost(t, nil)
	for _, bad := range [][]byte{{0, 0}, {0xff, 0xff}} {
		near, far := net.Pipe()
		if _, err := h.tunnel.attach("peer", near); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write(bad); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Errorf("a stream with the frame %x goes on", bad)
		}
	}
}
