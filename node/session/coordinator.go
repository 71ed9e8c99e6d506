package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// Config is one request.
type Config struct {
	// Self is the entry node: where the Coordinator runs.
	Self planner.NodeID
	// Problem is what the plan was made from. The session reads its pieces, values, source and sink, and keeps it.
	Problem *planner.Problem
	// Plan is carried out first; it is kept.
	Plan *planner.Plan
	// Deadline is a time of the shell's clock.
	Deadline time.Duration
	Patience Patience
}

// Patience says when a stage is late: after the time that it was predicted to take since the last progress, times Factor,
// plus Slack. Its node is asked then. One that does not answer within Slack and two round trips is taken for frozen; one
// that does is busy, and gets more time, MaxGrants times.
type Patience struct {
	// Factor of 0 means DefaultFactor.
	Factor float64
	// Slack of 0 means DefaultSlack.
	Slack time.Duration
}

// Defaults of Patience.
const (
	DefaultFactor = 2
	DefaultSlack  = 150 * time.Millisecond
)

// MaxGrants is how often in an epoch a late node that answers gets more time, each time twice as much, before the rest
// goes elsewhere.
const MaxGrants = 3

// Coordinator is the entry node's view of one request. NewCoordinator makes one.
type Coordinator struct {
	cfg Config

	epoch  Epoch
	plan   *planner.Plan
	stages []stageState // parallel to plan.Stages
	// last is the latest progress, and reached how far the plan's timeline was then.
	last, reached time.Duration
	// late is how much longer than Patience says to wait: it doubles whenever waiting was all that could be done.
	late time.Duration
	// parts are the assignments of this epoch, to be sent again as questions.
	parts map[planner.NodeID]Assignment
	// asked is the node whose answer is awaited until asked by; nobody when by is 0. grants counts the answers.
	asked  planner.NodeID
	by     time.Duration
	grants int

	// held is the handle of each value that each node is known to keep.
	held map[planner.ValueID]map[planner.NodeID]Handle
	// sent are the shipments of this epoch that left their node.
	sent map[Shipment]bool
	// down are dead, suspect silent, unfit incapable nodes; members have an assignment that was not ended.
	down, suspect, unfit, members nodeSet
	// judged are the early exits that the shell was asked about, passed those that do not answer.
	judged, passed map[planner.ValueID]bool
	// failure is the last reason that a node gave for failing a stage.
	failure string

	// losses counts what was lost to deaths; lossesAsked is the count at the last Replan.
	losses, lossesAsked int

	attempt int
	asking  bool   // a Replan is unanswered
	trouble string // why
	// retry is when to ask again with the suspects included; 0 means never. pause is the next wait before a retry.
	retry, pause time.Duration

	timer    time.Duration
	finished bool
	out      []Effect
}

// NewCoordinator returns the Coordinator of a request that has not started.
func NewCoordinator(cfg Config) *Coordinator {
	if cfg.Patience.Factor <= 0 {
		cfg.Patience.Factor = DefaultFactor
	}
	if cfg.Patience.Slack <= 0 {
		cfg.Patience.Slack = DefaultSlack
	}
	return &Coordinator{
		cfg: cfg, held: map[planner.ValueID]map[planner.NodeID]Handle{}, pause: cfg.Patience.Slack,
		down: nodeSet{}, suspect: nodeSet{}, unfit: nodeSet{}, members: nodeSet{},
		judged: map[planner.ValueID]bool{}, passed: map[planner.ValueID]bool{},
	}
}

// Epoch is the present one; 0 before Start.
func (c *Coordinator) Epoch() Epoch { return c.epoch }

// Finished reports whether Deliver or Fail was returned.
func (c *Coordinator) Finished() bool { return c.finished }

