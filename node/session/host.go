package session

import (
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

const (
	// Grace is how long a Host keeps what it has beyond the request's deadline, for want of an End.
	Grace = time.Second
	// Orphan is how long a Host that was not told a deadline keeps what it has.
	Orphan = 10 * time.Second
)

// Host is one node's side of one request. NewHost makes one.
type Host struct {
	self planner.NodeID
	// a is the assignment of the present epoch; its Epoch is 0 before the first Adopt.
	a Assignment
	// ended is the epoch of the last End: nothing up to it is taken on.
	ended Epoch
	// held is the handle under which each value is kept.
	held map[planner.ValueID]Handle
	// early are arrivals of epochs that were not adopted yet.
	early []Handle
	tasks []taskState // parallel to a.Tasks
	ships []bool      // parallel to a.Ship: handed to the shell
	// passed are the early exits that do not answer, in this epoch.
	passed map[planner.ValueID]bool
	// said is everything noticed in this epoch, news what is to be noticed at the end of this step.
	said, news Notice
	// expires is when everything is dropped for want of news.
	expires time.Duration
	closed  bool
	out     []Effect
}

// taskState is how far a task is. A Compute that an earlier epoch asked for may serve the present one: as is the epoch
// and stage under which the shell knows it.
type taskState struct {
	running, done, failed bool
	as                    struct {
		epoch Epoch
		task  Task
		in    []Handle
	}
}

// NewHost returns the Host of a node. The shell makes one when it first hears of a request.
func NewHost(self planner.NodeID) *Host {
	return &Host{self: self, held: map[planner.ValueID]Handle{}}
}

// Epoch is the present one; 0 before the first Adopt.
func (h *Host) Epoch() Epoch { return h.a.Epoch }

// Step takes one event at a time of the shell's clock and returns what to do, in order.
func (h *Host) Step(now time.Duration, ev Event) []Effect {
	if h.closed {
		return nil
	}
	h.out = nil
	if h.expires == 0 {
		h.expireAt(now + Orphan)
	}
	switch e := ev.(type) {
	case Given:
		for _, v := range e.Values {
			h.held[v] = Handle{v, 0}
		}
	case Told:
		h.told(now, e.Message)
	case Arrived:
		h.arrived(now, e)
	case Computed:
		h.computed(now, e)
	case ComputeFailed:
		if i := h.runningTask(e.Epoch, e.Task.Stage); i >= 0 {
			h.tasks[i].running, h.tasks[i].failed = false, true
			h.news.Failed = append(h.news.Failed, Failure{h.a.Tasks[i].Stage, e.Reason})
		}
	case Sent:
		h.news.Sent = append(h.news.Sent, h.shipped(e.Epoch, e.Value, e.To)...)
	case SendFailed:
		h.news.Unsent = append(h.news.Unsent, h.shipped(e.Epoch, e.Value, e.To)...)
	case Timer:
		if now >= h.expires {
			h.dropAll()
			h.closed = true
			h.emit(Closed{})
		}
	}
	h.notice()
	return h.out
}

func (h *Host) told(now time.Duration, m Message) {
	switch m := m.(type) {
	case *Adopt:
		switch {
		case m.Assignment.Epoch <= h.ended:
		case m.Assignment.Epoch > h.a.Epoch:
			h.adopt(now, m.Assignment)
		case m.Assignment.Epoch == h.a.Epoch:
			h.emit(Tell{h.a.Entry, h.said.clone()})
		}
	case *Release:
		var gone []Handle
		for _, v := range m.Values {
			if m.Epoch == h.a.Epoch && h.keeps(v) {
				delete(h.held, v.Value)
				gone = append(gone, v)
			}
		}
		h.drop(gone)
	case *Pass:
		if m.Epoch == h.a.Epoch && h.passed != nil {
			h.passed[m.Exit] = true
			h.advance(now)
		}
	case *End:
		if m.Epoch >= h.a.Epoch && m.Epoch > h.ended {
			h.ended = m.Epoch
			h.dropAll()
		}
	}
}

// adopt enters a new epoch: it keeps what the assignment holds, forgets the rest, and lets a Compute run on whose stage
// and inputs are the same.
func (h *Host) adopt(now time.Duration, a Assignment) {
	oldStates := h.tasks
	h.a = a
	h.said, h.news = Notice{Epoch: a.Epoch}, Notice{Epoch: a.Epoch}
	h.tasks = make([]taskState, len(a.Tasks))
	h.ships = make([]bool, len(a.Ship))
	h.passed = map[planner.ValueID]bool{}
	h.expireAt(now + a.Remaining + Grace)

	keep := map[planner.ValueID]Handle{}
	for _, v := range a.Hold {
		if h.keeps(v) {
			keep[v.Value] = v
		} else {
			h.news.Missing = append(h.news.Missing, v)
		}
	}
	for _, old := range oldStates {
		if !old.running {
			continue
		}
		j := slices.IndexFunc(a.Tasks, func(t Task) bool { return slices.Equal(t.Pieces, old.as.task.Pieces) })
		if j >= 0 && covers(old.as.task.Out, a.Tasks[j].Out) && kept(old.as.in, keep) {
			h.tasks[j] = old
			continue
		}
		h.emit(Abandon{old.as.epoch, old.as.task})
	}
	var gone []Handle
	for _, v := range h.handles() {
		if keep[v.Value] != v {
			gone = append(gone, v)
		}
	}
	h.held = keep
	var later []Handle
	for _, v := range h.early {
		switch {
		case v.Epoch > a.Epoch:
			later = append(later, v)
		case v.Epoch == a.Epoch:
			h.take(v, &gone)
		default:
			gone = append(gone, v)
		}
	}
	h.early = later
	h.drop(gone)
	h.advance(now)
}

// arrived takes a value in, keeps it for an epoch to come, or drops it as stale.
func (h *Host) arrived(now time.Duration, e Arrived) {
	var gone []Handle
	switch v := e.Handle; {
	case h.keeps(v) || slices.Contains(h.early, v):
	case v.Epoch <= h.ended || v.Epoch < h.a.Epoch:
		gone = append(gone, v)
	case v.Epoch > h.a.Epoch:
		if h.a.Epoch == 0 {
			h.expireAt(now + e.Remaining + Grace)
		}
		h.early = append(h.early, v)
	default:
		h.take(v, &gone)
		h.advance(now)
	}
	h.drop(gone)
}

// take keeps an arrival of this epoch, unless the value is kept already.
func (h *Host) take(v Handle, gone *[]Handle) {
	if old, ok := h.held[v.Value]; ok && old != v {
		*gone = append(*gone, v)
		return
	}
	h.held[v.Value] = v
	h.news.Held = append(h.news.Held, v)
}

func (h *Host) computed(now time.Duration, e Computed) {
	var gone []Handle
	i := h.runningTask(e.Epoch, e.Task.Stage)
	if i >= 0 {
		h.tasks[i].running, h.tasks[i].done = false, true
		h.news.Done = append(h.news.Done, h.a.Tasks[i].Stage)
	}
	for _, v := range e.Task.Out {
		made := Handle{v, e.Epoch}
		switch {
		case h.keeps(made):
		case i >= 0 && slices.Contains(h.a.Tasks[i].Out, v):
			h.take(made, &gone)
		default:
			gone = append(gone, made)
		}
	}
	h.drop(gone)
	h.advance(now)
}

// advance starts every stage whose inputs are here and sends every value that is, unless they wait for an early exit.
func (h *Host) advance(now time.Duration) {
	for i, s := range h.a.Ship {
		if v, ok := h.held[s.Value]; ok && !h.ships[i] && s.To != h.self && h.open(s) {
			h.ships[i] = true
			left := max(0, h.expires-Grace-now)
			h.emit(Send{Handle: v, Epoch: h.a.Epoch, To: s.To, Coding: s.Coding, Remaining: left})
		}
	}
	for i, t := range h.a.Tasks {
		in, all := h.inputs(t)
		if s := &h.tasks[i]; all && !s.running && !s.done && !s.failed && h.past(t.After) {
			s.running = true
			s.as.epoch, s.as.task, s.as.in = h.a.Epoch, t, in
			h.emit(Compute{h.a.Epoch, t, in})
		}
	}
}

// open reports whether no early exit holds a shipment back.
func (h *Host) open(s Shipment) bool {
	i := slices.IndexFunc(h.a.Gates, func(g Gate) bool { return g.Value == s.Value && g.To == s.To })
	return i < 0 || h.past(h.a.Gates[i].After)
}

// past reports whether every one of the exits is passed.
func (h *Host) past(exits []planner.ValueID) bool {
	return !slices.ContainsFunc(exits, func(v planner.ValueID) bool { return !h.passed[v] })
}

// inputs are the handles of a task's inputs, and whether all are here.
func (h *Host) inputs(t Task) ([]Handle, bool) {
	in := make([]Handle, len(t.In))
	for i, v := range t.In {
		got, ok := h.held[v]
		if !ok {
			return nil, false
		}
		in[i] = got
	}
	return in, true
}

// notice tells the entry what this step brought.
func (h *Host) notice() {
	if h.a.Epoch == 0 || h.a.Epoch <= h.ended || h.news.empty() {
		return
	}
	h.said.add(&h.news)
	n := h.news
	h.news = Notice{Epoch: h.a.Epoch}
	h.emit(Tell{h.a.Entry, &n})
}

// dropAll forgets the assignment's work and values; the Host stays to turn away what comes late.
func (h *Host) dropAll() {
	for _, t := range h.tasks {
		if t.running {
			h.emit(Abandon{t.as.epoch, t.as.task})
		}
	}
	gone := h.handles()
	var later []Handle
	for _, v := range h.early {
		if v.Epoch > h.ended {
			later = append(later, v)
		} else {
			gone = append(gone, v)
		}
	}
	h.a.Tasks, h.a.Ship, h.a.Gates, h.a.Hold, h.tasks, h.ships, h.passed = nil, nil, nil, nil, nil, nil, nil
	h.held, h.early = map[planner.ValueID]Handle{}, later
	h.drop(gone)
}

// shipped is the shipment that the shell speaks of; none when it belongs to another epoch.
func (h *Host) shipped(e Epoch, v planner.ValueID, to planner.NodeID) []Shipment {
	for i, s := range h.a.Ship {
		if e == h.a.Epoch && s.Value == v && s.To == to && h.ships[i] {
			return h.a.Ship[i : i+1]
		}
	}
	return nil
}

func (h *Host) runningTask(e Epoch, stage int) int {
	return slices.IndexFunc(h.tasks, func(t taskState) bool {
		return t.running && t.as.epoch == e && t.as.task.Stage == stage
	})
}

func (h *Host) keeps(v Handle) bool {
	got, ok := h.held[v.Value]
	return ok && got == v
}

// handles are the kept values, ascending.
func (h *Host) handles() []Handle {
	out := make([]Handle, 0, len(h.held))
	for _, v := range h.held {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Handle) int { return int(a.Value) - int(b.Value) })
	return out
}

func (h *Host) drop(gone []Handle) {
	if len(gone) > 0 {
		h.emit(Drop{gone})
	}
}

func (h *Host) expireAt(at time.Duration) {
	if at != h.expires {
		h.expires = at
		h.emit(SetTimer{at})
	}
}

func (h *Host) emit(e Effect) { h.out = append(h.out, e) }

// covers reports whether every element of b is in a.
func covers(a, b []planner.ValueID) bool {
	for _, v := range b {
		if !slices.Contains(a, v) {
			return false
		}
	}
	return true
}

// kept reports whether every handle is the one that keep has for its value.
func kept(handles []Handle, keep map[planner.ValueID]Handle) bool {
	for _, v := range handles {
		if got, ok := keep[v.Value]; !ok || got != v {
			return false
		}
	}
	return true
}
