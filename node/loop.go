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
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.links.apply()
		n.publishPaths()
		n.probeStale()
		if n.plansStale.Swap(false) {
			n.review(ctx)
		}
	}
}

// probeStale measures paths that are connected but were never measured, or not for long.
func (n *Node) probeStale() {
	for _, st := range n.mesh.Paths() {
		if !st.Connected || st.Goodput > 0 && (st.Age < staleAfter || n.runs.active() == 0) {
			continue
		}
		if !n.probing.CompareAndSwap(false, true) {
			return
		}
		n.beside(func(ctx context.Context) {
			defer n.probing.Store(false)
			n.probe(ctx, st.Peer)
		})
		return
	}
}

// review makes every plan in force anew and replaces those that have become clearly worse than the best.
func (n *Node) review(ctx context.Context) {
	epoch := n.peers.epoch()
	for key, c := range n.plans.inUse() {
		if c.epoch != epoch {
			continue // made anew by the next request anyway
		}
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
		if now > 0 && float64(fresh.plan.Cost.Latency) > (1-keepMargin)*float64(now) {
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
