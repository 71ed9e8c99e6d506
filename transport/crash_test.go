package transport_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// mortal is a socket whose machine can crash: nothing leaves it any more, not even goodbyes.
type mortal struct {
	net.PacketConn
	dead atomic.Bool
}

func (m *mortal) WriteTo(b []byte, to net.Addr) (int, error) {
	if m.dead.Load() {
		return len(b), nil
	}
	return m.PacketConn.WriteTo(b, to)
}

// TestPeerComesBackAfterCrash crashes a host and starts it again at its address: its peer still holds a connection, whichever side
// dialled it, and reaches it all the same, long before that connection would time out.
func TestPeerComesBackAfterCrash(t *testing.T) {
	for name, dialled := range map[string]bool{"the survivor had dialled": true, "the crashed host had dialled": false} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			m := transporttest.New(t, 1, nil)
			a := m.Hosts[0]
			id := identity(t)
			cfg := transport.Config{Identity: id, Credentials: m.Credentials(t, id, admit.Member)}
			start := func(at string) (*transport.Host, *mortal) {
				udp, err := net.ListenPacket("udp", at)
				if err != nil {
					t.Fatal(err)
				}
				socket := &mortal{PacketConn: udp}
				cfg.Socket = socket
				h, err := transport.Listen(ctx, cfg)
				if err != nil {
					t.Fatal(err)
				}
				h.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
				return h, socket
			}
			b, socket := start("127.0.0.1:0")
			at := b.Addrs()[0]
			a.Learn(b.ID(), at)
			b.Learn(a.ID(), a.Addrs()...)
			from, to := b, a
			if dialled {
				from, to = a, b
			}
			if err := from.Connect(ctx, to.ID()); err != nil {
				t.Fatal(err)
			}
			for range 3 { // by then the hosts have exchanged the tokens by which a connection is disowned
				if _, err := a.Call(ctx, b.ID(), transport.KindUser, nil); err != nil {
					t.Fatal(err)
				}
			}
			socket.dead.Store(true)
			_ = b.Close()
			b, _ = start(at)
			defer b.Close()
			// QUIC answers unknown packets of up to 41 bytes with nothing, lest two hosts disown each other's disowning for ever.
			body := make([]byte, 1<<10)
			for {
				if _, err := a.Call(ctx, b.ID(), transport.KindUser, body); err == nil {
					break
				} else if ctx.Err() != nil {
					t.Fatalf("the host that came back is not reached: %v", err)
				}
			}
		})
	}
}
