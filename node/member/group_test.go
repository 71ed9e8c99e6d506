package member_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// memberlist's shutdown does not wait for a probe that is under way; it ends by its timeout.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// limit is the time that a test may take before it counts as hung.
const limit = 30 * time.Second

// watcher collects one group's events and lets a test wait for a condition that they bring about.
type watcher struct {
	g    *member.Group
	wake chan struct{}
}

func watch(g *member.Group) *watcher {
	w := &watcher{g, make(chan struct{}, 1)}
	go func() {
		for range g.Events() {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
	}()
	return w
}

func (w *watcher) until(t *testing.T, what string, done func(*member.Group) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !done(w.g) {
		select {
		case <-w.wake:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain until %s; nodes %v", limit, what, w.g.Nodes())
		}
	}
}

func states(g *member.Group, s member.State) int {
	n := 0
	for _, x := range g.Nodes() {
		if x.State == s {
			n++
		}
	}
	return n
}

func start(t *testing.T, h *transport.Host, name string) *member.Group {
	t.Helper()
	g, err := member.Start(member.Config{Host: h, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func TestJoinSpreadFailLeave(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	m := transporttest.New(t, 4, nil)
	var groups []*member.Group
	var watchers []*watcher
	big := bytes.Repeat([]byte("capability "), 5000)
	for i, h := range m.Hosts {
		for _, other := range m.Hosts {
			h.Forget(other.ID()) // joining must do with the seed's address
		}
		g := start(t, h, fmt.Sprintf("node-%d", i))
		groups, watchers = append(groups, g), append(watchers, watch(g))
		if i == 0 {
			if err := g.Set("big", big); err != nil {
				t.Fatal(err)
			}
			continue
		}
		seed := m.Hosts[i-1]
		if err := g.Join(ctx, transport.Seed{Peer: seed.ID(), Addr: seed.Addrs()[0]}); err != nil {
			t.Fatal(err)
		}
		// What was there before is known as soon as Join returns.
		if r, ok := g.Get(m.Hosts[0].ID(), "big"); !ok || !bytes.Equal(r.Value, big) {
			t.Fatalf("node %d joined without the record of node 0", i)
		}
	}
	for i, w := range watchers {
		w.until(t, "all are alive", func(g *member.Group) bool { return states(g, member.Alive) == 4 })
		if err := groups[i].Set("load", fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
		if err := groups[i].Set("held", bytes.Repeat([]byte{byte(i)}, 20_000)); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range watchers {
		w.until(t, "all records are known", func(g *member.Group) bool {
			return len(g.Records("load")) == 4 && len(g.Records("held")) == 4
		})
	}
	if err := groups[0].Set("load", []byte("newer")); err != nil {
		t.Fatal(err)
	}
	watchers[3].until(t, "the newer record wins", func(g *member.Group) bool {
		r, _ := g.Get(m.Hosts[0].ID(), "load")
		return string(r.Value) == "newer"
	})
	if err := groups[1].Leave(ctx); err != nil {
		t.Fatal(err)
	}
	watchers[0].until(t, "one has left", func(g *member.Group) bool { return states(g, member.Left) == 1 })
	if err := groups[3].Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Hosts[3].Close(); err != nil {
		t.Fatal(err)
	}
	watchers[0].until(t, "one has failed", func(g *member.Group) bool { return states(g, member.Failed) == 1 })
}

func TestJoinNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	m := transporttest.New(t, 2, nil)
	g := start(t, m.Hosts[0], "")
	gone := m.Hosts[1]
	addr := gone.Addrs()[0]
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if err := g.Join(ctx, transport.Seed{Peer: gone.ID(), Addr: addr}); !errors.Is(err, member.ErrNoSeed) {
		t.Errorf("join at a closed host: %v", err)
	}
	if err := g.Set("x", make([]byte, member.MaxValue+1)); !errors.Is(err, member.ErrTooLarge) {
		t.Errorf("oversized record: %v", err)
	}
}

// TestEvictionsOutlastTheirDeputy evicts a node by a deputy and then the deputy: the authority takes the eviction over, or who learns of
// the deputy's first would not believe it.
func TestEvictionsOutlastTheirDeputy(t *testing.T) {
	m := transporttest.New(t, 2, nil)
	g := start(t, m.Hosts[0], "")
	id, err := transport.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	deputy, err := admit.NewIssuer(id.Private(), m.Credentials(t, id, admit.Authority).Chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Evict(deputy, m.Hosts[1].ID()); err != nil {
		t.Fatal(err)
	}
	if err := g.Evict(m.Authority, id.ID()); err != nil {
		t.Fatal(err)
	}
	all := m.Hosts[0].Credentials().Trust.Revocations()
	for _, r := range all {
		if r.Issuer != admit.KeyOf(m.Authority.Public()) {
			t.Error("an eviction rests on an evicted deputy")
		}
	}
	if len(all) != 2 {
		t.Errorf("%d evictions", len(all))
	}
}

func TestEvictedStaysOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	m := transporttest.New(t, 4, nil)
	var groups []*member.Group
	var watchers []*watcher
	seed := transport.Seed{Peer: m.Hosts[0].ID(), Addr: m.Hosts[0].Addrs()[0]}
	for i, h := range m.Hosts[:3] {
		g := start(t, h, fmt.Sprintf("node-%d", i))
		groups, watchers = append(groups, g), append(watchers, watch(g))
		if i > 0 {
			if err := g.Join(ctx, seed); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, w := range watchers {
		w.until(t, "all are alive", func(g *member.Group) bool { return states(g, member.Alive) == 3 })
	}
	out := m.Hosts[2].ID()
	if err := groups[0].Evict(m.Authority, out); err != nil {
		t.Fatal(err)
	}
	for _, w := range watchers[:2] {
		w.until(t, "the node is evicted", func(g *member.Group) bool { return states(g, member.Evicted) == 1 })
	}
	for _, h := range m.Hosts[:2] {
		for e := range h.PeerEvents() {
			if e.Kind == transport.PeerLost && e.Peer == out {
				break
			}
		}
		if err := m.Hosts[2].Connect(ctx, h.ID()); !errors.Is(err, admit.ErrEvicted) && err == nil {
			// A dial succeeds before the other side has judged; its verdict comes with the first use.
			if _, err = m.Hosts[2].Call(ctx, h.ID(), transport.KindRecords, []byte{1}); !errors.Is(err, admit.ErrEvicted) {
				t.Errorf("call by an evicted node: %v", err)
			}
		}
	}
	// Who joins later learns of the eviction with the rest.
	late := start(t, m.Hosts[3], "late")
	lw := watch(late)
	if err := late.Join(ctx, seed); err != nil {
		t.Fatal(err)
	}
	lw.until(t, "the newcomer knows of the eviction", func(g *member.Group) bool { return states(g, member.Evicted) == 1 })
	if err := groups[2].Join(ctx, seed); err == nil {
		t.Error("an evicted node joined again")
	}
}
