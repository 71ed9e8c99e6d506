package session

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// world runs one request over machines, a store for each node and a network that can be late, lossy and double, on a
// virtual clock. A value's content is a hash of the pieces that made it, so that a wrong input shows in the answer.
type world struct {
	t       testing.TB
	problem *planner.Problem
	rng     *rand.Rand // nil: every delay is the mean, nothing is lost
	choose  func(*planner.Problem) *planner.Plan
	// delay is the mean one-way delay of a message or value; replan how long planning takes; detect how long a death
	// goes unnoticed.
	delay, replan, detect time.Duration
	// lose and double are the shares of messages and values that are lost silently, or come twice.
	lose, double float64
	deadline     time.Duration
	// busy multiplies the time of a piece on a node, beyond what the problem says.
	busy map[[2]int]float64
	// sure are the early exits that answer.
	sure map[planner.ValueID]bool

	now         time.Duration
	queue       agenda
	seq         int
	coordinator *Coordinator
	nodes       []*machine
	delivered   []Handle
	failed      *Fail
	endings     int
	log         strings.Builder
}

// machine is one node of the world.
type machine struct {
	host         *Host
	store        map[Handle]uint64
	carried      map[Handle]bool // made here by a Compute that went on into a later epoch
	life         int             // counts restarts: what was under way before is void
	dead, frozen bool
	waiting      []func() // what happens when a frozen node goes on
	timer        int      // counts SetTimers: earlier ones are void
}

type item struct {
	at  time.Duration
	seq int
	do  func()
}

type agenda []item

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(item)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

const entry planner.NodeID = 0

func (w *world) start(plan *planner.Plan, patience Patience) {
	for i := range w.problem.Nodes {
		w.nodes = append(w.nodes, w.newMachine(planner.NodeID(i)))
	}
	var given []planner.ValueID
	for v, val := range w.problem.Values {
		if val.Producer == planner.External {
			given = append(given, planner.ValueID(v))
			w.nodes[entry].store[Handle{planner.ValueID(v), 0}] = w.content(planner.ValueID(v))
		}
	}
	w.host(entry, Given{given})
	w.coordinator = NewCoordinator(Config{
		Self: entry, Problem: w.problem, Plan: plan, Deadline: w.deadline, Patience: patience,
	})
	w.coordinate(Start{})
}

func (w *world) newMachine(n planner.NodeID) *machine {
	return &machine{host: NewHost(n), store: map[Handle]uint64{}, carried: map[Handle]bool{}}
}

// content is what a value must be.
func (w *world) content(v planner.ValueID) uint64 {
	val := w.problem.Values[v]
	if val.Producer == planner.External {
		return uint64(v) + 1
	}
	var in []uint64
	for _, u := range w.problem.Pieces[val.Producer].In {
		in = append(in, w.content(u))
	}
	return mix(val.Producer, v, in)
}

func mix(id planner.PieceID, v planner.ValueID, in []uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, id, v, in)
	return h.Sum64()
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, item{w.now + d, w.seq, do})
}

// on does something at a node after d, if the node lives then; a frozen node does it when it goes on.
func (w *world) on(n planner.NodeID, d time.Duration, do func()) {
	life := w.nodes[n].life
	w.after(d, func() {
		m := w.nodes[n]
		switch {
		case m.dead || m.life != life:
		case m.frozen:
			m.waiting = append(m.waiting, do)
		default:
			do()
		}
	})
}

// run goes on until the agenda is empty or the time has come.
func (w *world) run(until time.Duration) {
	for len(w.queue) > 0 && w.queue[0].at <= until {
		it := heap.Pop(&w.queue).(item)
		w.now = it.at
		it.do()
	}
	if until < math.MaxInt64 {
		w.now = until
	}
}

func (w *world) printf(format string, args ...any) {
	fmt.Fprintf(&w.log, "%6s  ", fmt.Sprintf("%dms", w.now.Milliseconds()))
	fmt.Fprintf(&w.log, format+"\n", args...)
}

