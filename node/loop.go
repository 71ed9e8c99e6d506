package node

import (
	"context"
	"encoding/json"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
)

// keepMargin is the share by which a new plan must be faster than the one in force to replace it while the mesh itself has not
// changed: switching compiles stages and loses what was warm.
const keepMargin = 0.10

// controlLoop looks at paths and profiles from time to time and replaces plans that are not good any more.
func (n *Node) controlLoop(ctx context.Context) {
	tick := time.NewTicker(n.set.Replan)
	defer tick.Stop()
	seen := n.peers.epoch()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.links.apply()
		n.publishPaths()
		n.probeStale()
		if epoch := n.peers.epoch(); n.plansStale.Swap(false) || epoch != seen {
			seen = epoch
			n.review(ctx, epoch)
		}
	}
}

// wantedConfidence is how sure the estimate of a path should be while the node is new or in use, freshTime how long it is new.
const (
	wantedConfidence = 0.7
	freshTime        = 20 * time.Second
)

// probeStale measures one of the paths that are connected but little known. An idle node measures nothing.
func (n *Node) probeStale() {
	used := n.now() < freshTime || n.now()-time.Duration(n.lastUse.Load()) < freshTime
	for _, st := range n.mesh.Paths() {
		if !st.Connected || st.Goodput > 0 && (!used || st.Confidence >= wantedConfidence) {
			continue
		}
		if !n.probing.CompareAndSwap(false, true) {
			return
		}
		n.beside(func(ctx context.Context) {
			defer n.probing.Store(false)
			n.probe(ctx, st.Peer)
			if now, ok := n.mesh.Path(st.Peer); ok && changed(st.Goodput, now.Goodput) {
				n.plansStale.Store(true)
			}
		})
		return
	}
}

// review makes every plan in force anew and replaces those that have become clearly worse than the best.
func (n *Node) review(ctx context.Context, epoch uint64) {
	for key, c := range n.plans.inUse() {
		var r client.PlanRequest
		if json.Unmarshal([]byte(key), &r) != nil {
			continue
		}
		fresh, err := n.makePlan(ctx, r)
		if err != nil {
			n.log.Debug("plan not reviewed", "model", r.Model, "strategy", r.Strategy, "err", err)
			continue
		}
		if fresh.id == c.plan.id {
			n.plans.put(key, epoch, fresh) // the same plan with a newer prediction
			continue
		}
		now := n.present(c.plan)
		if n.usable(c.plan) && now > 0 && float64(fresh.plan.Cost.Latency) > (1-keepMargin)*float64(now) {
			n.plans.put(key, epoch, c.plan)
			continue
		}
		if err := n.ensureInstalled(ctx, fresh); err != nil {
			n.log.Warn("better plan not installed", "model", r.Model, "err", err)
			continue
		}
		n.plans.put(key, epoch, fresh)
		n.metrics.replaced.Inc()
		n.log.Info("plan replaced", "model", r.Model, "strategy", r.Strategy, "was", now, "is", fresh.plan.Cost.Latency)
	}
}
