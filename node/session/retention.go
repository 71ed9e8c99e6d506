package session

import (
	"slices"

	"github.com/cleave-mesh/cleave/planner"
)

// release lets nodes drop the values that nothing can need any more.
func (c *Coordinator) release() {
	gone := map[planner.NodeID][]Handle{}
	for v, at := range c.held {
		for n, handle := range at {
			if !c.keep(v, n) {
				gone[n] = append(gone[n], handle)
				delete(at, n)
			}
		}
	}
	nodes := nodeSet{}
	for n := range gone {
		nodes[n] = true
	}
	for _, n := range nodes.sorted() {
		slices.SortFunc(gone[n], func(a, b Handle) int { return int(a.Value) - int(b.Value) })
		c.emit(Tell{n, &Release{c.epoch, gone[n]}})
	}
}

// keep reports whether node n is to keep value v: the request's inputs stay to the end, as the last resort; a value stays
// while anyone waits for it; and it stays while it is the backup of an output that only the node that read it has.
func (c *Coordinator) keep(v planner.ValueID, n planner.NodeID) bool {
	p := c.cfg.Problem
	if p.Values[v].Producer == planner.External || p.Values[v].Output && n == p.Sink || c.wanted(v) {
		return true
	}
	for _, s := range c.stages {
		if !s.done || s.node == n || !slices.Contains(s.task.In, v) {
			continue
		}
		for _, w := range s.task.Out {
			at := c.held[w]
			_, maker := at[s.node]
			if c.wanted(w) && (len(at) == 0 || len(at) == 1 && maker) {
				return true
			}
		}
	}
	return false
}

// wanted reports whether a stage that is not done reads the value, or the answer lacks it.
func (c *Coordinator) wanted(v planner.ValueID) bool {
	p := c.cfg.Problem
	if p.Values[v].Output {
		if _, there := c.held[v][p.Sink]; !there {
			return true
		}
	}
	for _, s := range c.stages {
		if !s.done && slices.Contains(s.task.In, v) {
			return true
		}
	}
	return false
}

// forgetUnread removes from held what a new plan makes anew, what it does not read, and what excluded nodes keep: the new
// assignments do not list it.
func (c *Coordinator) forgetUnread() {
	made := map[planner.ValueID]bool{}
	for _, s := range c.stages {
		for _, id := range s.task.Pieces {
			for _, v := range c.cfg.Problem.Pieces[id].Out {
				made[v] = true
			}
		}
	}
	for v, at := range c.held {
		for n := range at {
			if made[v] || c.down[n] || c.suspect[n] || !c.keep(v, n) {
				delete(at, n)
			}
		}
	}
}