// flight is how often something arrives: 0 when lost, 2 when doubled; and when.
func (w *world) flight() []time.Duration {
	if w.rng == nil {
		return []time.Duration{w.delay}
	}
	random := func() time.Duration { return time.Duration(w.rng.ExpFloat64() * float64(w.delay)) }
	switch p := w.rng.Float64(); {
	case p < w.lose:
		return nil
	case p < w.lose+w.double:
		return []time.Duration{random(), random()}
	}
	return []time.Duration{random()}
}

func (w *world) coordinate(ev Event) {
	for _, e := range w.coordinator.Step(w.now, ev) {
		switch e := e.(type) {
		case Tell:
			w.tell(entry, e)
		case SetTimer:
			w.after(max(0, e.At-w.now), func() { w.coordinate(Timer{}) })
		case Replan:
			w.answer(e)
		case Judge:
			w.printf("%s is judged: answers %v", w.problem.Values[e.Handle.Value].Name, w.sure[e.Handle.Value])
			w.after(0, func() { w.coordinate(Judged{e.Handle, w.sure[e.Handle.Value]}) })
		case Deliver:
			w.endings++
			for _, v := range e.Outputs {
				if val := w.problem.Values[v.Value]; !val.Output || val.Exit > 0 && (!w.sure[v.Value] || len(e.Outputs) > 1) {
					w.t.Errorf("%s is delivered", val.Name)
				}
			}
			w.delivered = e.Outputs
			for i, v := range e.Outputs {
				if got := w.nodes[entry].store[v]; got != w.content(v.Value) {
					w.t.Errorf("output %d is %x, want %x", i, got, w.content(v.Value))
				}
			}
			w.printf("deliver %s", w.names(e.Outputs))
		case Fail:
			w.endings++
			w.failed = &e
			w.printf("fail: %s", e.Error())
		default:
			w.t.Errorf("coordinator returned %T", e)
		}
	}
}

func (w *world) answer(r Replan) {
	w.printf("replan %d: %s; have %s", r.Attempt, r.Cause, w.have(r))
	w.after(w.replan, func() {
		rest := Resume(w.problem, r)
		plan := w.choose(rest.Problem)
		if plan == nil {
			w.coordinate(ReplanFailed{r.Attempt, "no node can run the rest"})
			return
		}
		w.coordinate(Replanned{r.Attempt, rest.Lift(plan)})
	})
}

func (w *world) tell(from planner.NodeID, e Tell) {
	if from == e.To {
		w.on(from, 0, func() { w.told(from, e) })
		return
	}
	for _, d := range w.flight() {
		w.on(e.To, d, func() { w.told(from, e) })
	}
}

func (w *world) told(from planner.NodeID, e Tell) {
	if n, ok := e.Message.(*Notice); ok {
		if len(n.Done) > 0 {
			w.printf("%s tells: done %v, held %s", w.name(from), n.Done, w.names(n.Held))
		}
		w.coordinate(Told{from, e.Message})
		return
	}
	if a, ok := e.Message.(*Adopt); ok && a.Assignment.Epoch > w.nodes[e.To].host.Epoch() {
		w.printf("%s adopts epoch %d: %s", w.name(e.To), a.Assignment.Epoch, w.duties(a.Assignment))
	}
	if a, ok := e.Message.(*Adopt); ok && a.Assignment.Epoch == w.nodes[e.To].host.Epoch() {
		w.printf("%s is asked, and repeats what it said in epoch %d", w.name(e.To), a.Assignment.Epoch)
	}
	if r, ok := e.Message.(*Release); ok {
		w.printf("%s may release %s", w.name(e.To), w.names(r.Values))
	}
	w.host(e.To, Told{from, e.Message})
}

