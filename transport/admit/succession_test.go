package admit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
)

const overlap = time.Hour

func kept(*admit.Issuer) error { return nil }

// rotate changes an authority's key at a time.
func rotate(t *testing.T, a *admit.Issuer, at time.Time) admit.Succession {
	t.Helper()
	s, err := a.Rotate(at, overlap, kept)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRotation follows certificates, evictions and tokens through one change of key.
func TestRotation(t *testing.T) {
	a := admit.AuthorityFromKey(key('F'))
	old := admit.AuthorityFromKey(key('F')) // a thief's copy of the first key
	trust := admit.NewTrust(a.Public())
	long := 100 * overlap
	before, err := a.Issue(public(key('m')), admit.Member, now, long)
	if err != nil {
		t.Fatal(err)
	}
	deputyChain, err := a.Issue(public(key('a')), admit.Authority, now, long)
	if err != nil {
		t.Fatal(err)
	}
	deputy, err := admit.NewIssuer(key('a'), deputyChain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Revoke(deputy.Evict(public(key('x')), now), now); err != nil {
		t.Fatal(err)
	}
	token, err := a.Token(admit.Member, 1, now.Add(long), []string{"192.0.2.1:1"})
	if err != nil {
		t.Fatal(err)
	}

	s := rotate(t, a, now)
	if a.Mesh() != trust.Mesh() || admit.KeyOf(a.Public()) != s.New || admit.KeyOf(a.Founder()) != s.Old {
		t.Error("the rotated authority is not of its mesh")
	}
	after, err := a.Issue(public(key('n')), admit.Member, now, long)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Verify(after, public(key('n')), now); !errors.Is(err, admit.ErrForeign) {
		t.Errorf("the new key before its succession is known: %v", err)
	}
	if news, err := trust.Succeed(s, now); err != nil || !news {
		t.Fatalf("succession: news %v, %v", news, err)
	}
	if news, err := trust.Succeed(s, now.Add(2*overlap)); err != nil || news {
		t.Errorf("the same succession again: news %v, %v", news, err)
	}
	if trust.Current(before) || !trust.Current(after) {
		t.Error("which certificate is to be renewed")
	}
	again, err := a.Affirm(trust, now)
	if err != nil || len(again) != 1 {
		t.Fatalf("affirmed %d evictions, %v", len(again), err)
	}
	if more, err := a.Affirm(trust, now); err != nil || len(more) != 0 {
		t.Errorf("affirmed again %d evictions, %v", len(more), err)
	}

	in, out := now.Add(overlap), now.Add(overlap+time.Second)
	late := deputy.Evict(public(key('y')), in)
	for _, c := range []struct {
		name string
		do   func(at time.Time) error
		then error // within the overlap
		last error // after it
	}{
		{"certificate under the old key", func(at time.Time) error {
			_, err := trust.Verify(before, public(key('m')), at)
			return err
		}, nil, admit.ErrKeyEnded},
		{"certificate under the new key", func(at time.Time) error {
			_, err := trust.Verify(after, public(key('n')), at)
			return err
		}, nil, nil},
		{"certificate newly issued with the old key", func(at time.Time) error {
			ch, err := old.Issue(public(key('z')), admit.Authority, at, long)
			if err != nil {
				return err
			}
			_, err = trust.Verify(ch, public(key('z')), at)
			return err
		}, nil, admit.ErrKeyEnded},
		{"eviction by the old key", func(at time.Time) error {
			_, err := trust.Revoke(old.Evict(public(key('w')), now), at)
			return err
		}, nil, admit.ErrKeyEnded},
		{"eviction by a deputy under the old key", func(at time.Time) error {
			_, err := trust.Revoke(late, at)
			return err
		}, nil, admit.ErrKeyEnded},
		{"rival succession by the old key", func(at time.Time) error {
			_, err := trust.Succeed(rotate(t, admit.AuthorityFromKey(key('F')), now), at)
			return err
		}, admit.ErrRival, admit.ErrRival},
		{"old token", func(at time.Time) error { return a.Redeem(token, at) }, admit.ErrToken, admit.ErrToken},
		{"evicted before the change", func(at time.Time) error {
			ch, err := a.Issue(public(key('x')), admit.Member, at, long)
			if err != nil {
				return err
			}
			_, err = trust.Verify(ch, public(key('x')), at)
			return err
		}, admit.ErrEvicted, admit.ErrEvicted},
	} {
		if err := c.do(in); !errors.Is(err, c.then) {
			t.Errorf("%s within the overlap: %v, want %v", c.name, err, c.then)
		}
		if err := c.do(out); !errors.Is(err, c.last) {
			t.Errorf("%s after it: %v, want %v", c.name, err, c.last)
		}
	}

	// A newcomer after the end has only the line and the affirmed eviction.
	newcomer := admit.NewTrust(old.Public())
	if _, err := newcomer.Succeed(s, out); err != nil {
		t.Fatal(err)
	}
	if news, err := newcomer.Revoke(again[0], out); err != nil || !news || !newcomer.Evicted(public(key('x'))) {
		t.Errorf("affirmed eviction at a newcomer: news %v, %v", news, err)
	}

	// The thief's mesh of the same founder does not pass for ours, nor does a token of ours lead there.
	fresh, err := a.Token(admit.Member, 1, now.Add(long), []string{"192.0.2.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	forged, err := old.Issue(public(key('z')), admit.Member, now, long)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]admit.Succession{nil, {s}} {
		if err := (admit.Proof{Chain: forged, Line: line}).Check(fresh.Authority, public(key('z')), in); !errors.Is(err, admit.ErrForeign) {
			t.Errorf("a seed under the old key for a new token: %v", err)
		}
	}
	if err := (admit.Proof{Chain: after, Line: []admit.Succession{s}}).Check(fresh.Authority, public(key('n')), out); err != nil {
		t.Errorf("a seed under the new key: %v", err)
	}
	if err := (admit.Proof{}).Check(fresh.Authority, public(key('n')), out); !errors.Is(err, admit.ErrStranger) {
		t.Errorf("a seed without a chain: %v", err)
	}
}

func TestSuccessionRefusals(t *testing.T) {
	a := admit.AuthorityFromKey(key('F'))
	first := rotate(t, a, now)
	second := rotate(t, a, now.Add(time.Minute))
	foreign := rotate(t, admit.AuthorityFromKey(key('X')), now)
	imitated := foreign
	imitated.Mesh = first.Mesh
	changed := first
	changed.End = changed.End.Add(time.Hour)
	unwilling := first
	unwilling.ByNew = second.ByNew
	zero := first
	zero.Number = 0
	for _, c := range []struct {
		name string
		s    admit.Succession
		at   time.Time
		want error
	}{
		{"of another mesh", foreign, now, admit.ErrForeign},
		{"by a key of another mesh", imitated, now, admit.ErrForeign},
		{"with a later end", changed, now, admit.ErrForged},
		{"without the new key's consent", unwilling, now, admit.ErrForged},
		{"out of order", second, now, admit.ErrGap},
		{"number 0", zero, now, admit.ErrMalformed},
		{"from the future", first, now.Add(-time.Hour), admit.ErrMalformed},
		{"as it is", first, now, nil},
		{"long after its end", second, now.Add(100 * overlap), nil},
	} {
		trust := admit.NewTrust(public(key('F')))
		if c.s == second && c.want == nil {
			if _, err := trust.Succeed(first, c.at); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := trust.Succeed(c.s, c.at); !errors.Is(err, c.want) {
			t.Errorf("succession %s: %v, want %v", c.name, err, c.want)
		}
	}

	deputy, err := admit.NewIssuer(key('a'), issue(t, admit.AuthorityFromKey(key('F')), key('a'), admit.Authority))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deputy.Rotate(now, overlap, kept); !errors.Is(err, admit.ErrNotRoot) {
		t.Errorf("rotation by a deputy: %v", err)
	}
	for _, d := range []time.Duration{0, admit.MinOverlap - 1, admit.MaxOverlap + 1} {
		if _, err := a.Rotate(now, d, kept); err == nil {
			t.Errorf("rotated with an overlap of %v", d)
		}
	}
	full := errors.New("disk full")
	key := admit.KeyOf(a.Public())
	if _, err := a.Rotate(now, overlap, func(*admit.Issuer) error { return full }); !errors.Is(err, full) {
		t.Errorf("rotated without a copy: %v", err)
	}
	if admit.KeyOf(a.Public()) != key || len(a.Line()) != 2 {
		t.Error("a rotation that was not kept changed the key")
	}
	for len(a.Line()) < admit.MaxSuccessions {
		rotate(t, a, now)
	}
	if _, err := a.Rotate(now, overlap, kept); err == nil {
		t.Error("rotated beyond the limit")
	}
	trust := admit.NewTrust(first.Old[:])
	for _, s := range a.Line() {
		if _, err := trust.Succeed(s, now); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRotationOnDisk restarts the authority and a member after a change of key, and long after the old key's end.
func TestRotationOnDisk(t *testing.T) {
	dir := t.TempDir()
	a := admit.AuthorityFromKey(key('F'))
	ch := issue(t, a, key('m'), admit.Member)
	c, err := admit.NewCredentials(a.Public(), ch, public(key('m')), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Trust.Revoke(a.Evict(public(key('x')), now), now); err != nil {
		t.Fatal(err)
	}
	s, err := a.Rotate(now, overlap, func(next *admit.Issuer) error { return next.SaveAuthority(dir) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Trust.Succeed(s, now); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	b, err := admit.LoadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.Mesh() != a.Mesh() || admit.KeyOf(b.Public()) != s.New || len(b.Line()) != 1 {
		t.Error("the loaded authority is another one")
	}
	back, err := admit.LoadCredentials(dir, now.Add(100*overlap))
	if err != nil {
		t.Fatal(err)
	}
	if !back.Trust.Evicted(public(key('x'))) || len(back.Trust.Line()) != 1 || back.Trust.Current(back.Chain) {
		t.Error("the loaded credentials have forgotten the eviction or the succession")
	}
}

func FuzzProof(f *testing.F) {
	a := admit.AuthorityFromKey(key('F'))
	s, err := a.Rotate(now, overlap, kept)
	if err != nil {
		f.Fatal(err)
	}
	ch, err := a.Issue(public(key('m')), admit.Member, now, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(admit.Proof{Chain: ch}.Append(nil))
	f.Add(admit.Proof{Chain: ch, Line: []admit.Succession{s}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := admit.ParseProof(b)
		if err != nil {
			return
		}
		if string(p.Append(nil)) != string(b) {
			t.Error("a proof does not give back its bytes")
		}
		_ = p.Check(admit.KeyOf(public(key('m'))), public(key('m')), now)
		trust := admit.NewTrust(public(key('F')))
		for _, s := range p.Line {
			if _, err := trust.Succeed(s, now); err != nil {
				return
			}
		}
	})
}
