package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/control"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/planner"
)

// mesh is one run: devices and a network on one clock, and the requests under way.
type mesh struct {
	cfg     Config
	clock   clock
	net     *network
	atlas   *atlas // as it is
	belief  *atlas // as the entry has measured it
	known   []bool // members that answer, as the entry knows
	devices []*device
	rng     *rand.Rand
	entry   int

	control  *control.Machine
	look     *alarm // when the control machine looks again
	choice          // for new requests; without a plan when there is none, and planErr says why
	planText string
	planErr  error

	open   map[int]*request // under way, by id
	made   int              // requests that arrived
	ended  int
	result *Result
}

// Run simulates one workload under one policy.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := newMesh(cfg)
	if err := m.begin(ctx); err != nil {
		return nil, fmt.Errorf("simulate %s with %s: %w", cfg.Topology.Name, cfg.Policy.Name, err)
	}
	m.result.Predicted, m.result.Bytes = planner.ExpectedLatency(m.problem, m.plan), m.plan.Cost.Bytes
	m.result.Stages, m.result.Plan, m.result.Joules = len(m.plan.Stages), m.planText, m.plan.Cost.Energy
	if cfg.Events {
		for _, e := range cfg.Topology.Events {
			m.clock.at(e.Time, func() { m.happen(ctx, e) })
		}
	}
	for _, l := range cfg.Topology.Links {
		if l.Rates != nil {
			m.follow(ctx, l)
		}
	}
	m.arrivals(ctx)
	for m.ended < cfg.Topology.Workload.Requests && m.clock.step() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	m.result.Elapsed, m.result.Events = m.clock.now, m.clock.happened
	for i, d := range m.devices {
		m.result.Busy[cfg.Topology.Nodes[i].Name] = d.busy.Seconds() / max(m.clock.now.Seconds(), 1e-9)
	}
	slices.SortFunc(m.result.Requests, func(a, b Request) int { return a.ID - b.ID })
	return m.result, nil
}

func newMesh(cfg Config) *mesh {
	t := cfg.Topology
	m := &mesh{
		cfg: cfg, atlas: newAtlas(t), belief: newAtlas(t), open: map[int]*request{},
		control: control.New(control.Config{}),
		rng:     rand.New(rand.NewPCG(cfg.Seed, 0x5eed)),
		result:  &Result{Policy: cfg.Policy.Name, Busy: map[string]float64{}},
	}
	m.net = newNetwork(&m.clock)
	m.net.wires = m.atlas.wires
	for i, n := range t.Nodes {
		d := &device{clock: &m.clock, rng: m.rng, spread: cfg.Profile.Spread, dead: n.Absent}
		m.devices = append(m.devices, d)
		m.known = append(m.known, !n.Absent)
		if n.Name == t.Workload.Source {
			m.entry = i
		}
	}
	return m
}

// begin makes the first plan, unless it is given.
func (m *mesh) begin(ctx context.Context) error {
	problem, err := m.ask()
	if err != nil {
		return err
	}
	c := &choice{problem: problem, plan: m.cfg.First}
	if c.plan == nil {
		if c, err = m.choose(ctx, problem); err != nil {
			return err
		}
	}
	m.adopt(c, "")
	return nil
}

// arrivals makes requests come as the workload says.
func (m *mesh) arrivals(ctx context.Context) {
	w := m.cfg.Topology.Workload
	switch w.Arrivals.Pattern {
	case topology.Sequential:
		m.clock.at(0, func() { m.arrive(ctx) })
	case topology.Periodic:
		for i := range w.Requests {
			m.clock.at(seconds(float64(i)/w.Arrivals.Rate), func() { m.arrive(ctx) })
		}
	case topology.Poisson:
		at := 0.0
		for range w.Requests {
			m.clock.at(seconds(at), func() { m.arrive(ctx) })
			at += m.rng.ExpFloat64() / w.Arrivals.Rate
		}
	}
}

// arrive starts a request on the current plan.
func (m *mesh) arrive(ctx context.Context) {
	r := &request{
		mesh: m, ctx: ctx, hosts: map[int]*session.Host{}, timers: map[int]*alarm{}, jobs: map[jobKey]*job{},
		flows: map[*flow]pair{}, out: Request{ID: m.made, Arrived: m.clock.now},
	}
	m.made++
	m.open[r.out.ID] = r
	r.out.Plan = m.planText
	if m.plan == nil {
		r.end("no plan: " + m.planErr.Error())
		return
	}
	r.start(m.choice)
}