// Step takes one event at a time of the shell's clock and returns what to do, in order.
func (c *Coordinator) Step(now time.Duration, ev Event) []Effect {
	c.out = nil
	if _, start := ev.(Start); c.finished || c.epoch == 0 && !start {
		return nil
	}
	if now >= c.cfg.Deadline {
		c.fail(Deadline, c.waitingFor())
		return c.out
	}
	switch e := ev.(type) {
	case Start:
		if c.epoch == 0 {
			c.start(now)
		}
	case Told:
		if n, ok := e.Message.(*Notice); ok {
			c.noticed(now, e.From, n)
		}
	case TellFailed:
		c.suspected(now, e.To, "no way to reach "+c.name(e.To))
	case PeerSuspect:
		c.suspected(now, e.Node, c.name(e.Node)+" does not answer")
	case PeerDown:
		c.died(now, e.Node)
	case PeerUp:
		c.back(now, e.Node)
	case Replanned:
		if c.asking && e.Attempt == c.attempt {
			c.replanned(now, e.Plan)
		}
	case ReplanFailed:
		if c.asking && e.Attempt == c.attempt {
			c.noPlan(now, e.Reason)
		}
	case Judged:
		c.decided(e)
	case Timer:
		c.overdue(now)
	case Cancel:
		c.fail(Cancelled, e.Reason)
	}
	c.setTimer()
	return c.out
}

func (c *Coordinator) start(now time.Duration) {
	p := c.cfg.Problem
	for v, val := range p.Values {
		if val.Producer != planner.External {
			continue
		}
		at := val.At
		if at == nil {
			at = []planner.NodeID{p.Source}
		}
		for _, n := range at {
			c.hold(n, Handle{planner.ValueID(v), 0})
		}
	}
	stages, err := stagesOf(p, c.cfg.Plan)
	switch {
	case err != nil:
		c.fail(BadRequest, err.Error())
	case !c.feasible(c.cfg.Plan, stages, func(planner.NodeID) bool { return true }):
		c.fail(BadRequest, "the plan leaves a stage without an input, or the answer without an output")
	default:
		c.adopt(now, c.cfg.Plan, stages)
	}
}

// adopt carries out a plan in a new epoch.
func (c *Coordinator) adopt(now time.Duration, plan *planner.Plan, stages []stageState) {
	c.epoch++
	c.plan, c.stages = plan, stages
	c.last, c.reached = now, 0
	c.sent = map[Shipment]bool{}
	c.asking, c.retry, c.by, c.grants = false, 0, 0, 0
	c.forgetUnread()

	parts := assign(plan, stages)
	c.gate(parts)
	for _, n := range c.members.sorted() {
		if _, part := parts[n]; !part && len(c.heldAt(n)) == 0 {
			c.leave(n)
		}
	}
	for _, n := range c.everyone(parts) {
		a := parts[n]
		a.Epoch, a.Entry, a.Remaining, a.Hold = c.epoch, c.cfg.Self, c.cfg.Deadline-now, c.heldAt(n)
		parts[n] = a
		c.members[n] = true
		c.emit(Tell{n, &Adopt{a}})
	}
	c.parts = parts
	c.deliver()
}

// noticed takes in what a Host says of the present epoch.
func (c *Coordinator) noticed(now time.Duration, from planner.NodeID, n *Notice) {
	if n.Epoch != c.epoch || c.down[from] || !c.members[from] {
		return
	}
	if c.by != 0 && from == c.asked {
		c.by = 0
		c.grants++
		c.wait()
	}
	for _, v := range n.Held {
		c.hold(from, v)
	}
	for _, i := range n.Done {
		if i < 0 || i >= len(c.stages) || c.stages[i].node != from || c.stages[i].done {
			continue
		}
		c.stages[i].done = true
		c.last, c.reached = now, max(c.reached, c.stages[i].end)
	}
	for _, s := range n.Sent {
		c.sent[s] = true
	}
	if c.deliver(); c.finished {
		return
	}
	if !c.asking { // what a plan in the making starts from stays
		c.release()
	}
	for _, v := range n.Missing {
		if c.held[v.Value][from] == v {
			delete(c.held[v.Value], from)
			c.losses++
			c.ask(now, c.name(from)+" lost "+c.valueName(v.Value))
		}
	}
	for _, s := range n.Unsent {
		blamed := s.To
		if blamed == c.cfg.Self {
			blamed = from
		}
		c.suspected(now, blamed, fmt.Sprintf("%s could not send %s to %s", c.name(from), c.valueName(s.Value), c.name(s.To)))
	}
	for _, f := range n.Failed {
		c.unfit[from] = true
		c.failure = c.name(from) + ": " + f.Reason
		c.ask(now, "stage failed on "+c.failure)
	}
}

