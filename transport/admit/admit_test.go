package admit_test

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// key is a fixed identity per letter.
func key(letter byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = letter
	return ed25519.NewKeyFromSeed(seed)
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func issue(t *testing.T, a *admit.Issuer, k ed25519.PrivateKey, r admit.Role) admit.Chain {
	t.Helper()
	ch, err := a.Issue(public(k), r, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// forge makes a certificate like another one for a subject, well signed by an issuer of one's choice.
func forge(t *testing.T, like admit.Certificate, subject, issuer byte) admit.Certificate {
	t.Helper()
	like.Subject, like.Issuer = admit.KeyOf(public(key(subject))), admit.KeyOf(public(key(issuer)))
	b := like.Append(nil)
	signed := b[:admit.CertificateSize-ed25519.SignatureSize]
	copy(like.Signature[:], ed25519.Sign(key(issuer), append([]byte("cleave membership certificate\x00"), signed...)))
	return like
}

func TestVerify(t *testing.T) {
	founder := admit.AuthorityFromKey(key('F'))
	trust := admit.NewTrust(founder.Public())
	member := issue(t, founder, key('m'), admit.Member)
	authority := issue(t, founder, key('a'), admit.Authority)
	deputy, err := admit.NewIssuer(key('a'), authority)
	if err != nil {
		t.Fatal(err)
	}
	byDeputy := issue(t, deputy, key('d'), admit.Client)
	if _, err := admit.NewIssuer(key('m'), member); !errors.Is(err, admit.ErrForged) {
		t.Errorf("a plain member as issuer: %v", err)
	}
	other := issue(t, founder, key('b'), admit.Authority)
	selfMade := append(admit.Chain{forge(t, member[0], 'x', 'm')}, member...) // a plain member issued it
	borrowed := append(admit.Chain{byDeputy[0]}, other...)                    // shows another deputy than the one that issued it
	changed := append(admit.Chain(nil), member...)
	changed[0].Role = admit.Authority
	foreign := issue(t, admit.AuthorityFromKey(key('X')), key('m'), admit.Member)
	imitated := append(admit.Chain(nil), foreign...)
	imitated[0].Mesh = founder.Mesh()
	usurped := admit.Chain{forge(t, member[0], 'm', 'X')} // of our mesh, says somebody else's key
	for _, c := range []struct {
		name  string
		chain admit.Chain
		who   byte
		at    time.Time
		want  error
	}{
		{"member", member, 'm', now, nil},
		{"issued by a deputy", byDeputy, 'd', now, nil},
		{"a little early", member, 'm', now.Add(-admit.ClockSkew / 2), nil},
		{"no certificate", nil, 'm', now, admit.ErrStranger},
		{"stolen certificate", member, 'x', now, admit.ErrForged},
		{"expired", member, 'm', now.Add(2 * time.Hour), admit.ErrExpired},
		{"not yet", member, 'm', now.Add(-time.Hour), admit.ErrExpired},
		{"foreign", foreign, 'm', now, admit.ErrForeign},
		{"foreign with our name", imitated, 'm', now, admit.ErrForged},
		{"changed role", changed, 'm', now, admit.ErrForged},
		{"of our mesh under a foreign key", usurped, 'm', now, admit.ErrForeign},
		{"issued by a plain member", selfMade, 'x', now, admit.ErrForged},
		{"with another deputy's certificate", borrowed, 'd', now, admit.ErrForged},
	} {
		if _, err := trust.Verify(c.chain, public(key(c.who)), c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRevoke(t *testing.T) {
	founder := admit.AuthorityFromKey(key('F'))
	trust := admit.NewTrust(founder.Public())
	deputy, err := admit.NewIssuer(key('a'), issue(t, founder, key('a'), admit.Authority))
	if err != nil {
		t.Fatal(err)
	}
	member := issue(t, deputy, key('m'), admit.Member)
	if news, err := trust.Revoke(deputy.Evict(public(key('m')), now), now); err != nil || !news {
		t.Fatalf("revocation by a deputy: news %v, %v", news, err)
	}
	if _, err := trust.Verify(member, public(key('m')), now); !errors.Is(err, admit.ErrEvicted) {
		t.Errorf("an evicted member: %v", err)
	}
	other := issue(t, deputy, key('o'), admit.Member)
	if _, err := trust.Revoke(founder.Evict(public(key('a')), now.Add(time.Minute)), now); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Verify(other, public(key('o')), now); err != nil {
		t.Errorf("a member admitted before its issuer was evicted: %v", err)
	}
	late, err := deputy.Issue(public(key('l')), admit.Member, now.Add(2*time.Minute), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Verify(late, public(key('l')), now.Add(2*time.Minute)); !errors.Is(err, admit.ErrEvicted) {
		t.Errorf("a member admitted by an evicted deputy: %v", err)
	}
	plain := deputy.Evict(public(key('o')), now)
	plain.Issuer, plain.Chain = admit.KeyOf(public(key('o'))), other
	signed := plain.Append(nil)[:1+16+32+8+32] // all before the signature
	copy(plain.Signature[:], ed25519.Sign(key('o'), append([]byte("cleave revocation\x00"), signed...)))
	if _, err := trust.Revoke(plain, now); !errors.Is(err, admit.ErrForged) {
		t.Errorf("a revocation by a plain member: %v", err)
	}
	forged := founder.Evict(public(key('o')), now)
	forged.Subject = admit.KeyOf(public(key('z')))
	if _, err := trust.Revoke(forged, now); !errors.Is(err, admit.ErrForged) {
		t.Errorf("a changed revocation: %v", err)
	}
	if _, err := trust.Revoke(admit.AuthorityFromKey(key('X')).Evict(public(key('o')), now), now); !errors.Is(err, admit.ErrForeign) {
		t.Errorf("a foreign revocation: %v", err)
	}
}

// TestEvictionOutlastsItsSigner shows a newcomer evictions by a deputy whose certificate has ended since, and by one that was
// evicted itself.
func TestEvictionOutlastsItsSigner(t *testing.T) {
	founder := admit.AuthorityFromKey(key('F'))
	deputy, err := admit.NewIssuer(key('a'), issue(t, founder, key('a'), admit.Authority)) // good for an hour
	if err != nil {
		t.Fatal(err)
	}
	later := now.Add(24 * time.Hour)
	for _, c := range []struct {
		name   string
		signed time.Time
		want   error
	}{
		{"while the deputy's certificate was good", now.Add(30 * time.Minute), nil},
		{"after its end", now.Add(2 * time.Hour), admit.ErrExpired},
		{"before its beginning", now.Add(-2 * time.Hour), admit.ErrExpired},
		{"dated ahead of the newcomer's clock", later.Add(time.Hour), admit.ErrExpired},
	} {
		r, err := admit.ParseRevocation(appendOf(deputy.Evict(public(key('x')), c.signed))) // as it travels, with its chain
		if err != nil {
			t.Fatal(err)
		}
		newcomer := admit.NewTrust(founder.Public())
		if _, err := newcomer.Revoke(r, later); !errors.Is(err, c.want) || newcomer.Evicted(public(key('x'))) != (c.want == nil) {
			t.Errorf("signed %s: %v, evicted %v", c.name, err, newcomer.Evicted(public(key('x'))))
		}
	}

	// The deputy is evicted: whoever learns of that first believes nothing more of it, but what the authority affirms.
	trust, newcomer := admit.NewTrust(founder.Public()), admit.NewTrust(founder.Public())
	by, of := deputy.Evict(public(key('x')), now), founder.Evict(public(key('a')), now.Add(time.Minute))
	for _, r := range []admit.Revocation{by, of} {
		if news, err := trust.Revoke(r, now); err != nil || !news {
			t.Fatalf("news %v, %v", news, err)
		}
	}
	if _, err := newcomer.Revoke(of, now); err != nil {
		t.Fatal(err)
	}
	if _, err := newcomer.Revoke(by, now); !errors.Is(err, admit.ErrEvicted) {
		t.Errorf("an eviction by an evicted deputy: %v", err)
	}
	again, err := founder.Affirm(trust, now)
	if err != nil || len(again) != 1 {
		t.Fatalf("affirmed %d, %v", len(again), err)
	}
	if _, err := newcomer.Revoke(again[0], now); err != nil || !newcomer.Evicted(public(key('x'))) {
		t.Errorf("an affirmed eviction: %v", err)
	}
}

func appendOf(r admit.Revocation) []byte { return r.Append(nil) }

func TestTokensAndFiles(t *testing.T) {
	dir := t.TempDir()
	a := admit.AuthorityFromKey(key('F'))
	tok, err := a.Token(admit.Client, 2, now.Add(time.Hour), []string{"192.0.2.1:25328"})
	if err != nil {
		t.Fatal(err)
	}
	text := tok.String()
	if len(text) > 160 {
		t.Errorf("token of %d characters", len(text))
	}
	got, err := admit.ParseToken(" " + text[:40] + "\n" + text[40:] + "\r\n")
	if err != nil || got.String() != text {
		t.Fatalf("parsed token %v, %v", got, err)
	}
	if err := a.Redeem(got, now); err != nil {
		t.Fatal(err)
	}
	// The count survives a restart.
	if err := a.SaveAuthority(dir); err != nil {
		t.Fatal(err)
	}
	b, err := admit.LoadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Redeem(got, now); err != nil {
		t.Errorf("second use: %v", err)
	}
	if err := b.Redeem(got, now); !errors.Is(err, admit.ErrTokenSpent) {
		t.Errorf("third use of two: %v", err)
	}
	if err := b.Redeem(got, now.Add(2*time.Hour)); !errors.Is(err, admit.ErrTokenExpired) {
		t.Errorf("after its expiry: %v", err)
	}
	raised := got
	raised.Role = admit.Authority
	if err := b.Redeem(raised, now); !errors.Is(err, admit.ErrToken) {
		t.Errorf("with a raised role: %v", err)
	}

	// So does that of a deputy.
	deputy := func() *admit.Issuer {
		d, err := admit.NewIssuer(key('a'), issue(t, a, key('a'), admit.Authority))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.LoadTokens(dir); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := deputy()
	if once, err := d.Token(admit.Member, 1, now.Add(time.Hour), []string{"192.0.2.1:25328"}); err != nil {
		t.Fatal(err)
	} else if err := d.Redeem(once, now); err != nil {
		t.Error(err)
	} else if err := d.SaveTokens(dir); err != nil {
		t.Error(err)
	} else if err := deputy().Redeem(once, now); !errors.Is(err, admit.ErrTokenSpent) {
		t.Errorf("a deputy's token after its restart: %v", err)
	} else if err := a.Redeem(once, now); !errors.Is(err, admit.ErrToken) {
		t.Errorf("a deputy's token at the authority: %v", err)
	}

	ch := issue(t, a, key('m'), admit.Member)
	c, err := admit.NewCredentials(a.Public(), ch, public(key('m')), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Trust.Revoke(a.Evict(public(key('x')), now), now); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	back, err := admit.LoadCredentials(dir, now)
	if err != nil || !back.Trust.Evicted(public(key('x'))) || back.Chain[0].Subject != ch[0].Subject {
		t.Errorf("loaded credentials %+v, %v", back, err)
	}
	if none, err := admit.LoadCredentials(t.TempDir(), now); none != nil || err != nil {
		t.Errorf("no credentials: %v, %v", none, err)
	}
}

func FuzzParse(f *testing.F) {
	a := admit.AuthorityFromKey(key('F'))
	ch, err := a.Issue(public(key('m')), admit.Member, now, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	r := a.Evict(public(key('m')), now)
	f.Add(ch.Append(nil))
	f.Add(r.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ch, err := admit.ParseChain(b); err == nil && string(ch.Append(nil)) != string(b) {
			t.Error("a chain does not give back its bytes")
		}
		if r, err := admit.ParseRevocation(b); err == nil && string(r.Append(nil)) != string(b) {
			t.Error("a revocation does not give back its bytes")
		}
	})
}

func FuzzToken(f *testing.F) {
	a := admit.AuthorityFromKey(key('F'))
	tok, err := a.Token(admit.Member, 1, now, []string{"a:1", "b:2"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok.String())
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := admit.ParseToken(text)
		if err != nil {
			return
		}
		again, err := admit.ParseToken(tok.String())
		if err != nil || again.String() != tok.String() {
			t.Errorf("token %q became %q, %v", tok, again, err)
		}
	})
}
