package member_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/shape"
)

// TestRotate changes the authority's key under a mesh in virtual time: everyone renews within a minute, also a node that was
// cut off and missed it; the old key's certificates are refused after its end; who was evicted before stays out; and a
// newcomer joins with a new token.
func TestRotate(t *testing.T) {
	const n, away, overlap = 5, 4, 8 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, n, shape.Link{Delay: time.Millisecond}, member.LAN())
		defer c.close()
		ctx := context.Background()
		root, a := c.mesh.Hosts[0], c.mesh.Authority
		public, err := root.ID().Public()
		if err != nil {
			t.Fatal(err)
		}
		root.ServeJoins(a, nil)
		// The first node is an authority for the others; they see so when they connect again.
		chain, err := a.Issue(public, admit.Authority, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := root.SetCredentials(&admit.Credentials{Founder: a.Public(), Chain: chain, Trust: root.Credentials().Trust}); err != nil {
			t.Fatal(err)
		}
		for _, h := range c.mesh.Hosts[1:] {
			addrs := h.Addrs()
			root.Forget(h.ID())
			h.Forget(root.ID())
			h.Learn(root.ID(), root.Addrs()...)
			root.Learn(h.ID(), addrs...)
		}
		c.until(t, 30*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })

		evicted, err := transport.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		evictedCreds := c.mesh.Credentials(t, evicted, admit.Member)
		if err := c.groups[0].Evict(a, evicted.ID()); err != nil {
			t.Fatal(err)
		}
		idle, err := transport.NewIdentity() // a member that sleeps through it all
		if err != nil {
			t.Fatal(err)
		}
		idleCreds := c.mesh.Credentials(t, idle, admit.Member)
		oldToken, err := a.Token(admit.Member, 1, time.Now().Add(3*overlap), root.Addrs())
		if err != nil {
			t.Fatal(err)
		}

		cut := func(l shape.Link) {
			for i, s := range c.shapers {
				for j, h := range c.mesh.Hosts {
					if i < n && j < n && i != j && (i == away || j == away) {
						if err := s.Set(netip.MustParseAddrPort(h.Addrs()[0]), l); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		cut(shape.Link{Loss: 1})
		time.Sleep(90 * time.Second) // its connections are given up
		saved := 0
		s, err := c.groups[0].Rotate(ctx, a, overlap, func(*admit.Issuer) error { saved++; return nil })
		if err != nil || saved != 1 {
			t.Fatalf("rotate: %v, saved %d times", err, saved)
		}
		renewed := func(i int) bool {
			creds := c.mesh.Hosts[i].Credentials()
			return len(creds.Trust.Line()) == 1 && creds.Trust.Current(creds.Chain)
		}
		all := func(skip int) func(*member.Group) bool {
			return func(*member.Group) bool {
				for i := range n {
					if i != skip && !renewed(i) {
						return false
					}
				}
				return true
			}
		}
		took := c.until(t, time.Minute, away, all(away))
		if renewed(away) {
			t.Fatal("the node that is cut off has renewed")
		}
		cut(shape.Link{Delay: time.Millisecond})
		back := c.until(t, 2*time.Minute, -1, all(-1))
		c.until(t, 2*time.Minute, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		t.Logf("renewed under the new key everywhere in %v; a node that missed the change %v after it came back", took, back)

		time.Sleep(time.Until(s.End) + time.Second)
		try := func(what string, id *transport.Identity, creds *admit.Credentials) error {
			h := c.mesh.Add(t, admit.Member, func(cfg *transport.Config) {
				cfg.Identity, cfg.Credentials = id, creds
				c.net.Configure(t, cfg, shape.Link{Delay: time.Millisecond}, 99)
			})
			defer h.Close()
			h.Learn(c.mesh.Hosts[1].ID(), c.mesh.Hosts[1].Addrs()...)
			_, err := h.Call(ctx, c.mesh.Hosts[1].ID(), transport.KindUser, nil)
			if err == nil {
				t.Errorf("%s was served", what)
			}
			return err
		}
		if err := try("a certificate under the old key", idle, idleCreds); !errors.Is(err, transport.ErrRefused) {
			t.Errorf("a certificate under the old key: %v", err)
		}
		if err := try("an evicted node", evicted, evictedCreds); !errors.Is(err, admit.ErrEvicted) {
			t.Errorf("an evicted node: %v", err)
		}
		token, err := a.Token(admit.Member, 1, time.Now().Add(time.Hour), root.Addrs())
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []*transport.Identity{evicted, idle} {
			cfg := transport.Config{Identity: id}
			c.net.Configure(t, &cfg, shape.Link{Delay: time.Millisecond}, 98)
			h, err := transport.Listen(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.Join(ctx, oldToken.String()); err == nil {
				t.Error("joined with a token of the old key")
			}
			creds, _, err := h.Join(ctx, token.String())
			if id == evicted {
				if !errors.Is(err, admit.ErrEvicted) {
					t.Errorf("an evicted node with a new token: %v", err)
				}
			} else if err != nil || !creds.Trust.Current(creds.Chain) {
				t.Errorf("a newcomer after the change: %v", err)
			}
			_ = h.Close()
		}
	})
}
