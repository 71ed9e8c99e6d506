package member_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// cloud is a mesh of gossiping nodes in virtual time.
type cloud struct {
	mesh    *transporttest.Mesh
	net     *transporttest.Virtual
	shapers []*shape.Shaper
	groups  []*member.Group
}

// keepAlive is what the daemon sets.
const keepAlive = 25 * time.Second

// newCloud makes n nodes that all join at the first one at once.
func newCloud(t *testing.T, n int, l shape.Link, timing member.Timing) *cloud {
	t.Helper()
	seed := seedOf(t)
	v, shapers := &transporttest.Virtual{}, make([]*shape.Shaper, n)
	m := transporttest.New(t, n, func(i int, c *transport.Config) {
		shapers[i] = v.Configure(t, c, l, seed+uint64(i))
		c.KeepAlive = keepAlive
	})
	for _, a := range m.Hosts {
		for _, b := range m.Hosts {
			if a != b {
				a.Forget(b.ID())
			}
		}
	}
	c := &cloud{mesh: m, net: v, shapers: shapers}
	first := transport.Seed{Peer: m.Hosts[0].ID(), Addr: m.Hosts[0].Addrs()[0]}
	joined := make(chan error, n)
	for i, h := range m.Hosts {
		g, err := member.Start(member.Config{Host: h, Name: fmt.Sprintf("node-%03d", i), Timing: timing})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range g.Events() { // nobody listens here; the queue stays empty
			}
		}()
		c.groups = append(c.groups, g)
		if i == 0 {
			joined <- nil
			continue
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			joined <- g.Join(ctx, first)
		}()
	}
	for range n {
		if err := <-joined; err != nil {
			t.Error(err)
		}
	}
	return c
}

func (c *cloud) close() {
	for _, g := range c.groups {
		_ = g.Close()
	}
	c.mesh.Close()
	time.Sleep(time.Minute) // memberlist does not wait for a probe under way; no virtual test may end before it
}

// until waits in virtual time until every group but the skipped one satisfies done, and returns how long it took.
func (c *cloud) until(t *testing.T, most time.Duration, skip int, done func(*member.Group) bool) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		all := true
		for i, g := range c.groups {
			if i != skip && !done(g) {
				all = false
				break
			}
		}
		if all {
			return time.Since(start)
		}
		if time.Since(start) > most {
			t.Errorf("not everywhere after %v of virtual time", most)
			return time.Since(start)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sent counts all that the nodes have sent, with the headers of IPv4 and UDP.
func (c *cloud) sent() (bytes, packets uint64) {
	for _, s := range c.net.Conns {
		st := s.Stats()
		packets += uint64(st.PacketsSent)
		bytes += uint64(st.BytesSent + 28*st.PacketsSent)
	}
	return bytes, packets
}

// nodes is how many a test makes: few unless CLEAVE_NODES says more (scripts/bench-transport.sh).
func nodes(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("CLEAVE_NODES")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// seedOf decides losses: 1 unless CLEAVE_SEED says otherwise. What memberlist picks at random it does not decide.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("CLEAVE_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestHundredNodes holds the convergence figures of the LAN profile, at 1 % loss and 1 ms.
func TestHundredNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow beside the race detector")
	}
	n := nodes(t, 12)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := newCloud(t, n, shape.Link{Delay: time.Millisecond, Loss: 0.01}, member.LAN())
		defer c.close()
		joined := time.Since(start)
		conv := c.until(t, 5*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		if total := joined + conv; total > 5*time.Second {
			t.Errorf("converged after %v", total)
		}
		for i, g := range c.groups {
			if err := g.Set("load", fmt.Appendf(nil, "%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		records := c.until(t, 5*time.Second, -1, func(g *member.Group) bool { return len(g.Records("load")) == n })
		dead := n / 2
		_ = c.groups[dead].Close()
		_ = c.mesh.Hosts[dead].Close()
		detect := c.until(t, 5*time.Second, dead, func(g *member.Group) bool { return states(g, member.Failed) == 1 })
		t.Logf("%d nodes: joined in %v, converged %v later; %d records everywhere in %v; a dead node known everywhere in %v",
			n, joined.Round(time.Millisecond), conv, n, records, detect)
	})
}

// TestQuietBytes reports all that a node of a quiet mesh sends, for TestGossipBytes to be compared with: over its span, and after a start
// as long as there.
func TestQuietBytes(t *testing.T) {
	if os.Getenv("CLEAVE_NODES") == "" {
		t.Skip("a report of minutes: CLEAVE_NODES says of how many nodes")
	}
	n := nodes(t, 0)
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, n, shape.Link{Delay: time.Millisecond, Loss: 0.01}, member.LAN())
		defer c.close()
		time.Sleep(7 * time.Minute)
		bytes, packets := c.sent()
		const span = 6 * time.Minute
		time.Sleep(span)
		b, p := c.sent()
		per := span.Seconds() * float64(n)
		t.Logf("%d nodes: %.0f bytes in %.1f packets per node and second when quiet", n, float64(b-bytes)/per, float64(p-packets)/per)
	})
}

// TestNoFalseDeath watches a quiet mesh at 1 % loss, for a minute or as long as CLEAVE_SPAN says.
func TestNoFalseDeath(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow beside the race detector")
	}
	n, span := nodes(t, 5), time.Minute
	if text := os.Getenv("CLEAVE_SPAN"); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, n, shape.Link{Delay: time.Millisecond, Loss: 0.01}, member.LAN())
		defer c.close()
		c.until(t, 5*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(time.Second) {
			for _, g := range c.groups {
				if states(g, member.Failed) != 0 {
					t.Fatalf("seed %d: a live node was declared dead: %v", seedOf(t), g.Nodes())
				}
			}
		}
		t.Logf("%d nodes, %v of virtual time at 1 %% loss (seed %d): no false death", n, span, seedOf(t))
	})
}

// TestPartitionHeals cuts a mesh in two for two minutes: each half declares the other dead, and both find together again.
func TestPartitionHeals(t *testing.T) {
	const n = 6
	synctest.Test(t, func(t *testing.T) {
		l := shape.Link{Delay: time.Millisecond}
		c := newCloud(t, n, l, member.LAN())
		defer c.close()
		c.until(t, 5*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		set := func(l shape.Link) {
			for i, s := range c.shapers {
				for j, h := range c.mesh.Hosts {
					if i%2 != j%2 {
						if err := s.Set(netip.MustParseAddrPort(h.Addrs()[0]), l); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		set(shape.Link{Loss: 1})
		c.until(t, 10*time.Second, -1, func(g *member.Group) bool { return states(g, member.Failed) == n/2 })
		time.Sleep(2 * time.Minute)
		for i, g := range c.groups {
			if err := g.Set("during", []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		set(l)
		healed := c.until(t, 30*time.Second, -1, func(g *member.Group) bool {
			return states(g, member.Alive) == n && len(g.Records("during")) == n
		})
		t.Logf("healed %v after the partition ended", healed)
	})
}
