package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/sim"
)

// Story is the workload with the topology's events, measured beside simulated. Requests come one after the other.
type Story struct {
	Measured  Outcome `json:"measured"`
	Simulated Outcome `json:"simulated"`
	// Happened is what the lab did, in order.
	Happened []string `json:"happened"`
}

// Outcome is how the requests of a story fared.
type Outcome struct {
	Requests  int     `json:"requests"`
	Failed    int     `json:"failed"`
	Replanned int     `json:"replanned"`
	MedianMS  float64 `json:"median_ms"`
	WorstMS   float64 `json:"worst_ms"`
}

// story runs the workload on the best plan while the events happen, then simulates the same with the profile that was
// measured here.
func (b *bench) story(ctx context.Context) error {
	t := b.cfg.Topology
	if len(t.Events) == 0 {
		return nil
	}
	s := &Story{}
	var latencies []float64
	began := time.Now()
	pending := t.Events
	for range t.Workload.Requests {
		for len(pending) > 0 && pending[0].Time <= time.Since(began) {
			if err := b.mesh.Happen(ctx, pending[0]); err != nil {
				return err
			}
			s.Happened = append(s.Happened, fmt.Sprintf("%.0f ms: %s %s%s",
				float64(time.Since(began).Microseconds())/1e3, pending[0].Kind, pending[0].Node, pending[0].Link))
			pending = pending[1:]
		}
		done := b.during(ctx, began, &pending, s)
		res, err := b.mesh.Device().Infer(ctx, client.InferRequest{
			Model: t.Workload.Model, Strategy: client.Best, Inputs: b.inputs, Deadline: t.Workload.Deadline,
		})
		if happened := done(); happened != nil {
			return happened
		}
		s.Measured.Requests++
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			s.Measured.Failed++
			continue
		case res.Report.Replanned:
			s.Measured.Replanned++
		}
		latencies = append(latencies, res.Report.TotalMS)
	}
	s.Measured.MedianMS, s.Measured.WorstMS = quantile(latencies, 0.5), quantile(latencies, 1)
	b.cfg.Say("ran %d requests while %d events happened", s.Measured.Requests, len(s.Happened))
	policies, err := sim.Policies()
	if err != nil {
		return err
	}
	cfg := sim.Config{Topology: t, Profile: b.report.Profile, Seed: 1}
	for _, p := range policies {
		if p.Name == sim.BestOfAll {
			cfg.Policy = p
		}
	}
	told, err := sim.Tell(ctx, cfg)
	if err != nil {
		return err
	}
	s.Simulated = Outcome{told.Requests, told.Failed, told.Replanned, told.MedianMS, told.WorstMS}
	b.report.Story = s
	return nil
}

// during lets the next event happen in the middle of a request, when its time comes. The returned function ends the wait.
func (b *bench) during(ctx context.Context, began time.Time, pending *[]topology.Event, s *Story) func() error {
	if len(*pending) == 0 {
		return func() error { return nil }
	}
	e := (*pending)[0]
	failed := make(chan error, 1)
	timer := time.AfterFunc(time.Until(began.Add(e.Time)), func() { failed <- b.mesh.Happen(ctx, e) })
	return func() error {
		if timer.Stop() {
			return nil
		}
		*pending = (*pending)[1:]
		s.Happened = append(s.Happened, fmt.Sprintf("%d ms: %s %s%s", e.Time.Milliseconds(), e.Kind, e.Node, e.Link))
		return <-failed
	}
}

// Happen carries out an event on the real mesh.
func (m *Mesh) Happen(ctx context.Context, e topology.Event) error {
	switch e.Kind {
	case topology.Kill:
		m.Process(e.Node).Kill()
		return nil
	case topology.Stop, topology.Cont:
		return m.Process(e.Node).freeze(e.Kind == topology.Stop)
	case topology.Degrade:
		return m.degrade(ctx, e)
	}
	return fmt.Errorf("lab: a node cannot %s while it runs: simulate it", e.Kind)
}

// degrade changes both directions of a link, each at the node that sends.
func (m *Mesh) degrade(ctx context.Context, e topology.Event) error {
	for i := range m.topology.Links {
		l := &m.topology.Links[i]
		if l.Name != e.Link {
			continue
		}
		if e.Bandwidth != nil {
			l.Bandwidth = *e.Bandwidth
		}
		if e.RTT != nil {
			l.RTT = *e.RTT
		}
		if e.Loss != nil {
			l.Loss = *e.Loss
		}
		ends := [][2]string{{l.From, l.To}, {l.To, l.From}}
		if l.OneWay {
			ends = ends[:1]
		}
		for _, end := range ends {
			to := client.Link{
				From: end[0], To: end[1], Mbps: float64(l.Bandwidth) / 1e6, Loss: l.Loss,
				DelayMS: float64(l.RTT.Microseconds()) / 2e3, JitterMS: float64(l.Jitter.Microseconds()) / 1e3, QueueBytes: int(l.Queue),
			}
			if err := m.Clients[end[0]].SetLink(ctx, to); err != nil {
				return fmt.Errorf("change link %s at %s: %w", l.Name, end[0], err)
			}
		}
	}
	return nil
}
