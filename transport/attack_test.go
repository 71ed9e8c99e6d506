package transport_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// attacker speaks QUIC by itself, with a certificate that proves an identity and, if chain is not nil, shows that membership.
type attacker struct {
	tr   *quic.Transport
	conf *tls.Config
}

func newAttacker(t *testing.T, id *transport.Identity, chain admit.Chain) *attacker {
	t.Helper()
	key, err := ic.UnmarshalEd25519PrivateKey(id.Private())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if chain != nil {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 25, 1668048225}, Value: chain.Append(nil)}}
	}
	tlsID, err := libp2ptls.NewIdentity(key, libp2ptls.WithCertTemplate(template))
	if err != nil {
		t.Fatal(err)
	}
	conf, _ := tlsID.ConfigForPeer("")
	conf.NextProtos = []string{"cleave/1"}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{tr: &quic.Transport{Conn: udp}, conf: conf}
	t.Cleanup(func() {
		_ = a.tr.Close()
		_ = udp.Close()
	})
	return a
}

func udpAddr(t *testing.T, h *transport.Host) *net.UDPAddr {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp", h.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// stranded opens a stream, sends, and returns what comes back: it must be nothing but the refusal of the connection.
func (a *attacker) stranded(ctx context.Context, t *testing.T, h *transport.Host) error {
	t.Helper()
	conn, err := a.tr.Dial(ctx, udpAddr(t, h), a.conf.Clone(), &quic.Config{EnableDatagrams: true})
	if err != nil {
		return err
	}
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte{1, 1, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	b, err := io.ReadAll(s)
	if len(b) != 0 {
		t.Errorf("a stranger was answered %x", b)
	}
	return err
}

func identity(t *testing.T) *transport.Identity {
	t.Helper()
	id, err := transport.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// alive fails the test unless a member is still served.
func alive(ctx context.Context, t *testing.T, m *transporttest.Mesh) {
	t.Helper()
	if got, err := m.Hosts[1].Call(ctx, m.Hosts[0].ID(), transport.KindUser, []byte("x")); err != nil || string(got) != "x" {
		t.Errorf("a member is no longer served: %q, %v", got, err)
	}
}

func target(t *testing.T) *transporttest.Mesh {
	t.Helper()
	m := transporttest.New(t, 2, nil)
	m.Hosts[0].Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
	return m
}

func TestNoByteWithoutMembership(t *testing.T) {
	ctx := testContext(t)
	m := target(t)
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
	// usurp makes a certificate that names the target's mesh, and is well signed by somebody else's authority.
	usurp := func(id *transport.Identity) admit.Chain {
		_, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := issue(m.Authority, id, time.Now())[0]
		c.Issuer = admit.KeyOf(private.Public().(ed25519.PublicKey))
		signed := c.Append(nil)[:admit.CertificateSize-ed25519.SignatureSize]
		copy(c.Signature[:], ed25519.Sign(private, append([]byte("cleave membership certificate\x00"), signed...)))
		return admit.Chain{c}
	}
	stranger, expired, foreign, thief, victim, usurper := identity(t), identity(t), identity(t), identity(t), identity(t), identity(t)
	for _, c := range []struct {
		name  string
		id    *transport.Identity
		chain admit.Chain
	}{
		{"no certificate", stranger, nil},
		{"expired", expired, issue(m.Authority, expired, time.Now().Add(-2*time.Hour))},
		{"foreign", foreign, issue(other, foreign, time.Now())},
		{"stolen", thief, issue(m.Authority, victim, time.Now())},
		{"of our mesh by a foreign authority", usurper, usurp(usurper)},
	} {
		err := newAttacker(t, c.id, c.chain).stranded(ctx, t, m.Hosts[0])
		var app *quic.ApplicationError
		if !errors.As(err, &app) || transport.Code(app.ErrorCode) != transport.CodeStranger {
			t.Errorf("%s: %v", c.name, err)
		}
		t.Logf("%s: %v", c.name, err)
	}
	alive(ctx, t, m)
}

func TestMalformedStreamsOfAMember(t *testing.T) {
	ctx := testContext(t)
	m := target(t)
	m.Hosts[0].Handle(transport.KindTensor, func(context.Context, *transport.Incoming) { t.Error("a malformed stream reached a handler") })
	id := identity(t)
	chain, err := m.Authority.Issue(id.Public(), admit.Member, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	a := newAttacker(t, id, chain)
	conn, err := a.tr.Dial(ctx, udpAddr(t, m.Hosts[0]), a.conf.Clone(), &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	header := make([]byte, 12+54)
	header[0], header[3] = 1, 1
	oversized := append(header[:len(header):len(header)], make([]byte, transport.MaxExtra+1)...) // whole, so that only the limit speaks against it
	binary.BigEndian.PutUint16(oversized[12+52:], transport.MaxExtra+1)
	for name, b := range map[string][]byte{
		"wrong version":    {9, 1, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0},
		"cut off":          {1, 1, 0},
		"empty":            {},
		"header cut off":   header[:30],
		"oversized header": oversized,
		"endless deadline": {1, 1, 0, 64, 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		s, err := conn.OpenStreamSync(ctx)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _ = s.Write(b) // the refusal may come first
		_ = s.Close()
		got, err := io.ReadAll(s)
		if err != nil || len(got) == 0 || transport.Code(got[0]) != transport.CodeMalformed {
			t.Errorf("%s: answer %x, %v", name, got, err)
		}
	}
	for _, b := range [][]byte{{}, {0}, {1}, {2}, {3, 1}, {4}, {5}, make([]byte, 1000)} {
		if err := conn.SendDatagram(b); err != nil {
			t.Fatal(err)
		}
	}
	alive(ctx, t, m)
}

func TestNoiseAndHalfOpenHandshakes(t *testing.T) {
	ctx := testContext(t)
	m := target(t)
	to := udpAddr(t, m.Hosts[0])
	noise, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Close()
	b := make([]byte, 1252)
	for i := range 2000 {
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			b[0] |= 0xc0 // looks like a long header of version 1
			copy(b[1:], []byte{0, 0, 0, 1, 8})
		}
		_, _ = noise.WriteToUDP(b, to) // a full buffer loses noise, and that is no matter
	}

	n := 300
	if testing.Short() {
		n = 50
	}
	if sweep() {
		n = 10_000
	}
	before := heap()
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	// Each attempt sends its first packet and never hears the answer, so that the handshake stays half open at the target.
	tr := &quic.Transport{Conn: &deaf{silent, make(chan struct{})}}
	id := newAttacker(t, identity(t), nil)
	dctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 500)
	for range n {
		gate <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			one, cancel := context.WithTimeout(dctx, 200*time.Millisecond)
			defer cancel()
			if _, err := tr.Dial(one, to, id.conf.Clone(), nil); err == nil {
				t.Error("a deaf dialler completed a handshake")
			}
			<-gate
		}()
	}
	wg.Wait()
	alive(ctx, t, m)
	grown := heap() - before
	t.Logf("%d half-open handshakes: heap grew by %.1f MiB", n, float64(grown)/(1<<20))
	if grown > 64<<20 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	stop()
	_ = tr.Close()
	_ = silent.Close()
}

// TestJoinsAreBounded keeps more joins open than a host serves, each with all that its windows take in. Those beyond are cut, members are
// served, and joining works again when the places are free.
func TestJoinsAreBounded(t *testing.T) {
	ctx := testContext(t)
	m := target(t)
	to := udpAddr(t, m.Hosts[0])
	a := newAttacker(t, identity(t), nil)
	a.conf.NextProtos = []string{"cleave-join/1"}
	a.conf.VerifyPeerCertificate = nil // libp2p's can be used once
	const maxJoins = 16                // that the host serves at a time
	var open []*quic.Conn
	for range 2 * maxJoins {
		conn, err := a.tr.Dial(ctx, to, a.conf.Clone(), nil)
		if err == nil {
			open = append(open, conn)
		}
	}
	until := time.NewTimer(5 * time.Second)
	defer until.Stop()
	cut := 0
	for _, conn := range open[min(len(open), maxJoins):] {
		select {
		case <-conn.Context().Done():
			cut++
		case <-until.C:
		}
	}
	if cut < len(open)-maxJoins || len(open) < maxJoins {
		t.Errorf("%d of %d joins beyond %d were cut", cut, len(open)-maxJoins, maxJoins)
	}
	alive(ctx, t, m)
	for _, conn := range open {
		_ = conn.CloseWithError(0, "")
	}
}

// deaf is a socket that hears nothing.
type deaf struct {
	net.PacketConn
	closed chan struct{}
}

func (d *deaf) ReadFrom([]byte) (int, net.Addr, error) {
	<-d.closed
	return 0, nil, os.ErrDeadlineExceeded
}

func (d *deaf) SetReadDeadline(time.Time) error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return nil
}

func heap() int64 {
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return int64(st.HeapAlloc)
}