// deliver ends the request when every output of the model's end is at the sink. Exits that are there are judged.
func (c *Coordinator) deliver() {
	p := c.cfg.Problem
	var outputs []Handle
	whole := true
	for v, val := range p.Values {
		if !val.Output {
			continue
		}
		at, ok := c.held[planner.ValueID(v)][p.Sink]
		switch {
		case val.Exit == 0 && ok:
			outputs = append(outputs, at)
		case val.Exit == 0:
			whole = false
		case ok && !c.judged[at.Value]:
			c.judged[at.Value] = true
			c.emit(Judge{at})
		}
	}
	if whole {
		c.emit(Deliver{outputs})
		c.end()
	}
}

func (c *Coordinator) fail(cause Cause, detail string) {
	c.emit(Fail{cause, detail})
	c.end()
}

// end closes the request at every node that takes part.
func (c *Coordinator) end() {
	c.finished = true
	for _, n := range c.members.sorted() {
		c.leave(n)
	}
}

// leave ends a node's part up to the present epoch.
func (c *Coordinator) leave(n planner.NodeID) {
	delete(c.members, n)
	for _, at := range c.held {
		delete(at, n)
	}
	if !c.down[n] {
		c.emit(Tell{n, &End{c.epoch}})
	}
}

func (c *Coordinator) hold(n planner.NodeID, v Handle) {
	if c.held[v.Value] == nil {
		c.held[v.Value] = map[planner.NodeID]Handle{}
	}
	c.held[v.Value][n] = v
}

// heldAt are the handles that a node is known to keep, ascending.
func (c *Coordinator) heldAt(n planner.NodeID) []Handle {
	var out []Handle
	for _, at := range c.held {
		if v, ok := at[n]; ok {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b Handle) int { return int(a.Value) - int(b.Value) })
	return out
}

// everyone are the nodes that take part in the plan or keep a value, ascending.
func (c *Coordinator) everyone(parts map[planner.NodeID]Assignment) []planner.NodeID {
	all := nodeSet{}
	for n := range parts {
		all[n] = true
	}
	for _, at := range c.held {
		for n := range at {
			all[n] = true
		}
	}
	return all.sorted()
}

func (c *Coordinator) emit(e Effect) { c.out = append(c.out, e) }

func (c *Coordinator) name(n planner.NodeID) string {
	if int(n) >= 0 && int(n) < len(c.cfg.Problem.Nodes) && c.cfg.Problem.Nodes[n].Name != "" {
		return c.cfg.Problem.Nodes[n].Name
	}
	return fmt.Sprintf("node %d", n)
}

func (c *Coordinator) valueName(v planner.ValueID) string {
	if int(v) >= 0 && int(v) < len(c.cfg.Problem.Values) && c.cfg.Problem.Values[v].Name != "" {
		return c.cfg.Problem.Values[v].Name
	}
	return fmt.Sprintf("value %d", v)
}

// nodeSet is a set of nodes; machines walk it in ascending order alone.
type nodeSet map[planner.NodeID]bool

func (s nodeSet) sorted() []planner.NodeID {
	out := make([]planner.NodeID, 0, len(s))
	for n := range s {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
