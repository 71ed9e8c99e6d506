package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"
)

// alpnLibp2p is libp2p's application protocol beside Cleave's own.
const alpnLibp2p = "libp2p"

// lendQueue is how many accepted libp2p connections of one address family wait to be taken.
const lendQueue = 64

// lent is the host's QUIC transport as libp2p borrows it, for one address family: its listener gets the connections of libp2p's
// protocol that the host's own listener accepts, and its dials leave from the host's socket with the host's windows. Both ways
// the certificate proves membership within the TLS handshake, before a byte of libp2p is read or written.
type lent struct {
	host  *Host
	local *net.UDPAddr // the unspecified address: quicreuse borrows no other
	conns chan *quic.Conn
	done  chan struct{}
	once  sync.Once
}

var (
	_ quicreuse.QUICTransport = (*lent)(nil)
	_ quicreuse.QUICListener  = (*lent)(nil)
)

func newLent(h *Host, ip net.IP, port int) *lent {
	return &lent{
		host: h, local: &net.UDPAddr{IP: ip, Port: port}, conns: make(chan *quic.Conn, lendQueue), done: make(chan struct{}),
	}
}

// serves tells whether a peer's address is of the family.
func (l *lent) serves(a net.Addr) bool {
	u, ok := a.(*net.UDPAddr)
	return ok && (u.IP.To4() != nil) == (l.local.IP.To4() != nil)
}

// Listen is once per family: the host's own listener is what accepts, with the host's configuration.
func (l *lent) Listen(*tls.Config, *quic.Config) (quicreuse.QUICListener, error) { return l, nil }

// Dial connects from the host's socket. libp2p's check of the peer's identity is kept, that of membership is added.
func (l *lent) Dial(ctx context.Context, addr net.Addr, conf *tls.Config, _ *quic.Config) (*quic.Conn, error) {
	own := l.host.baseTLS(alpnLibp2p)
	own.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
		if err := conf.VerifyPeerCertificate(raw, chains); err != nil {
			return err
		}
		return l.host.verifyMember(raw, chains)
	}
	conn, err := l.host.tr.Dial(ctx, addr, own, l.host.p2pConfig())
	if err == nil {
		l.host.follow(conn)
	}
	return conn, err
}

// WriteTo sends a packet that is none of QUIC's, to open a hole.
func (l *lent) WriteTo(b []byte, addr net.Addr) (int, error) { return l.host.tr.WriteTo(b, addr) }

// ReadNonQUICPacket is for protocols that Cleave does not speak.
func (l *lent) ReadNonQUICPacket(context.Context, []byte) (int, net.Addr, error) {
	return 0, nil, errors.ErrUnsupported
}

// Accept waits for a member's libp2p connection.
func (l *lent) Accept(ctx context.Context) (*quic.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, quic.ErrServerClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Addr is the borrowed address.
func (l *lent) Addr() net.Addr { return l.local }

// Close ends the borrowing; the host's transport stays.
func (l *lent) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// borrowed is the socket as quicreuse sees it: it asks for nothing but the address.
type borrowed struct {
	net.PacketConn
	local net.Addr
}

func (b borrowed) LocalAddr() net.Addr { return b.local }

// handOver gives an accepted libp2p connection to libp2p.
func (h *Host) handOver(conn *quic.Conn) {
	if p := h.libp2p.Load(); p != nil {
		for _, l := range p.lent {
			if !l.serves(conn.RemoteAddr()) {
				continue
			}
			select {
			case l.conns <- conn:
				h.follow(conn)
				return
			default:
			}
		}
	}
	_ = conn.CloseWithError(quic.ApplicationErrorCode(CodeClosing), "libp2p is not running or busy")
}

// p2pConfig is the QUIC configuration of libp2p connections that this host dials: relays must be kept reachable.
func (h *Host) p2pConfig() *quic.Config {
	c := h.quicConf.Clone()
	c.KeepAlivePeriod = relayKeepAlive
	return c
}