func (w *world) host(n planner.NodeID, ev Event) {
	m := w.nodes[n]
	for _, e := range m.host.Step(w.now, ev) {
		switch e := e.(type) {
		case Tell:
			w.tell(n, e)
		case SetTimer:
			m.timer++
			set := m.timer
			w.on(n, max(0, e.At-w.now), func() {
				if m.timer == set {
					w.host(n, Timer{})
				}
			})
		case Compute:
			w.compute(n, e)
		case Send:
			w.send(n, e)
		case Drop:
			for _, v := range e.Values {
				delete(m.store, v)
			}
		case Abandon:
			w.printf("%s abandons stage %d of epoch %d", w.name(n), e.Task.Stage, e.Epoch)
		case Closed:
			w.forget(n)
		default:
			w.t.Errorf("host returned %T", e)
		}
	}
}

func (w *world) compute(n planner.NodeID, e Compute) {
	m := w.nodes[n]
	content := map[planner.ValueID]uint64{}
	for i, v := range e.In {
		got, ok := m.store[v]
		if !ok {
			w.t.Errorf("%s computes stage %d with %v, which it does not have", w.name(n), e.Task.Stage, v)
		}
		if v.Epoch != e.Epoch && !slices.Contains(m.host.a.Hold, v) && !m.carried[v] {
			w.t.Errorf("%s computes in epoch %d with %v of another", w.name(n), e.Epoch, v)
		}
		content[e.Task.In[i]] = got
	}
	var took time.Duration
	for _, id := range e.Task.Pieces {
		piece := w.problem.Pieces[id]
		took += time.Duration(piece.Time[n] * max(1, w.busy[[2]int{int(id), int(n)}]) * float64(time.Second))
		var in []uint64
		for _, v := range piece.In {
			in = append(in, content[v])
		}
		for _, v := range piece.Out {
			content[v] = mix(id, v, in)
		}
	}
	w.printf("%s computes %s", w.name(n), w.pieces(e.Task.Pieces))
	w.on(n, took, func() {
		for _, v := range e.Task.Out {
			if _, there := m.store[Handle{v, e.Epoch}]; !there {
				m.store[Handle{v, e.Epoch}] = content[v]
			}
		}
		for _, v := range e.Task.Out {
			m.carried[Handle{v, e.Epoch}] = m.host.runningTask(e.Epoch, e.Task.Stage) >= 0
		}
		w.host(n, Computed{e.Epoch, e.Task})
	})
}

func (w *world) send(n planner.NodeID, e Send) {
	got, ok := w.nodes[n].store[e.Handle]
	if !ok {
		w.t.Errorf("%s sends %v, which it does not have", w.name(n), e.Handle)
	}
	w.printf("%s sends %s to %s", w.name(n), w.problem.Values[e.Handle.Value].Name, w.name(e.To))
	if w.nodes[e.To].dead {
		w.on(n, w.delay, func() { w.host(n, SendFailed{e.Epoch, e.Handle.Value, e.To}) })
		return
	}
	for _, d := range w.flight() {
		w.on(e.To, d, func() {
			v := Handle{e.Handle.Value, e.Epoch}
			if _, there := w.nodes[e.To].store[v]; !there {
				w.nodes[e.To].store[v] = got
			}
			w.host(e.To, Arrived{v, e.Remaining})
		})
		w.on(n, d, func() { w.host(n, Sent{e.Epoch, e.Handle.Value, e.To}) })
	}
}

func (w *world) kill(n planner.NodeID) {
	m := w.nodes[n]
	m.dead, m.waiting, m.store = true, nil, map[Handle]uint64{}
	w.printf("%s dies", w.name(n))
	w.after(w.detect, func() { w.coordinate(PeerDown{n}) })
}

// forget is what a shell does on Closed: whatever comes later meets a new Host.
func (w *world) forget(n planner.NodeID) {
	life := w.nodes[n].life + 1
	w.nodes[n] = w.newMachine(n)
	w.nodes[n].life = life
}

// restart brings a dead node back, without memory.
func (w *world) restart(n planner.NodeID) {
	w.forget(n)
	w.printf("%s is back", w.name(n))
	w.after(w.detect, func() { w.coordinate(PeerUp{n}) })
}

