package node

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/node/control"
	"github.com/cleave-mesh/cleave/transport"
)

func TestLoadsTellWhatHasChanged(t *testing.T) {
	l, now := newLoads(), time.Now()
	busy := func(id transport.PeerID, d time.Duration) {
		l.add(id, now, now.Add(d))
		now = now.Add(d)
	}
	busy("a", 10*time.Millisecond)
	if r := l.record(now); len(r) != 0 {
		t.Errorf("a moment of work is told: %v", r)
	}
	busy("a", 5*time.Second)
	busy("b", time.Second)
	r := l.record(now)
	if !(r["a"] > 0.4 && r["a"] < 0.7 && r["b"] > 0.15 && r["b"] < 0.2) {
		t.Errorf("told %v", r)
	}
	if a, b := r.others("b"), r.others("a"); a != r["a"] || b != r["b"] || r.others("c") != a+b {
		t.Errorf("others make %v, %v, %v", a, b, r.others("c"))
	}
	now = now.Add(100 * time.Millisecond)
	if again := l.record(now); again["a"] != r["a"] || again["b"] != r["b"] {
		t.Errorf("a small change is told: %v after %v", again, r)
	}
	now = now.Add(time.Minute)
	if r := l.record(now); len(r) != 0 || len(l.meters) != 0 {
		t.Errorf("an idle node tells %v, and keeps %d meters", r, len(l.meters))
	}
	if r := (loadRecord{"a": 0.8, "b": 0.7}); r.others("") != maxLoad || !r.valid() || (loadRecord{"a": 2}).valid() {
		t.Errorf("limits of %v", r)
	}
}

// loadKnown checks what a node reckons with for another.
func loadKnown(n, of *Node, want float64) error {
	if got := n.peers.loads([]transport.PeerID{of.ID()})[0]; math.Abs(got-want) > loadStep {
		return fmt.Errorf("%s reckons with %.2f at %s, want %.2f", n.Name(), got, of.Name(), want)
	}
	return nil
}

// mostly is the node that runs most of a plan's groups.
func mostly(lp *livePlan) string {
	groups := map[string]int{}
	most := ""
	for _, s := range lp.document().Stages {
		if groups[s.Node] += s.Groups; groups[s.Node] > groups[most] {
			most = s.Node
		}
	}
	return most
}

// TestPlanFollowsLoad lets another node's requests fill one of two nodes that are equally near: the plan moves to the other, and comes
// back when the first is free again. Its own requests do not move it.
func TestPlanFollowsLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("plans must outrun noise, which the race detector makes of them")
	}
	eager := func(c *Config) {
		c.Replan, c.steer = 20*time.Millisecond, control.Config{Dwell: time.Millisecond}
	}
	device := testNode(t, "device", func(c *Config) { eager(c); c.Speed = 0.01 })
	token := testToken(t, device, 2)
	edge := testNode(t, "edge", func(c *Config) { eager(c); c.Join = token })
	testNode(t, "cloud", func(c *Config) { eager(c); c.Join, c.Speed = token, 0.3 })
	c := testClient(t, device)
	pushModel(t, c, 3)
	fill := func(entry transport.PeerID) {
		now := time.Now()
		edge.loads.add(entry, now.Add(-time.Minute), now)
	}
	settled := func(on string, load float64, meanwhile func()) {
		t.Helper()
		until(t, fmt.Sprintf("a plan that runs on the %s under a load of %g at the edge", on, load), func() error {
			meanwhile()
			if err := loadKnown(device, edge, load); err != nil {
				return err
			}
			if lp := inForce(t, device); mostly(lp) != on {
				return fmt.Errorf("it runs on the %s, for %v", mostly(lp), lp.predicted())
			}
			return nil
		})
	}
	settled("edge", 0, func() {})
	settled("cloud", maxLoad, func() { fill("another") }) // it would decay
	edge.loads.mu.Lock()
	clear(edge.loads.meters)
	edge.loads.mu.Unlock()
	settled("edge", 0, func() { fill(device.ID()) })
	if r := edge.loads.record(time.Now()); r[device.ID()] < maxLoad {
		t.Errorf("the edge tells %v", r)
	}
}
