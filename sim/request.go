package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/planner"
)

// request is the shell around the session machines of one inference: it carries out their effects on devices and network.
type request struct {
	mesh *mesh
	ctx  context.Context
	choice
	// leaves is where among the requests this one stands, from 0 to 1: it leaves at the first exit whose share is above that.
	leaves float64
	coord  *session.Coordinator
	hosts  map[int]*session.Host
	// timers are the machines' alarms: by node for hosts, entryTimer for the Coordinator.
	timers map[int]*alarm
	jobs   map[jobKey]*job
	flows  map[*flow]pair
	over   bool
	out    Request
}

type jobKey struct {
	node, stage int
	epoch       session.Epoch
}

const entryTimer = -1

func (r *request) start(c choice) {
	r.choice = c
	m := r.mesh
	if len(c.used) > 0 {
		r.leaves = m.rng.Float64()
	}
	var given []planner.ValueID
	for v, val := range c.problem.Values {
		if val.Producer == planner.External {
			given = append(given, planner.ValueID(v))
		}
	}
	r.host(m.entry, session.Given{Values: given})
	r.coord = session.NewCoordinator(session.Config{
		Self: planner.NodeID(m.entry), Problem: c.problem, Plan: c.plan,
		Deadline: m.clock.now + m.cfg.Topology.Workload.Deadline,
	})
	r.coordinate(session.Start{})
}

// end closes the books; the machines go on until they have cleaned up.
func (r *request) end(failure string) {
	m := r.mesh
	r.over = true
	r.out.Latency, r.out.Failure = m.clock.now-r.out.Arrived, failure
	if r.coord != nil {
		r.out.Epochs = int(r.coord.Epoch())
	}
	m.result.Requests = append(m.result.Requests, r.out)
	m.ended++
	delete(m.open, r.out.ID)
	if w := m.cfg.Topology.Workload; w.Arrivals.Rate == 0 && m.made < w.Requests {
		m.clock.after(0, func() { m.arrive(r.ctx) })
	}
}

// on does something at a node after a delay, unless it has died by then; a frozen node does it when it goes on.
func (r *request) on(n int, d time.Duration, do func()) {
	dev := r.mesh.devices[n]
	life := dev.life
	r.mesh.clock.after(d, func() {
		switch {
		case dev.dead || dev.life != life:
		case dev.frozen:
			dev.held = append(dev.held, do)
		default:
			do()
		}
	})
}

func (r *request) setTimer(key, node int, at time.Duration, do func()) {
	r.mesh.clock.cancel(r.timers[key])
	dev := r.mesh.devices[node]
	life := dev.life
	r.timers[key] = r.mesh.clock.at(at, func() {
		if dev.life == life && !dev.dead {
			do()
		}
	})
}

func (r *request) coordinate(ev session.Event) {
	m := r.mesh
	for _, e := range r.coord.Step(m.clock.now, ev) {
		switch e := e.(type) {
		case session.Tell:
			r.tell(m.entry, e)
		case session.SetTimer:
			r.setTimer(entryTimer, m.entry, e.At, func() { r.coordinate(session.Timer{}) })
		case session.Replan:
			m.note(fmt.Sprintf("request %d replans: %s", r.out.ID, e.Cause))
			r.on(m.entry, m.cfg.Planning, func() { r.coordinate(r.replan(e)) })
		case session.Judge:
			value := r.problem.Values[e.Handle.Value]
			answers := r.leaves < value.Exit
			if answers {
				r.out.Exit = value.Name
			}
			m.clock.after(0, func() { r.coordinate(session.Judged{Handle: e.Handle, Answers: answers}) })
		case session.Deliver:
			r.end("")
		case session.Fail:
			r.end(e.Error())
		}
	}
}

// replan asks the planner for the rest, in the mesh as the entry knows it now.
func (r *request) replan(e session.Replan) session.Event {
	m := r.mesh
	whole, err := m.belief.problem(m.cfg.Topology, m.cfg.Profile, m.cfg.Policy, func(int) bool { return true })
	if err != nil {
		return session.ReplanFailed{Attempt: e.Attempt, Reason: err.Error()}
	}
	if exits := m.exits(); len(exits) > 0 {
		whole = planner.WithExits(whole, exits, r.used)
	}
	for n, known := range m.known {
		if !known && !m.devices[n].dead {
			continue // silent, not gone: the session decides whether to try it
		}
		if !known {
			e.Exclude = append(e.Exclude, planner.NodeID(n))
		}
	}
	rest := session.Resume(whole, e)
	plan, err := m.cfg.Policy.Planner.Plan(r.ctx, rest.Problem)
	if err != nil {
		return session.ReplanFailed{Attempt: e.Attempt, Reason: err.Error()}
	}
	return session.Replanned{Attempt: e.Attempt, Plan: rest.Lift(plan)}
}