func (w *world) freeze(n planner.NodeID) {
	w.nodes[n].frozen = true
	w.printf("%s freezes", w.name(n))
}

func (w *world) thaw(n planner.NodeID) {
	m := w.nodes[n]
	if !m.frozen {
		return
	}
	m.frozen = false
	w.printf("%s goes on", w.name(n))
	for _, do := range m.waiting {
		w.on(n, 0, do)
	}
	m.waiting = nil
}

func (w *world) name(n planner.NodeID) string { return w.problem.Nodes[n].Name }

func (w *world) names(handles []Handle) string {
	out := make([]string, 0, len(handles))
	for _, v := range handles {
		out = append(out, fmt.Sprintf("%s@%d", w.problem.Values[v.Value].Name, v.Epoch))
	}
	return "[" + strings.Join(out, " ") + "]"
}

func (w *world) pieces(ids []planner.PieceID) string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, w.problem.Pieces[id].Name)
	}
	return strings.Join(out, "+")
}

func (w *world) duties(a Assignment) string {
	var out []string
	for _, t := range a.Tasks {
		out = append(out, "run "+w.pieces(t.Pieces))
	}
	for _, s := range a.Ship {
		out = append(out, fmt.Sprintf("send %s to %s", w.problem.Values[s.Value].Name, w.name(s.To)))
	}
	for _, t := range a.Tasks {
		for _, v := range t.After {
			out = append(out, w.pieces(t.Pieces)+" after "+w.problem.Values[v].Name)
		}
	}
	for _, g := range a.Gates {
		for _, v := range g.After {
			out = append(out, fmt.Sprintf("%s to %s after %s", w.problem.Values[g.Value].Name, w.name(g.To), w.problem.Values[v].Name))
		}
	}
	if len(a.Hold) > 0 {
		out = append(out, "hold "+w.names(a.Hold))
	}
	return strings.Join(out, ", ")
}

func (w *world) have(r Replan) string {
	var out []string
	for v := range w.problem.Values {
		for _, n := range r.Have[planner.ValueID(v)] {
			out = append(out, w.problem.Values[v].Name+" on "+w.name(n))
		}
	}
	return strings.Join(out, ", ")
}

// planOf is the plan that a placement makes: a stage for each run of consecutive pieces on one node, and for each value
// and receiving node one transfer from a node that has it. Its timeline is sequential, which is later than the world's.
func planOf(p *planner.Problem, place []planner.NodeID, delay time.Duration) *planner.Plan {
	plan := &planner.Plan{Place: place}
	at := time.Duration(0)
	owner := make([]int, len(p.Pieces))
	for id := range p.Pieces {
		if id == 0 || place[id] != place[id-1] || p.Pieces[id].Level != p.Pieces[id-1].Level {
			plan.Stages = append(plan.Stages, planner.Stage{Node: place[id], Start: at})
			at += delay
		}
		s := &plan.Stages[len(plan.Stages)-1]
		s.Pieces = append(s.Pieces, planner.PieceID(id))
		at += time.Duration(p.Pieces[id].Time[place[id]] * float64(time.Second))
		s.End = at
		owner[id] = len(plan.Stages) - 1
	}
	for v, val := range p.Values {
		from := val.At
		if val.Producer != planner.External {
			from = []planner.NodeID{place[val.Producer]}
		} else if from == nil {
			from = []planner.NodeID{p.Source}
		}
		var to []planner.NodeID
		for _, c := range val.Consumers {
			to = append(to, place[c])
		}
		if val.Output {
			to = append(to, p.Sink)
		}
		slices.Sort(to)
		for _, n := range slices.Compact(to) {
			if !slices.Contains(from, n) {
				plan.Transfers = append(plan.Transfers, planner.Transfer{Value: planner.ValueID(v), From: from[0], To: n})
			}
		}
	}
	plan.Cost.Latency = at + delay
	return plan
}
