package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// suspected marks a node as silent, and asks for another plan when the present one needs it.
func (c *Coordinator) suspected(now time.Duration, n planner.NodeID, why string) {
	if n == c.cfg.Self || c.down[n] || c.suspect[n] {
		return
	}
	c.suspect[n] = true
	if c.needs(n) {
		c.ask(now, why)
	}
}

// died forgets what a node kept, and asks for another plan when the present one cannot end without it.
func (c *Coordinator) died(now time.Duration, n planner.NodeID) {
	if n == c.cfg.Self || c.down[n] {
		return
	}
	c.down[n] = true
	c.losses++
	delete(c.suspect, n)
	delete(c.members, n)
	for _, at := range c.held {
		delete(at, n)
	}
	if !c.viable() {
		c.ask(now, c.name(n)+" died")
	}
}

// back lets a node take part again. It has nothing and knows nothing of the present epoch if it died.
func (c *Coordinator) back(now time.Duration, n planner.NodeID) {
	away := c.down[n] || c.suspect[n]
	delete(c.down, n)
	delete(c.suspect, n)
	if away && (c.asking || c.retry != 0 || !c.viable()) {
		c.ask(now, c.name(n)+" is back after: "+c.trouble)
	}
}

// ask wants a plan of what remains without the dead and the silent. The present epoch goes on meanwhile: when it ends
// first, the answer is delivered all the same.
func (c *Coordinator) ask(now time.Duration, why string) {
	if c.finished {
		return
	}
	exclude := nodeSet{}
	for n := range c.down {
		exclude[n] = true
	}
	for n := range c.suspect {
		exclude[n] = true
	}
	have := map[planner.ValueID][]planner.NodeID{}
	for v, at := range c.held {
		nodes := nodeSet{}
		for n := range at {
			if !exclude[n] {
				nodes[n] = true
			}
		}
		if len(nodes) > 0 {
			have[v] = nodes.sorted()
		}
	}
	c.attempt++
	c.asking, c.trouble, c.retry, c.lossesAsked = true, why, 0, c.losses
	remaining := Remaining(c.cfg.Problem, have)
	if v, ok := lostInput(c.cfg.Problem, have, remaining); ok {
		c.noPlan(now, "nobody has the input "+c.valueName(v)+" any more")
		return
	}
	c.emit(Replan{
		Attempt: c.attempt, Have: have, Unfit: c.unfit.sorted(), Exclude: exclude.sorted(),
		Remaining: remaining, Cause: why,
	})
}

// replanned carries out the answer. What it starts from may have been lost while it was made: then it asks again.
func (c *Coordinator) replanned(now time.Duration, plan *planner.Plan) {
	stages, err := stagesOf(c.cfg.Problem, plan)
	switch {
	case err != nil:
		c.fail(BadRequest, err.Error())
	case c.feasible(plan, stages, func(n planner.NodeID) bool { return !c.down[n] }):
		c.adopt(now, plan, stages)
	case c.losses == c.lossesAsked:
		c.fail(BadRequest, "the plan moves values that nobody has")
	default:
		c.ask(now, c.trouble)
	}
}

// noPlan waits for the silent nodes when there are any, goes on when the present plan still can, and fails otherwise.
func (c *Coordinator) noPlan(now time.Duration, reason string) {
	c.asking = false
	switch {
	case len(c.suspect) > 0:
		c.retry = now + c.pause
		c.pause *= 2
	case c.viable():
		c.wait()
	default:
		why := []string{c.trouble, reason}
		if c.failure != "" && !strings.Contains(c.trouble, c.failure) {
			why = append(why, "last failure on "+c.failure)
		}
		c.fail(NoPlan, strings.Join(why, "; "))
	}
}

// overdue acts on a time that has come: to try the silent nodes again, or to call a late node silent.
func (c *Coordinator) overdue(now time.Duration) {
	if c.retry != 0 && now >= c.retry {
		clear(c.suspect)
		c.late += c.pause
		c.ask(now, "another try: "+c.trouble)
		return
	}
	due, n, why := c.due()
	switch {
	case c.asking || c.retry != 0 || now < due:
	case c.by != 0 && now < c.by:
	case n == c.cfg.Self || c.suspect[n]:
		c.wait()
	case (c.by == 0 || c.asked != n) && c.grants < MaxGrants && c.members[n]:
		c.question(now, n)
	default:
		c.by = 0
		c.suspected(now, n, why)
		if !c.asking {
			c.ask(now, why)
		}
	}
}

// question sends a late node its assignment again. A Host that has it repeats what it has noticed, so that lost messages
// are made good, too.
func (c *Coordinator) question(now time.Duration, n planner.NodeID) {
	a := c.parts[n]
	a.Remaining = c.cfg.Deadline - now
	c.asked, c.by = n, now+c.cfg.Patience.Slack+2*c.roundTrip(n)
	c.emit(Tell{n, &Adopt{a}})
}

// roundTrip is between the entry and a node, as the problem has it.
func (c *Coordinator) roundTrip(n planner.NodeID) time.Duration {
	paths := c.cfg.Problem.Paths
	if int(c.cfg.Self) >= len(paths) || int(n) >= len(paths[c.cfg.Self]) {
		return 0
	}
	return paths[c.cfg.Self][n].RTT
}

// wait gives the present plan more time.
func (c *Coordinator) wait() {
	c.late += c.pause
	c.pause *= 2
}

