package sim

import (
	"context"
	"errors"
	"time"
)

// Story is one run with the topology's events: what happened, and what it did to the requests.
type Story struct {
	Policy    string         `json:"policy"`
	Seed      uint64         `json:"seed"`
	Requests  int            `json:"requests"`
	Failed    int            `json:"failed"`
	Replanned int            `json:"replanned"` // requests that went on with another plan
	MedianMS  float64        `json:"median_ms"`
	WorstMS   float64        `json:"worst_ms"`
	Happened  []StoryEvent   `json:"happened"`
	Failures  map[string]int `json:"failures,omitempty"`
	Result    *Result        `json:"-"`
}

// StoryEvent is something that happened, and how the requests fared from then to the next one.
type StoryEvent struct {
	AtMS float64 `json:"at_ms"`
	What string  `json:"what"`
	// Requests began before the next event; MedianMS is their median latency.
	Requests int     `json:"requests"`
	MedianMS float64 `json:"median_ms"`
}

// Tell runs the topology once with its events.
func Tell(ctx context.Context, cfg Config) (*Story, error) {
	if len(cfg.Topology.Events) == 0 {
		return nil, errors.New("tell: the topology has no events")
	}
	cfg.Events = true
	res, err := Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	latencies := res.Latencies()
	s := &Story{
		Policy: res.Policy, Seed: cfg.Seed, Requests: len(res.Requests), Failed: len(res.Requests) - len(latencies),
		MedianMS: quantile(latencies, 0.5), WorstMS: quantile(latencies, 1), Failures: map[string]int{}, Result: res,
	}
	for _, q := range res.Requests {
		if q.Epochs > 1 {
			s.Replanned++
		}
		if q.Failure != "" {
			s.Failures[q.Failure]++
		}
	}
	happened := append([]Switch{{0, "begin with " + res.Plan}}, res.Switches...)
	for i, h := range happened {
		end := res.Elapsed + 1
		if i+1 < len(happened) {
			end = happened[i+1].At
		}
		var part []float64
		n := 0
		for _, q := range res.Requests {
			if q.Arrived < h.At || q.Arrived >= end {
				continue
			}
			n++
			if q.Failure == "" {
				part = append(part, ms(q.Latency))
			}
		}
		s.Happened = append(s.Happened, StoryEvent{AtMS: ms(h.At), What: h.What, Requests: n, MedianMS: quantile(part, 0.5)})
	}
	return s, nil
}

// Report is everything that `cleave sim` prints.
type Report struct {
	Comparison *Comparison `json:"comparison"`
	// Story is nil when the topology has no events.
	Story *Story `json:"story,omitempty"`
	// VirtualSeconds were simulated in WallSeconds.
	VirtualSeconds float64 `json:"virtual_seconds"`
	WallSeconds    float64 `json:"wall_seconds"`
}

// Report compares the policies and, when the topology has events, tells its story with the policy BestOfAll, or else with
// the first that has a plan.
func (c Config) Report(ctx context.Context, policies []Policy, replications int) (*Report, error) {
	began := time.Now()
	comparison, err := Compare(ctx, c, policies, replications)
	if err != nil {
		return nil, err
	}
	r := &Report{Comparison: comparison}
	if len(c.Topology.Events) > 0 {
		for i, row := range comparison.Rows {
			if row.Failure == "" && (c.Policy.Planner == nil || policies[i].Name == BestOfAll) {
				c.Policy = policies[i]
			}
		}
		if c.Policy.Planner == nil {
			return r, nil
		}
		if r.Story, err = Tell(ctx, c); err != nil {
			return nil, err
		}
		r.VirtualSeconds += r.Story.Result.Elapsed.Seconds()
	}
	for _, row := range comparison.Rows {
		if row.PerSecond > 0 {
			r.VirtualSeconds += float64(row.Requests-row.Failed) / row.PerSecond
		}
	}
	r.WallSeconds = time.Since(began).Seconds()
	return r, nil
}
