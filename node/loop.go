package node

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/control"
	"github.com/cleave-mesh/cleave/planner"
)

// confirmLooks is how many ticks in a row look at the plans after something has changed: a switch has to be confirmed, and the
// last switch may be too recent.
const confirmLooks = 7

// searchLooks is how many of these, the last ones, search for plans that have a path table.
const searchLooks = 2

// controlLoop looks at paths and profiles from time to time and replaces plans that are not good any more.
func (n *Node) controlLoop(ctx context.Context) {
	tick := time.NewTicker(n.set.Replan)
	defer tick.Stop()
	seen := n.peers.epoch()
	again := 0                                // looks that are still due
	search := false                           // more than paths has changed
	machines := map[string]*control.Machine{} // by plan request
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.links.apply()
		n.publishPaths()
		n.peers.set(keyLoad, n.loads.record(time.Now()))
		n.probeStale()
		if epoch := n.peers.epoch(); n.plansStale.Swap(false) || epoch != seen {
			search = n.speedsStale.Swap(false) || epoch != seen
			seen, again = epoch, confirmLooks
		}
		if again > 0 {
			again--
			n.review(ctx, seen, machines, search || again < searchLooks)
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

// review makes every plan in force anew and lets its control machine decide whether the new one replaces it. Plans that have a path table
// are looked up there, unless they are to be searched.
func (n *Node) review(ctx context.Context, epoch uint64, machines map[string]*control.Machine, search bool) {
	inUse := n.plans.inUse()
	for key := range machines {
		if _, ok := inUse[key]; !ok {
			delete(machines, key)
		}
	}
	for key, c := range inUse {
		var r client.PlanRequest
		if json.Unmarshal([]byte(key), &r) != nil {
			continue
		}
		var fresh *livePlan
		if !search {
			fresh = n.lookUp(c.plan)
		}
		if fresh == nil {
			var err error
			if fresh, err = n.makePlan(ctx, r); err != nil {
				n.log.Debug("plan not reviewed", "model", r.Model, "strategy", r.Strategy, "err", err)
				continue
			}
		}
		if fresh.id == c.plan.id {
			n.plans.put(key, epoch, fresh) // the same plan with a newer prediction
			continue
		}
		m := machines[key]
		if m == nil {
			m = control.New(n.set.steer)
			machines[key] = m
		}
		now := n.candidate(c.plan)
		if !n.usable(c.plan) {
			now.Latency = math.Inf(1)
		}
		d := m.Look(control.View{
			Now: n.now(), Current: now, Others: []control.Candidate{{
				ID: fresh.id, Latency: fresh.predicted().Seconds(), Deviation: deviation(fresh.problem, fresh.plan),
			}}, Rate: 1,
		})
		if d.Action == control.Keep {
			n.plans.put(key, epoch, c.plan)
			continue
		}
		if err := n.ensureInstalled(ctx, fresh); err != nil {
			n.log.Warn("better plan not installed", "model", r.Model, "err", err)
			continue
		}
		n.plans.put(key, epoch, fresh)
		n.metrics.replaced.Inc()
		n.log.Info("plan replaced", "model", r.Model, "strategy", r.Strategy, "reason", d.Reason)
	}
}

// candidate is a plan as it is predicted over the present paths and loads.
func (n *Node) candidate(lp *livePlan) control.Candidate {
	c := control.Candidate{ID: lp.id, Latency: math.Inf(1)}
	codings := planner.Codings{}
	for _, t := range lp.plan.Transfers {
		codings[planner.Hop{Value: t.Value, To: t.To}] = t.Coding
	}
	p := n.present(lp)
	if again, err := planner.Evaluate(p, lp.plan.Place, codings); err == nil {
		c.Latency, c.Deviation = planner.ExpectedLatency(p, again).Seconds(), deviation(p, again)
	}
	return c
}

// deviation is the standard deviation in seconds of a plan's latency, as far as its paths' jitter and spread say, taken as
// independent.
func deviation(p *planner.Problem, plan *planner.Plan) float64 {
	sum := 0.0
	for _, t := range plan.Transfers {
		path := p.Paths[t.From][t.To]
		jitter := path.Jitter.Seconds()
		spread := 0.0
		if path.Goodput > 0 {
			spread = path.Spread * float64(p.Values[t.Value].Codings[t.Coding].Bytes) / path.Goodput
		}
		sum += jitter*jitter + spread*spread
	}
	return math.Sqrt(sum)
}
