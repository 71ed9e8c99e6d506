package session

import (
	"slices"

	"github.com/cleave-mesh/cleave/planner"
)

// decided takes the shell's word on an early exit: the request ends there, or what waited for it begins.
func (c *Coordinator) decided(e Judged) {
	v := e.Handle.Value
	if !c.judged[v] || c.passed[v] {
		return
	}
	switch at, there := c.held[v][c.cfg.Problem.Sink]; {
	case !e.Answers:
		c.passed[v] = true
		c.emit(Tell{c.cfg.Self, &Pass{c.epoch, v}})
	case there && at == e.Handle:
		c.emit(Deliver{[]Handle{at}})
		c.end()
	default: // it was lost meanwhile, and is made anew
		delete(c.judged, v)
	}
}

// gate makes the entry's own stages and shipments wait for the early exits that the entry makes itself, where that costs no time: a stage
// of a higher level would run after the exit's anyway, and a value that the exit's stage makes is there no sooner than the exit. So a
// request that leaves sends nothing on and computes nothing more. Other nodes go on while the entry decides, as the plan's times say.
func (c *Coordinator) gate(parts map[planner.NodeID]Assignment) {
	p, self := c.cfg.Problem, c.cfg.Self
	level := func(s *stageState) int { return p.Pieces[s.task.Pieces[0]].Level }
	for i := range c.stages {
		s := &c.stages[i]
		if slices.ContainsFunc(s.task.Pieces, func(id planner.PieceID) bool { return p.Pieces[id].Level != level(s) }) {
			return // not a plan for exits: a stage that waits might hold up the exit itself
		}
	}
	a := parts[self]
	for i := range c.stages {
		maker := &c.stages[i]
		for _, v := range maker.task.Out {
			if p.Values[v].Exit == 0 || maker.node != self || p.Sink != self || c.passed[v] {
				continue
			}
			for k := range a.Tasks {
				if t := &a.Tasks[k]; p.Pieces[t.Pieces[0]].Level > level(maker) {
					t.After = append(t.After, v)
				}
			}
			for _, s := range a.Ship {
				if slices.Contains(maker.task.Out, s.Value) && !c.readBefore(s, level(maker)) {
					a.Gates = append(a.Gates, Gate{s.Value, s.To, []planner.ValueID{v}})
				}
			}
		}
	}
	parts[self] = a
}

// readBefore reports whether a shipment serves a stage up to the given level, or the answer.
func (c *Coordinator) readBefore(s Shipment, level int) bool {
	p := c.cfg.Problem
	if p.Values[s.Value].Output && s.To == p.Sink {
		return true
	}
	return slices.ContainsFunc(c.stages, func(r stageState) bool {
		return r.node == s.To && p.Pieces[r.task.Pieces[0]].Level <= level && slices.Contains(r.task.In, s.Value)
	})
}
