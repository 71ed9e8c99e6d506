package member_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
)

// TestNewcomerKnowsAll joins one more node to a LAN: within two seconds it has every node and every record, small and large, and
// everyone has its own.
func TestNewcomerKnowsAll(t *testing.T) {
	const n = 10
	synctest.Test(t, func(t *testing.T) {
		l := shape.Link{Delay: time.Millisecond}
		c := newCloud(t, n, l, member.LAN())
		defer c.close()
		c.until(t, 5*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		set := func(i int, g *member.Group) {
			for key, size := range map[string]int{"load": 10, "held": 50_000} {
				if err := g.Set(key, bytes.Repeat([]byte{byte(i)}, size)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, g := range c.groups {
			set(i, g)
		}
		time.Sleep(time.Minute) // the rumours have ended
		h := c.mesh.Join(t, func(cfg *transport.Config) { c.net.Configure(t, cfg, l, 77) })
		start := time.Now()
		g, err := member.Start(member.Config{Host: h, Name: "newcomer"})
		if err != nil {
			t.Fatal(err)
		}
		c.groups = append(c.groups, g)
		set(n, g)
		first := c.mesh.Hosts[0]
		if err := g.Join(context.Background(), transport.Seed{Peer: first.ID(), Addr: first.Addrs()[0]}); err != nil {
			t.Fatal(err)
		}
		c.until(t, 2*time.Second, -1, func(g *member.Group) bool {
			return states(g, member.Alive) == n+1 && len(g.Records("load")) == n+1 && len(g.Records("held")) == n+1
		})
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("everything was known after %v", took)
		}
	})
}

// TestGhostsAreForgotten kills a node: after the time of the profile nobody remembers it or its records, and it does not come back from
// a node that forgets later.
func TestGhostsAreForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow beside the race detector")
	}
	const n, dead = 4, 2
	synctest.Test(t, func(t *testing.T) {
		timing := member.LAN()
		c := newCloud(t, n, shape.Link{Delay: time.Millisecond}, timing)
		defer c.close()
		c.until(t, 5*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		_ = c.groups[dead].Close()
		_ = c.mesh.Hosts[dead].Close()
		c.until(t, 5*time.Second, dead, func(g *member.Group) bool { return states(g, member.Failed) == 1 })
		time.Sleep(timing.Forget / 2)
		c.until(t, 0, dead, func(g *member.Group) bool { return len(g.Nodes()) == n })
		time.Sleep(timing.Forget/2 + 30*time.Second)
		for range 10 {
			c.until(t, 0, dead, func(g *member.Group) bool { return len(g.Nodes()) == n-1 && len(g.Records("")) == n-1 })
			time.Sleep(time.Minute)
		}
	})
}

// TestWAN runs the profile for wide areas over round trips of 300 ms that lose 3 % each way: the mesh comes together, nobody is
// wrongly declared dead, and who dies is known within a minute.
func TestWAN(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow beside the race detector")
	}
	const n, dead = 6, 3
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, n, shape.Link{Delay: 150 * time.Millisecond, Loss: 0.03}, member.WAN())
		defer c.close()
		joined := c.until(t, 30*time.Second, -1, func(g *member.Group) bool { return states(g, member.Alive) == n })
		for i, g := range c.groups {
			if err := g.Set("load", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		told := c.until(t, 30*time.Second, -1, func(g *member.Group) bool { return len(g.Records("load")) == n })
		for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
			for _, g := range c.groups {
				if states(g, member.Alive) != n {
					t.Fatalf("a live node was declared dead: %v", g.Nodes())
				}
			}
		}
		_ = c.groups[dead].Close()
		_ = c.mesh.Hosts[dead].Close()
		found := c.until(t, time.Minute, dead, func(g *member.Group) bool { return states(g, member.Failed) == 1 })
		t.Logf("complete %v after joining; records everywhere in %v; a dead node known everywhere in %v", joined, told, found)
	})
}
