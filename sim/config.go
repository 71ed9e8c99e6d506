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
}

// Policies are the rows of the comparison that the demo and the simulator both print: the two ends, the best plan, and the
// best plan that keeps the inputs where they are.
func Policies() ([]Policy, error) {
	rows := []struct {
		name, planner string
		rule          topology.Rule
	}{
		{"device-only", "device-only", topology.NoRule},
		{"cloud-only (raw input)", "cloud-only", topology.NoRule},
		{"cloud-only (JPEG input)", "cloud-only-jpeg", topology.NoRule},
		{"best", "best", topology.NoRule},
		{"best, input stays", "best", topology.InputStays},
	}
	out := make([]Policy, len(rows))
	for i, r := range rows {
		p, err := planner.Lookup(r.planner)
		if err != nil {
			return nil, err
		}
		out[i] = Policy{r.name, p, r.rule}
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
	for _, l := range t.Links {
		if l.Trace != "" {
			return fmt.Errorf("%w: links: %s has a trace", ErrUnsupported, l.Name)
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