// due is when the present plan is late, whose fault that is, and why.
func (c *Coordinator) due() (time.Duration, planner.NodeID, string) {
	first := -1
	for i, s := range c.stages {
		if !s.done && (first < 0 || s.end < c.stages[first].end) {
			first = i
		}
	}
	if first >= 0 {
		s := c.stages[first]
		n, why := c.blame(s.node, s.task.In)
		if why == "" {
			why = fmt.Sprintf("stage %d is late on %s", first, c.name(s.node))
		}
		return c.lateAt(s.end), n, why
	}
	n, why := c.blame(c.cfg.Problem.Sink, c.outputs())
	return c.lateAt(c.plan.Cost.Latency), n, why
}

// lateAt is when something predicted for a time of the plan's timeline counts as late.
func (c *Coordinator) lateAt(end time.Duration) time.Duration {
	rest := float64(max(0, end-c.reached)) * c.cfg.Patience.Factor
	return c.last + time.Duration(min(rest, float64(c.cfg.Deadline))) + c.cfg.Patience.Slack + c.late
}

// blame finds who is at fault when a node waits for values: the node itself when it has them, else the other end of the
// way that one of them has to come, since the entry's own end is known to be alive.
func (c *Coordinator) blame(n planner.NodeID, values []planner.ValueID) (planner.NodeID, string) {
	for _, v := range values {
		if _, there := c.held[v][n]; there {
			continue
		}
		for _, t := range c.plan.Transfers {
			if t.Value != v || t.To != n {
				continue
			}
			why := fmt.Sprintf("%s from %s is late at %s", c.valueName(v), c.name(t.From), c.name(n))
			left := c.sent[Shipment{v, n, t.Coding}] || t.From == c.cfg.Self
			if !left || n == c.cfg.Self || c.suspect[n] {
				return t.From, why
			}
			return n, why
		}
	}
	return n, ""
}

// waitingFor says what a request lacked when its deadline passed.
func (c *Coordinator) waitingFor() string {
	if c.epoch == 0 {
		return "it came before the request began"
	}
	if c.asking {
		return "no new plan came after: " + c.trouble
	}
	var missing []string
	for i, s := range c.stages {
		if !s.done {
			missing = append(missing, fmt.Sprintf("stage %d on %s", i, c.name(s.node)))
		}
	}
	for _, v := range c.outputs() {
		if _, there := c.held[v][c.cfg.Problem.Sink]; !there && len(missing) == 0 {
			missing = append(missing, "output "+c.valueName(v))
		}
	}
	text := "still waiting for " + strings.Join(missing, ", ")
	if c.trouble != "" {
		text += " (" + c.trouble + ")"
	}
	return text
}

// needs reports whether a stage that is not done, or a value that has not arrived, depends on a node.
func (c *Coordinator) needs(n planner.NodeID) bool {
	for _, s := range c.stages {
		if !s.done && s.node == n {
			return true
		}
	}
	for _, t := range c.plan.Transfers {
		if _, there := c.held[t.Value][t.To]; !there && (t.From == n || t.To == n) && c.wanted(t.Value) {
			return true
		}
	}
	return false
}

// viable reports whether the present plan can still end with the nodes that know their part in it.
func (c *Coordinator) viable() bool {
	return c.feasible(c.plan, c.stages, func(n planner.NodeID) bool { return c.members[n] })
}

// feasible reports whether a plan can end with the nodes that are there, from the values that are kept.
func (c *Coordinator) feasible(plan *planner.Plan, stages []stageState, there func(planner.NodeID) bool) bool {
	coming := map[planner.ValueID]nodeSet{} // where each value will be
	at := func(v planner.ValueID, n planner.NodeID) bool {
		_, kept := c.held[v][n]
		return kept || coming[v][n]
	}
	come := func(v planner.ValueID, n planner.NodeID) {
		if coming[v] == nil {
			coming[v] = nodeSet{}
		}
		coming[v][n] = true
	}
	travel := func() {
		for moved := true; moved; { // a transfer may start from where another ends
			moved = false
			for _, t := range plan.Transfers {
				if !at(t.Value, t.To) && at(t.Value, t.From) && there(t.From) && there(t.To) {
					come(t.Value, t.To)
					moved = true
				}
			}
		}
	}
	travel()
	for _, s := range stages {
		if s.done {
			continue
		}
		if !there(s.node) || c.unfit[s.node] {
			return false
		}
		for _, v := range s.task.In {
			if !at(v, s.node) {
				return false
			}
		}
		for _, v := range s.task.Out {
			come(v, s.node)
		}
		travel()
	}
	return !slices.ContainsFunc(c.outputs(), func(v planner.ValueID) bool { return !at(v, c.cfg.Problem.Sink) })
}

func (c *Coordinator) outputs() []planner.ValueID {
	var out []planner.ValueID
	for v, val := range c.cfg.Problem.Values {
		if val.Output {
			out = append(out, planner.ValueID(v))
		}
	}
	return out
}

// setTimer asks to be woken at the next time that matters.
func (c *Coordinator) setTimer() {
	if c.finished {
		return
	}
	at := c.cfg.Deadline
	if c.retry != 0 {
		at = min(at, c.retry)
	} else if !c.asking {
		due, _, _ := c.due()
		at = min(at, max(due, c.by))
	}
	if at != c.timer {
		c.timer = at
		c.emit(SetTimer{at})
	}
}
