package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/planner"
)

// ErrUnsupported is wrapped when a topology asks for something that the simulator does not model: it refuses rather than
// leave it out silently.
var ErrUnsupported = errors.New("the simulator does not model this")

// Config is one simulated run.
type Config struct {
	Topology *topology.Topology
	Profile  *Profile
	// Policy says how requests are planned.
	Policy Policy
	// Seed of the run's randomness; equal seeds give equal runs.
	Seed uint64
	// Events makes the topology's events happen.
	Events bool
	// Detect is how long a death, a freeze or a return goes unnoticed; 0 means DefaultDetect.
	Detect time.Duration
	// Observe is how long a changed link goes unnoticed; 0 means DefaultObserve.
	Observe time.Duration
	// Planning is how long it takes to plan the rest of a request; 0 means DefaultPlanning.
	Planning time.Duration
	// First, when not nil, is the plan to begin with; it must be a plan of Problem. Nil asks the policy's planner.
	First *planner.Plan
	// Trace keeps what every machine and link did, for Result.Spans.
	Trace bool
}

// Defaults of a run.
const (
	DefaultDetect   = time.Second
	DefaultObserve  = 500 * time.Millisecond
	DefaultPlanning = 5 * time.Millisecond
)

// Policy is a way to plan.
type Policy struct {
	Name    string
	Planner planner.Planner
	Rule    topology.Rule
	// MaxLoss is the most that the codecs of a plan may cost together in relative error; 0 means DefaultMaxLoss, negative
	// that there is no limit.
	MaxLoss float64
	// Lossless leaves out every coding that loses anything.
	Lossless bool
	// MayExit lets requests leave at the profile's early exits.
	MayExit bool
}

// DefaultMaxLoss is what a node allows unless it is told otherwise.
const DefaultMaxLoss = 0.05

// BestOfAll is the name of the policy that is free to do anything, which stories are told with.
const BestOfAll = "best plan of all"

// Policies are the rows of the comparison that the demo and the simulator both print, under the demo's names: the two ends,
// the best plan, and the best plans that keep the inputs where they are.
func Policies() ([]Policy, error) {
	rows := []struct {
		planner string
		policy  Policy
	}{
		{"device-only", Policy{Name: "device only"}},
		{"cloud-only", Policy{Name: "cloud only, raw input"}},
		{"cloud-only-jpeg", Policy{Name: "cloud only, JPEG input", MaxLoss: -1}}, // a baseline is what it is
		{"best", Policy{Name: BestOfAll, MayExit: true}},
		{"best", Policy{Name: "best, picture stays", MayExit: true, Rule: topology.InputStays}},
		{"best", Policy{Name: "best, picture stays, lossless", Rule: topology.InputStays, Lossless: true}},
	}
	out := make([]Policy, len(rows))
	for i, r := range rows {
		p, err := planner.Lookup(r.planner)
		if err != nil {
			return nil, err
		}
		out[i] = r.policy
		out[i].Planner = p
	}
	return out, nil
}

// check refuses what is not modelled and fills in defaults.
func (c *Config) check() error {
	t := c.Topology
	if t.Workload.Source == "" {
		return fmt.Errorf("simulate %s: there is no workload: add one with model and source", t.Name)
	}
	if c.Profile.Model != t.Workload.Model {
		return fmt.Errorf("simulate %s: the profile is of %s, the workload asks for %s: measure the model's own profile",
			t.Name, c.Profile.Model, t.Workload.Model)
	}
	traced := map[string]bool{}
	for _, l := range t.Links {
		traced[l.Name] = l.Trace != ""
		if l.Trace != "" && l.Rates == nil {
			return fmt.Errorf("simulate %s: links: the trace of %s was not loaded", t.Name, l.Name)
		}
	}
	for _, n := range t.Nodes {
		if n.Profile != "" {
			return fmt.Errorf("%w: nodes: %s has a profile of its own: list its times under nodes in the workload's profile",
				ErrUnsupported, n.Name)
		}
		if len(n.Backends) > 0 {
			return fmt.Errorf("%w: nodes: %s lists backends, and a profile holds one engine's times: leave them out",
				ErrUnsupported, n.Name)
		}
	}
	for _, e := range t.Events {
		if e.Bandwidth != nil && traced[e.Link] {
			return fmt.Errorf("%w: events: a bandwidth for %s, which follows a trace: change its rtt or loss alone", ErrUnsupported, e.Link)
		}
		if e.Node == t.Workload.Source && c.Events {
			return fmt.Errorf("%w: events: %s happens to the source %s, where requests enter and end", ErrUnsupported, e.Kind, e.Node)
		}
	}
	if c.Detect == 0 {
		c.Detect = DefaultDetect
	}
	if c.Observe == 0 {
		c.Observe = DefaultObserve
	}
	if c.Planning == 0 {
		c.Planning = DefaultPlanning
	}
	return nil
}
