package transport_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// shortLived adds a member to a virtual mesh whose certificate ends soon, and whose connections stand without traffic.
func shortLived(t *testing.T, m *transporttest.Mesh, v *transporttest.Virtual, lifetime time.Duration) *transport.Host {
	t.Helper()
	id, err := transport.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := m.Authority.Issue(id.Public(), admit.Member, time.Now(), lifetime)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := admit.NewCredentials(m.Authority.Founder(), chain, id.Public(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := m.Add(t, admit.Member, func(c *transport.Config) {
		v.Configure(t, c, shape.Link{Delay: time.Millisecond}, 7)
		c.Identity, c.Credentials, c.KeepAlive = id, creds, 20*time.Second
	})
	m.Hosts = append(m.Hosts, h)
	for _, o := range m.Hosts {
		h.Learn(o.ID(), o.Addrs()...)
		o.Learn(h.ID(), h.Addrs()...)
	}
	return h
}

// streamBetween opens a stream that stays open, and returns a channel that is closed when the handler's side has ended.
func streamBetween(t *testing.T, from, to *transport.Host) (*transport.Stream, <-chan struct{}) {
	t.Helper()
	ended := make(chan struct{})
	to.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) {
		defer close(ended)
		_, _ = io.Copy(in, in)
	})
	s, err := from.Open(context.Background(), to.ID(), transport.KindUser)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return s, ended
}

// TestConnectionEndsWithMembership lets a certificate end under a standing connection, whichever side dialled, and with streams open.
func TestConnectionEndsWithMembership(t *testing.T) {
	const lifetime = 5 * time.Minute
	for name, dialled := range map[string]bool{"dialled by the one whose membership ends": true, "dialled by the other": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, v, _ := transporttest.NewVirtual(t, 1, shape.Link{Delay: time.Millisecond}, 1)
				defer m.Close()
				a, b := m.Hosts[0], shortLived(t, m, v, lifetime)
				from, to := a, b
				if dialled {
					from, to = b, a
				}
				s, ended := streamBetween(t, from, to)
				defer s.Close()
				time.Sleep(lifetime - 2*time.Second)
				if !a.Connected(b.ID()) {
					t.Fatal("the connection ended before the membership")
				}
				time.Sleep(5 * time.Second)
				<-ended
				if a.Connected(b.ID()) || b.Connected(a.ID()) {
					t.Error("the connection has outlasted the membership")
				}
				_, err := b.Call(context.Background(), a.ID(), transport.KindObserve, nil)
				if !errors.Is(err, transport.ErrRefused) {
					t.Errorf("a call with an expired certificate: %v", err)
				}
			})
		})
	}
}

// TestConnectionIsMadeAnew leaves a node alone with an authority's deputy for longer than its certificate: it renews in time, and the
// peers never lose each other.
func TestConnectionIsMadeAnew(t *testing.T) {
	const lifetime = 6 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		m, v, _ := transporttest.NewVirtual(t, 1, shape.Link{Delay: time.Millisecond}, 1)
		defer m.Close()
		deputy := m.Add(t, admit.Authority, func(c *transport.Config) { v.Configure(t, c, shape.Link{Delay: time.Millisecond}, 8) })
		m.Hosts = append(m.Hosts, deputy)
		a, b := m.Hosts[0], shortLived(t, m, v, lifetime)
		a.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
		for _, h := range []*transport.Host{a, deputy} {
			if err := b.Connect(context.Background(), h.ID()); err != nil {
				t.Fatal(err)
			}
		}
		lost := 0
		go func() {
			for e := range b.PeerEvents() {
				if e.Kind == transport.PeerLost {
					lost++
				}
			}
		}()
		first := b.Credentials().Chain[0].NotAfter
		time.Sleep(time.Until(first) + time.Minute)
		if c := b.Credentials().Chain; len(c) != 2 || !c[0].NotAfter.After(first.Add(lifetime)) {
			t.Errorf("chain of %d until %v, want one by the deputy", len(c), c[0].NotAfter)
		}
		synctest.Wait()
		if lost != 0 || !a.Connected(b.ID()) {
			t.Errorf("the peers lost each other %d times", lost)
		}
		if _, err := b.Call(context.Background(), a.ID(), transport.KindUser, []byte("x")); err != nil {
			t.Errorf("after the renewal: %v", err)
		}
	})
}
