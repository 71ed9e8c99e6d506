package transporttest

import (
	"context"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// Mesh is hosts that an authority has admitted and that know each other's addresses.
type Mesh struct {
	Authority *admit.Issuer
	Hosts     []*transport.Host
}

// New makes n hosts; each config, when not nil, changes the configuration of host i before it listens. They are closed when
// the test ends.
func New(tb testing.TB, n int, config func(i int, c *transport.Config)) *Mesh {
	tb.Helper()
	authority, err := admit.NewAuthority()
	if err != nil {
		tb.Fatal(err)
	}
	m := &Mesh{Authority: authority}
	for i := range n {
		m.Hosts = append(m.Hosts, m.Add(tb, admit.Member, func(c *transport.Config) {
			if config != nil {
				config(i, c)
			}
		}))
	}
	m.Introduce()
	return m
}

// Add makes one more admitted host.
func (m *Mesh) Add(tb testing.TB, role admit.Role, config func(*transport.Config)) *transport.Host {
	tb.Helper()
	id, err := transport.NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	cfg := transport.Config{Identity: id, Credentials: m.Credentials(tb, id, role)}
	if config != nil {
		config(&cfg)
	}
	h, err := transport.Listen(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = h.Close() })
	return h
}

// Credentials admits an identity.
func (m *Mesh) Credentials(tb testing.TB, id *transport.Identity, role admit.Role) *admit.Credentials {
	tb.Helper()
	now := time.Now()
	chain, err := m.Authority.Issue(id.Public(), role, now, 0)
	if err != nil {
		tb.Fatal(err)
	}
	creds, err := admit.NewCredentials(m.Authority.Founder(), chain, id.Public(), now, m.Authority.Line()...)
	if err != nil {
		tb.Fatal(err)
	}
	return creds
}

// Introduce tells every host the addresses of all others.
func (m *Mesh) Introduce() {
	for _, a := range m.Hosts {
		for _, b := range m.Hosts {
			if a != b {
				a.Learn(b.ID(), b.Addrs()...)
			}
		}
	}
}