func (r *request) tell(from int, e session.Tell) {
	m, to := r.mesh, int(e.To)
	if from == to {
		r.on(to, 0, func() { r.told(from, e) })
		return
	}
	route := m.atlas.routes[from][to]
	if route == nil || m.devices[to].dead {
		if from == m.entry {
			r.on(from, m.cfg.Detect, func() { r.coordinate(session.TellFailed{To: e.To}) })
		}
		return
	}
	r.on(to, m.flight(route), func() { r.told(from, e) })
}

func (r *request) told(from int, e session.Tell) {
	ev := session.Told{From: planner.NodeID(from), Message: e.Message}
	if _, notice := e.Message.(*session.Notice); notice {
		r.coordinate(ev)
		return
	}
	r.host(int(e.To), ev)
}

func (r *request) host(n int, ev session.Event) {
	m := r.mesh
	h := r.hosts[n]
	if h == nil {
		h = session.NewHost(planner.NodeID(n))
		r.hosts[n] = h
	}
	for _, e := range h.Step(m.clock.now, ev) {
		switch e := e.(type) {
		case session.Tell:
			r.tell(n, e)
		case session.SetTimer:
			r.setTimer(n, n, e.At, func() { r.host(n, session.Timer{}) })
		case session.Compute:
			r.compute(n, e)
		case session.Abandon:
			if j := r.jobs[jobKey{n, e.Task.Stage, e.Epoch}]; j != nil {
				m.devices[n].abandon(j)
			}
		case session.Send:
			r.send(n, e)
		case session.Closed:
			delete(r.hosts, n)
		}
	}
}

func (r *request) compute(n int, e session.Compute) {
	m := r.mesh
	takes := 0.0
	for _, id := range e.Task.Pieces {
		takes += r.problem.Pieces[id].Time[n]
	}
	name := fmt.Sprintf("stage %d (%d pieces)", e.Task.Stage, len(e.Task.Pieces))
	key := jobKey{n, e.Task.Stage, e.Epoch}
	r.jobs[key] = m.devices[n].compute(name, seconds(takes), func(start, end time.Duration) {
		delete(r.jobs, key)
		m.span(m.cfg.Topology.Nodes[n].Name, name, r.out.ID, start, end)
		r.host(n, session.Computed{Epoch: e.Epoch, Task: e.Task})
	})
}

// send is encoding, the flow, the delay and decoding, one after the other.
func (r *request) send(n int, e session.Send) {
	m, to := r.mesh, int(e.To)
	value := r.problem.Values[e.Handle.Value]
	coding := value.Codings[e.Coding]
	route := m.atlas.routes[n][to]
	failed := func() {
		r.on(n, m.cfg.Detect, func() {
			r.host(n, session.SendFailed{Epoch: e.Epoch, Value: e.Handle.Value, To: e.To})
		})
	}
	if route == nil {
		failed()
		return
	}
	speed := func(node int) float64 { return m.cfg.Topology.Nodes[node].Speed }
	track := m.cfg.Topology.Nodes[n].Name + " to " + m.cfg.Topology.Nodes[to].Name
	m.devices[n].work("encode "+value.Name, seconds(coding.Encode/speed(n)+m.cfg.Profile.Transfer), func(_, begin time.Duration) {
		if m.devices[to].dead {
			failed()
			return
		}
		r.out.Bytes += coding.Bytes
		var f *flow
		f = m.net.send(pair{n, to}, route, float64(coding.Bytes), func() {
			delete(r.flows, f)
			m.span(track, value.Name+" as "+coding.Codec, r.out.ID, begin, m.clock.now)
			r.on(n, 0, func() { r.host(n, session.Sent{Epoch: e.Epoch, Value: e.Handle.Value, To: e.To}) })
			r.on(to, m.flight(route), func() {
				m.devices[to].work("decode "+value.Name, seconds(coding.Decode/speed(to)), func(_, _ time.Duration) {
					arrived := session.Handle{Value: e.Handle.Value, Epoch: e.Epoch}
					r.host(to, session.Arrived{Handle: arrived, Remaining: e.Remaining})
				})
			})
		})
		r.flows[f] = pair{n, to}
	})
}

// cut ends the flows of a node that dies; the senders that live notice later. The node's machines are gone.
func (r *request) cut(n int) {
	for f, p := range r.flows {
		if p.from == n || p.to == n {
			r.mesh.net.abort(f)
			delete(r.flows, f)
		}
	}
	delete(r.hosts, n)
	for key := range r.jobs {
		if key.node == n {
			delete(r.jobs, key)
		}
	}
}

// flight is the time that the last byte takes over a route.
func (m *mesh) flight(route []*wire) time.Duration {
	var d time.Duration
	for _, w := range route {
		d += w.delay
		if w.jitter > 0 {
			d += max(-w.delay, time.Duration(m.rng.NormFloat64()*float64(w.jitter)))
		}
	}
	return d
}