// happen carries out an event of the topology, and tells the entry when it would notice.
func (m *mesh) happen(ctx context.Context, e topology.Event) {
	n := slices.IndexFunc(m.cfg.Topology.Nodes, func(n topology.Node) bool { return n.Name == e.Node })
	m.note(describeEvent(e))
	if e.Kind == topology.Degrade {
		m.net.change(func() { m.atlas.degrade(e) })
		m.clock.after(m.cfg.Observe, func() {
			m.belief.degrade(e)
			m.review(ctx)
		})
		return
	}
	d, id := m.devices[n], planner.NodeID(n)
	switch e.Kind {
	case topology.Kill:
		m.cut(n)
		d.kill()
		m.notice(ctx, n, session.PeerDown{Node: id})
	case topology.Stop:
		if !d.dead && !d.frozen {
			m.hold(n, 1)
			d.freeze()
			m.notice(ctx, n, session.PeerSuspect{Node: id})
		}
	case topology.Cont:
		if d.frozen {
			m.hold(n, -1)
			d.thaw()
			m.notice(ctx, n, session.PeerUp{Node: id})
		}
	case topology.Join:
		if d.dead {
			d.dead = false
			if m.known[n] { // it came back before its death was noticed: that it lost its memory is noticed with it
				m.notice(ctx, n, session.PeerDown{Node: id}, session.PeerUp{Node: id})
			} else {
				m.notice(ctx, n, session.PeerUp{Node: id})
			}
		}
	}
}

// notice tells the entry what happened to a node, unless something else has happened to it by then.
func (m *mesh) notice(ctx context.Context, n int, events ...session.Event) {
	d := m.devices[n]
	d.turns++
	turn := d.turns
	m.clock.after(m.cfg.Detect, func() {
		if d.turns != turn {
			return
		}
		for _, ev := range events {
			_, up := ev.(session.PeerUp)
			if up == m.known[n] {
				continue
			}
			m.known[n] = up
			m.review(ctx)
			for _, id := range m.underWay() {
				m.open[id].coordinate(ev)
			}
		}
	})
}

// underWay are the ids of open requests, ascending.
func (m *mesh) underWay() []int {
	ids := make([]int, 0, len(m.open))
	for id := range m.open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// hold stops or frees the connections of a node that freezes or goes on.
func (m *mesh) hold(n, change int) {
	m.net.change(func() {
		for p, c := range m.net.conns {
			if p.from == n || p.to == n {
				c.frozen += change
			}
		}
	})
}

// cut ends everything that a dying node sends or receives.
func (m *mesh) cut(n int) {
	if m.devices[n].frozen {
		m.hold(n, -1)
	}
	for _, id := range m.underWay() {
		m.open[id].cut(n)
	}
	m.net.forget(n)
}

func (m *mesh) note(what string) {
	m.result.Switches = append(m.result.Switches, Switch{m.clock.now, what})
}

func (m *mesh) span(track, name string, request int, start, end time.Duration) {
	if m.cfg.Trace {
		m.result.Spans = append(m.result.Spans, Span{track, name, request, start, end})
	}
}

// Describe writes a plan's stages in one line, such as "device[0-3] edge[4-80]"; numbers are pieces.
func Describe(p *planner.Problem, plan *planner.Plan) string {
	parts := make([]string, 0, len(plan.Stages))
	for _, s := range plan.Stages {
		first, last := s.Pieces[0], s.Pieces[len(s.Pieces)-1]
		if int(last-first)+1 == len(s.Pieces) {
			parts = append(parts, fmt.Sprintf("%s[%d-%d]", p.Nodes[s.Node].Name, first, last))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s[%d of %d-%d]", p.Nodes[s.Node].Name, len(s.Pieces), first, last))
	}
	return strings.Join(parts, " ")
}

func describeEvent(e topology.Event) string {
	if e.Kind != topology.Degrade {
		return string(e.Kind) + " " + e.Node
	}
	text := "degrade " + e.Link
	if e.Bandwidth != nil {
		text += " to " + e.Bandwidth.String()
	}
	if e.RTT != nil {
		text += ", rtt " + e.RTT.String()
	}
	if e.Loss != nil {
		text += fmt.Sprintf(", loss %g%%", *e.Loss*100)
	}
	return text
}
