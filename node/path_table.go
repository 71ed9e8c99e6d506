package node

import (
	"context"
	"math"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/planner"
)

const (
	// defaultSlowSearch is how long the search for a plan takes for a table to be worth its making, which takes 1 to 30 ms.
	defaultSlowSearch = 50 * time.Millisecond
	// A table spans these goodputs, in bytes per second, and round trips.
	tableLeast, tableMost = 1e4, 1e9
	tableRTT              = time.Second
	// tableSkew is by how much the ratio of the two directions' goodputs may differ from the table's.
	tableSkew = 1.25
)

// pathTable is a plan's envelope: the best plan between the entry and the one other node for every state of the path between them.
type pathTable struct {
	envelope *planner.Envelope
	entry    planner.NodeID
	other    planner.NodeID
}

// prepareTable makes a plan's table, beside the caller, where the search for it was slow and the table can answer in its place: for the
// latency over two nodes, with nothing else asked for.
func (n *Node) prepareTable(lp *livePlan) {
	r, p := &lp.request, lp.problem
	plain := (r.Strategy == client.Best || r.Strategy == client.BestInputsStay) && r.Planner == "" && r.MaxStages == 0 &&
		len(r.Via)+len(lp.exits)+len(lp.frame.frame.Divisions) == 0
	if !plain || p.Objective != planner.Latency || len(p.Nodes) != 2 || lp.plan.Proof.Elapsed < n.set.slowSearch {
		return
	}
	n.beside(func(context.Context) {
		other := 1 - p.Source
		e, err := planner.NewEnvelope(p, other, tableLeast, tableMost, tableRTT)
		if err != nil {
			n.log.Debug("no path table", "plan", lp.id, "err", err)
			return
		}
		lp.table.Store(&pathTable{envelope: e, entry: p.Source, other: other})
	})
}

// lookUp is the plan that the table of lp has for the path as it is now; nil where it has no table, or the table does not fit any more.
func (n *Node) lookUp(lp *livePlan) *livePlan {
	t := lp.table.Load()
	if t == nil || !n.usable(lp) {
		return nil
	}
	begin := time.Now()
	p := n.present(lp)
	plan := t.plan(p)
	if plan == nil {
		return nil
	}
	plan.Proof.Elapsed = time.Since(begin)
	fresh := &livePlan{
		id: planID(lp.frame.id, plan), request: lp.request, model: lp.model, strategy: lp.strategy, planner: plan.Proof.Solver,
		frame: lp.frame, problem: p, plan: plan, known: lp.known,
	}
	fresh.table.Store(t)
	return fresh
}

// plan is the table's entry for a problem that differs from its own in the paths alone; nil where the table does not reach, or the entry is
// over a limit.
func (t *pathTable) plan(p *planner.Problem) *planner.Plan {
	there, back := p.Paths[t.entry][t.other], p.Paths[t.other][t.entry]
	skew := back.Goodput / there.Goodput / t.envelope.Back
	if !(there.Goodput >= tableLeast && there.Goodput <= tableMost) || there.RTT > tableRTT || !(math.Max(skew, 1/skew) <= tableSkew) {
		return nil
	}
	cut := t.envelope.At(there.Goodput, there.RTT)
	plan, err := planner.Evaluate(p, cut.Place, cut.Codings)
	if err != nil {
		return nil
	}
	plan.Proof = planner.Proof{
		Solver: "envelope", Gap: 1, Explored: 1,
		Claim: "least sum of compute and hops between two nodes, without overlap, from a table made before",
	}
	return plan
}
