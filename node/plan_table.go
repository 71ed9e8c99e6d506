package node

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// livePlan is a plan together with what it was made from.
type livePlan struct {
	id        string // content address, hex
	request   client.PlanRequest
	model     store.Name
	strategy  string
	planner   string
	frame     *frameHere
	problem   *planner.Problem
	plan      *planner.Plan
	known     *calibration                   // nil where the model has none for this graph
	exits     map[planner.ValueID]split.Exit // the early exits in use; nil where the plan was not made with exits
	note      string                         // about exits, for people
	table     atomic.Pointer[pathTable]      // nil where the plan has none
	installMu sync.Mutex
	installed bool // guarded by installMu
}

// predicted is the plan's latency, with early exits its mean.
func (lp *livePlan) predicted() time.Duration { return planner.ExpectedLatency(lp.problem, lp.plan) }

// speed is that of the plan's node of this name, relative to the machine that codec times refer to.
func (lp *livePlan) speed(name string) float64 {
	for _, node := range lp.problem.Nodes {
		if node.Name == name && node.Speed > 0 {
			return node.Speed
		}
	}
	return 1
}

// planTable holds plans by id and the current one of each request. It is safe for concurrent use.
type planTable struct {
	slots chan struct{} // one for each request that may be under way

	mu      sync.Mutex
	byID    map[string]*livePlan // guarded by mu
	order   []string             // guarded by mu; of byID, oldest first
	current map[string]current   // guarded by mu; by request
}

// current is the plan in force for a request, and the state of the mesh it was made in.
type current struct {
	plan  *livePlan
	epoch uint64
}

func newPlanTable(slots int) *planTable {
	return &planTable{slots: make(chan struct{}, slots), byID: map[string]*livePlan{}, current: map[string]current{}}
}

func (t *planTable) get(id string) *livePlan {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// inForce is the plan in force for a request. One that was made in another state of the mesh counts until the control loop
// has replaced it, as long as all its nodes are usable.
func (t *planTable) inForce(key string, epoch uint64, usable func(*livePlan) bool) *livePlan {
	t.mu.Lock()
	c, ok := t.current[key]
	t.mu.Unlock()
	if ok && (c.epoch == epoch || usable(c.plan)) {
		return c.plan
	}
	return nil
}

// put keeps a plan, as the one in force for key when key is not "". It gives back the plan that is kept for its id.
func (t *planTable) put(key string, epoch uint64, lp *livePlan) *livePlan {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.byID[lp.id]; ok {
		// Equal plans are one; the newer prediction counts.
		old.installMu.Lock()
		lp.installed = old.installed
		old.installMu.Unlock()
	} else if t.order = append(t.order, lp.id); len(t.order) > maxPlans {
		delete(t.byID, t.order[0])
		t.order = t.order[1:]
	}
	t.byID[lp.id] = lp
	if key != "" {
		t.current[key] = current{lp, epoch}
	}
	return lp
}

func (t *planTable) list() []*livePlan {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*livePlan
	for _, id := range t.order {
		out = append(out, t.byID[id])
	}
	return out
}

// inUse is every request that has a plan in force.
func (t *planTable) inUse() map[string]current {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]current, len(t.current))
	for k, c := range t.current {
		out[k] = c
	}
	return out
}

func (t *planTable) drop(model store.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, c := range t.current {
		if c.plan.model.Digest == model {
			delete(t.current, k)
		}
	}
}

// requestKey identifies a plan request. Its fields are in a fixed order, and maps are sorted by the encoder.
func requestKey(r client.PlanRequest) string {
	r.Install = false
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Sprint(r)
	}
	return string(b)
}
