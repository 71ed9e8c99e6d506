package transport_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// TestJoinThroughAPlainMember uses a token at a node that is no authority: it passes the stranger on.
func TestJoinThroughAPlainMember(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 1, nil)
	authority := m.Add(t, admit.Authority, nil)
	authority.ServeJoins(m.Authority, nil)
	plain := m.Hosts[0]
	plain.Learn(authority.ID(), authority.Addrs()...)
	token, err := m.Authority.Token(admit.Client, 1, time.Now().Add(time.Hour), plain.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	id := identity(t)
	h, err := transport.Listen(ctx, transport.Config{Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	if _, _, err := h.Join(ctx, token.String()); err == nil {
		t.Fatal("joined at a member that knows no authority")
	}
	if err := plain.Connect(ctx, authority.ID()); err != nil {
		t.Fatal(err)
	}
	creds, seed, err := h.Join(ctx, token.String())
	if err != nil || seed.Peer != plain.ID() || creds.Chain[0].Role != admit.Client {
		t.Fatalf("join through a member: %v, seed %v", err, seed)
	}
	roles := make(chan admit.Role, 1)
	plain.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { roles <- in.Role })
	if _, err := h.Call(ctx, plain.ID(), transport.KindUser, nil); err != nil {
		t.Fatal(err)
	}
	if r := <-roles; r != admit.Client {
		t.Errorf("the handler sees role %s, want client", r)
	}
}

// TestTokenAtAnotherAuthority shows tokens to an authority that did not make them. The mesh's own is good at a deputy that can ask who
// made it, and its uses are counted there alone: a replay is refused by both. A deputy's is good with the deputy alone, which is what
// it names.
func TestTokenAtAnotherAuthority(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 0, nil)
	root := m.Add(t, admit.Authority, nil)
	root.ServeJoins(m.Authority, nil)
	id := identity(t)
	creds := m.Credentials(t, id, admit.Authority)
	deputy := m.Add(t, admit.Authority, func(c *transport.Config) { c.Identity, c.Credentials = id, creds })
	issuer, err := admit.NewIssuer(id.Private(), creds.Chain)
	if err != nil {
		t.Fatal(err)
	}
	deputy.ServeJoins(issuer, nil)
	token := func(a *admit.Issuer, valid time.Duration) admit.Token {
		tok, err := a.Token(admit.Member, 1, time.Now().Add(valid), []string{"127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	ours, late, deputys := token(m.Authority, time.Hour), token(m.Authority, -time.Minute), token(issuer, time.Hour)
	for _, c := range []struct {
		name  string
		token admit.Token
		at    *transport.Host
		want  error
	}{
		{"the mesh's at a deputy that reaches no other", ours, deputy, admit.ErrToken},
		{"an expired one at a deputy", late, deputy, admit.ErrTokenExpired},
		{"the mesh's at a deputy", ours, deputy, nil},
		{"the same again", ours, deputy, admit.ErrTokenSpent},
		{"the same at the authority", ours, root, admit.ErrTokenSpent},
		{"a deputy's at the authority", deputys, root, admit.ErrForeign},
		{"a deputy's", deputys, deputy, nil},
		{"the same again", deputys, deputy, admit.ErrTokenSpent},
	} {
		h, err := transport.Listen(ctx, transport.Config{Identity: identity(t)})
		if err != nil {
			t.Fatal(err)
		}
		c.token.Seeds = c.at.Addrs()
		if _, _, err := h.Join(ctx, c.token.String()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		_ = h.Close()
		if !deputy.Connected(root.ID()) {
			deputy.Learn(root.ID(), root.Addrs()...)
			if err := deputy.Connect(ctx, root.ID()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRenew renews at a deputy: a node with a certificate of role authority, without the founder's key.
func TestRenew(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 1, nil)
	deputy := m.Add(t, admit.Authority, nil)
	saved := make(chan *admit.Credentials, 1)
	id := identity(t)
	short, err := m.Authority.Issue(id.Public(), admit.Member, time.Now(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := admit.NewCredentials(m.Authority.Public(), short, id.Public(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := m.Add(t, admit.Member, func(c *transport.Config) {
		c.Identity, c.Credentials = id, creds
		c.Renewed = func(c *admit.Credentials) { saved <- c }
	})
	if err := h.Renew(ctx); err == nil {
		t.Error("renewed without an authority")
	}
	h.Learn(deputy.ID(), deputy.Addrs()...)
	if err := h.Connect(ctx, deputy.ID()); err != nil {
		t.Fatal(err)
	}
	if err := h.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	c := <-saved
	if len(c.Chain) != 2 || time.Until(c.Chain[0].NotAfter) < admit.DefaultLifetime/2 || c.Chain[0].Role != admit.Member {
		t.Errorf("renewed chain of %d, until %v", len(c.Chain), c.Chain[0].NotAfter)
	}
	// Who trusts the founder only trusts the deputy's certificate.
	other := m.Hosts[0]
	other.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
	h.Learn(other.ID(), other.Addrs()...)
	if _, err := h.Call(ctx, other.ID(), transport.KindUser, []byte("x")); err != nil {
		t.Errorf("call with a renewed certificate: %v", err)
	}
}

func TestRevokeDropsConnections(t *testing.T) {
	ctx := testContext(t)
	m := target(t)
	a, out := m.Hosts[0], m.Hosts[1]
	alive(ctx, t, m)
	public, err := out.ID().Public()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Revoke(m.Authority.Evict(public, time.Now())); err != nil {
		t.Fatal(err)
	}
	for e := range out.PeerEvents() {
		if e.Kind == transport.PeerLost {
			if !errors.Is(e.Err, admit.ErrEvicted) {
				t.Errorf("the evicted node was told %v", e.Err)
			}
			break
		}
	}
	if _, err := out.Call(ctx, a.ID(), transport.KindUser, []byte("x")); !errors.Is(err, admit.ErrEvicted) {
		t.Errorf("call by an evicted node: %v", err)
	}
	if err := a.Connect(ctx, out.ID()); !errors.Is(err, admit.ErrEvicted) || errors.Is(err, transport.ErrRefused) {
		t.Errorf("dialling an evicted node: %v", err)
	}
}

// TestDeputyFollowsNewKey changes the authority's key: a deputy that admits renews at the authority, not at itself, and what
// it issues then rests on the new key.
func TestDeputyFollowsNewKey(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 0, nil)
	root := m.Add(t, admit.Authority, nil)
	root.ServeJoins(m.Authority, nil)
	id := identity(t)
	creds := m.Credentials(t, id, admit.Authority)
	deputy := m.Add(t, admit.Authority, func(c *transport.Config) { c.Identity, c.Credentials = id, creds })
	issuer, err := admit.NewIssuer(id.Private(), creds.Chain)
	if err != nil {
		t.Fatal(err)
	}
	deputy.ServeJoins(issuer, nil)
	s, err := m.Authority.Rotate(time.Now(), time.Hour, func(*admit.Issuer) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Succeed(s); err != nil {
		t.Fatal(err)
	}
	if err := root.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	// The handshake alone teaches the deputy the new key: nothing gossips here.
	deputy.Learn(root.ID(), root.Addrs()...)
	if err := deputy.Connect(ctx, root.ID()); err != nil {
		t.Fatal(err)
	}
	trust := deputy.Credentials().Trust
	if len(trust.Line()) != 1 {
		t.Fatal("the handshake did not carry the succession")
	}
	if err := deputy.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	if c := deputy.Credentials(); len(c.Chain) != 1 || !trust.Current(c.Chain) {
		t.Errorf("the deputy's chain of %d, under the new key: %v", len(c.Chain), trust.Current(c.Chain))
	}
	ch, err := issuer.Issue(identity(t).Public(), admit.Member, time.Now(), 0)
	if err != nil || !trust.Current(ch) {
		t.Errorf("the deputy issues under the old key, %v", err)
	}
}
