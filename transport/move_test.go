package transport_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// mover is a socket whose machine changes address: from then on it sends and receives at the new one only.
type mover struct {
	net.PacketConn
	mu    sync.Mutex
	next  net.PacketConn
	moved bool
}

func (m *mover) move() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moved = true
	_ = m.PacketConn.SetReadDeadline(time.Now()) // wakes the reader
}

func (m *mover) current() net.PacketConn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.moved {
		return m.next
	}
	return m.PacketConn
}

func (m *mover) WriteTo(b []byte, to net.Addr) (int, error) { return m.current().WriteTo(b, to) }

func (m *mover) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		c := m.current()
		n, from, err := c.ReadFrom(b)
		if err != nil && c != m.current() {
			continue
		}
		return n, from, err
	}
}

// SetReadDeadline is what QUIC ends its reader with.
func (m *mover) SetReadDeadline(t time.Time) error {
	_ = m.next.SetReadDeadline(t)
	return m.PacketConn.SetReadDeadline(t)
}

func (m *mover) Close() error {
	_ = m.next.Close()
	return m.PacketConn.Close()
}

// TestSessionSurvivesMove changes a host's address while a tensor is on its way: the transfer goes on over the same connection.
func TestSessionSurvivesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &transporttest.Virtual{}
		var laptop *mover
		m := transporttest.New(t, 2, func(i int, c *transport.Config) {
			v.Configure(t, c, shape.Link{Rate: 20e6, Delay: 5 * time.Millisecond}, uint64(i))
			if i == 0 {
				laptop = &mover{PacketConn: c.Socket, next: v.Socket()}
				c.Socket = laptop
			}
		})
		defer m.Close()
		a, b := m.Hosts[0], m.Hosts[1]
		b.Handle(transport.KindTensor, discard)
		b.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
		done := make(chan error, 1)
		begin := time.Now()
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			done <- a.Send(ctx, b.ID(), transport.Header{}, writeN(8<<20))
		}()
		time.Sleep(time.Second) // virtual: a third of the transfer
		before, _ := a.Path(b.ID())
		laptop.move()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		t.Logf("8 MiB at 20 Mbps with a move after a second: %v", time.Since(begin))
		if d := time.Since(begin); d > 7*time.Second {
			t.Errorf("the transfer took %v", d)
		}
		if p, _ := a.Path(b.ID()); !before.Connected || !p.Connected {
			t.Errorf("path before %+v, after %+v", before, p)
		}
		if _, err := a.Call(t.Context(), b.ID(), transport.KindUser, []byte("x")); err != nil {
			t.Errorf("call after the move: %v", err)
		}
	})
}
