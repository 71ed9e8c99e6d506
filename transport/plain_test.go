package transport_test

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/shape"
)

// plain is a connection of quic-go alone, with the windows of a Host and the same kind of certificate: what hosts are measured against.
type plain struct {
	trs  []*quic.Transport
	ln   *quic.Listener
	conn *quic.Conn
	wg   sync.WaitGroup
}

// plainPair connects two sockets, shaped when shapers is not nil; the far end reads every stream to its end and closes it.
func plainPair(b *testing.B, shapers []*shape.Shaper) *plain {
	b.Helper()
	key, _, err := ic.GenerateEd25519Key(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	id, err := libp2ptls.NewIdentity(key)
	if err != nil {
		b.Fatal(err)
	}
	conf, _ := id.ConfigForPeer("")
	conf.NextProtos = []string{"plain"}
	conf.VerifyPeerCertificate = nil
	qc := &quic.Config{
		InitialStreamReceiveWindow: 12 << 20, MaxStreamReceiveWindow: 32 << 20,
		InitialConnectionReceiveWindow: 16 << 20, MaxConnectionReceiveWindow: 32 << 20,
	}
	p := &plain{}
	for i := range 2 {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		var socket net.PacketConn = udp
		if shapers != nil {
			socket = shapers[i].Wrap(udp)
		}
		p.trs = append(p.trs, &quic.Transport{Conn: socket})
	}
	if p.ln, err = p.trs[1].Listen(conf, qc); err != nil {
		b.Fatal(err)
	}
	p.wg.Go(p.serve)
	if p.conn, err = p.trs[0].Dial(context.Background(), p.ln.Addr(), conf, qc); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *plain) serve() {
	ctx := context.Background()
	conn, err := p.ln.Accept(ctx)
	if err != nil {
		return
	}
	for {
		s, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		p.wg.Go(func() {
			buf := make([]byte, 256<<10)
			for err := error(nil); err == nil; {
				_, err = s.Read(buf)
			}
			_ = s.Close()
		})
	}
}

// send copies n tensors, some in parallel, each over a stream of its own.
func (p *plain) send(b *testing.B, n, parallel int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				s, err := p.conn.OpenStreamSync(context.Background())
				if err == nil {
					err = writeN(tensorBytes)(s)
				}
				if err == nil {
					_ = s.Close()
					_, err = io.ReadAll(s)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// close ends both ends and their sockets.
func (p *plain) close() {
	_ = p.conn.CloseWithError(0, "")
	_ = p.ln.Close()
	for _, tr := range p.trs {
		_ = tr.Close()
		_ = tr.Conn.Close()
	}
	p.wg.Wait()
}
