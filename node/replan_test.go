package node

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/control"
	"github.com/cleave-mesh/cleave/planner"
)

// link is a path that a test changes while its nodes run.
type link struct {
	mu   sync.Mutex
	path planner.Path // guarded by mu
}

func (l *link) get() planner.Path {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.path
}

// set makes the link one of so many Mbps, and tells the node as a measurement would.
func (l *link) set(n *Node, mbps float64) {
	l.mu.Lock()
	l.path.Goodput = mbps * 1e6 / 8
	l.mu.Unlock()
	n.plansStale.Store(true)
}

// linkedPair runs a slow device and a cloud, with the test model pushed; what they know of the paths between them is the link's.
func linkedPair(t *testing.T) (device *Node, c *client.Client, l *link) {
	t.Helper()
	l = &link{path: planner.Path{Goodput: 50e6 / 8, RTT: 2 * time.Millisecond}}
	eager := func(c *Config) {
		c.Replan, c.slowSearch, c.paths = 20*time.Millisecond, time.Nanosecond, l.get
		c.steer = control.Config{Dwell: time.Millisecond}
	}
	device = testNode(t, "device", func(c *Config) { eager(c); c.Speed = 0.01 })
	token := testToken(t, device, 1)
	cloud := testNode(t, "cloud", func(c *Config) { eager(c); c.Join = token })
	c = testClient(t, device)
	until(t, "both to know each other", func() error {
		if k := len(device.peers.usable()) + len(cloud.peers.usable()); k != 4 {
			return fmt.Errorf("they know %d of 4", k)
		}
		return nil
	})
	pushModel(t, c, 2)
	return device, c, l
}

// inForce is the plan in force at a node for the test model, asked for as infer does.
func inForce(t *testing.T, n *Node) *livePlan {
	t.Helper()
	lp, err := n.planFor(t.Context(), client.PlanRequest{Model: "faces", Install: true})
	if err != nil {
		t.Fatal(err)
	}
	return lp
}

// untilPlanned waits until the plan in force has a stage on the node, or none, and a request runs so.
func untilPlanned(t *testing.T, n *Node, c *client.Client, on string, wanted bool) {
	t.Helper()
	var lp *livePlan
	until(t, fmt.Sprintf("a plan with a stage on %s: %v", on, wanted), func() error {
		lp = inForce(t, n)
		doc := lp.document()
		if slices.ContainsFunc(doc.Stages, func(s client.Stage) bool { return s.Node == on }) != wanted {
			return fmt.Errorf("the plan takes %.1f ms with %d stages by %s", doc.PredictedMS, len(doc.Stages), doc.Planner)
		}
		return nil
	})
	in, _ := local(t)
	res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: lp.id, Inputs: in})
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(res.Report.Stages, func(s client.StageRun) bool { return s.Node == on }) != wanted {
		t.Errorf("the request ran otherwise: %+v", res.Report)
	}
}

// TestPlanFollowsItsLink changes the link of a running mesh: the plan leaves the cloud when the link becomes slow, for what the plan's table
// says, and comes back with the link.
func TestPlanFollowsItsLink(t *testing.T) {
	device, c, l := linkedPair(t)
	table := func() (lp *livePlan) {
		until(t, "the plan's table", func() error {
			if lp = inForce(t, device); lp.table.Load() == nil {
				return fmt.Errorf("the plan of %s after %v has none", lp.planner, lp.plan.Proof.Elapsed)
			}
			return nil
		})
		return lp
	}
	untilPlanned(t, device, c, "cloud", true)
	first := table()
	l.set(device, 0.5)
	untilPlanned(t, device, c, "cloud", false)
	slow := table() // by the table, or by the search that follows it
	if entry := device.lookUp(slow); entry == nil || entry.id != slow.id || slow.id == first.id {
		t.Errorf("the plan in force is %.12s of %s, it was %.12s, the table says %v", slow.id, slow.planner, first.id, entry)
	}
	t.Logf("the plan in force is by %s, after %v", slow.planner, slow.plan.Proof.Elapsed)
	l.set(device, 50)
	untilPlanned(t, device, c, "cloud", true)
}
