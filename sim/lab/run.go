package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
)

// Config is one run of a topology on real processes.
type Config struct {
	Options
	// Model is the ONNX file that is pushed under the workload's model name.
	Model string
	// Image says how a picture input maps to pixels, see client.PushOptions; "" leaves JPEG out.
	Image string
	// Runs is how often each way is measured; 0 means DefaultRuns.
	Runs int
}

// DefaultRuns is how often each way is measured when nothing else is said.
const DefaultRuns = 15

// warmups are runs of each way that are not counted: connections become warm and the mesh sees what transfers weigh.
const warmups = 3

// Report is what a lab measured, beside what was predicted and simulated.
type Report struct {
	Topology string        `json:"topology"`
	Model    string        `json:"model"`
	Paths    []client.Path `json:"paths"`
	Rows     []Row         `json:"rows"`
	// MedianErrorPercent is the median of the rows' absolute errors of the simulation.
	MedianErrorPercent float64 `json:"median_error_percent"`
	// Profile is what the nodes measured of the model, for `cleave sim --profile`.
	Profile *sim.Profile `json:"profile"`
	// Story is nil when the topology has no events.
	Story   *Story  `json:"story,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Row is one way to run the model.
type Row struct {
	Name        string  `json:"name"`
	PredictedMS float64 `json:"predicted_ms"`
	// SimulatedMS is the median of the simulator's replay of the very plan.
	SimulatedMS float64 `json:"simulated_ms"`
	// MeasuredMS is the median, LowMS and HighMS the 10th and 90th percentiles.
	MeasuredMS   float64 `json:"measured_ms"`
	LowMS        float64 `json:"p10_ms"`
	HighMS       float64 `json:"p90_ms"`
	ErrorPercent float64 `json:"error_percent"` // of SimulatedMS
	Bytes        int64   `json:"bytes"`
	Stages       int     `json:"stages"`
	plan         string
}

// ways are the comparison's rows under the simulator's names; the JPEG one needs Config.Image.
var ways = []struct {
	name    string
	request client.PlanRequest
}{
	{"device only", client.PlanRequest{Strategy: client.DeviceOnly}},
	{"cloud only, raw input", client.PlanRequest{Strategy: client.CloudOnlyRaw}},
	{"cloud only, JPEG input", client.PlanRequest{Strategy: client.CloudOnlyJPEG}},
	{sim.BestOfAll, client.PlanRequest{Strategy: client.Best}},
	{"best, picture stays", client.PlanRequest{Strategy: client.BestInputsStay}},
}

// bench is one run under way.
type bench struct {
	cfg    Config
	mesh   *Mesh
	inputs map[string]*tensor.Tensor
	// problems are those that the plans were made from.
	problems []*planner.Problem
	report   *Report
}

// Run starts the mesh, measures every way to run the model in turn, replays each plan on the simulator, and, when the
// topology has events, runs the workload while they happen. Nothing of it is left when it returns.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	began := time.Now()
	if err := check(cfg.Topology); err != nil {
		return nil, err
	}
	if cfg.Runs == 0 {
		cfg.Runs = DefaultRuns
	}
	if cfg.Say == nil {
		cfg.Say = func(string, ...any) {}
	}
	model, err := os.Open(cfg.Model)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	defer model.Close()
	cfg.Name = "lab"
	mesh, err := Start(ctx, cfg.Options)
	if err != nil {
		return nil, err
	}
	defer mesh.Close()
	b := &bench{cfg: cfg, mesh: mesh, report: &Report{Topology: cfg.Topology.Name, Model: cfg.Topology.Workload.Model}}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return b.prepare(ctx, model) }, b.measure, b.simulate, b.story,
	} {
		if err := step(ctx); err != nil {
			if dead := mesh.FirstFailure(); dead != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w (%w)", err, dead)
			}
			return nil, err
		}
	}
	b.report.Seconds = time.Since(began).Seconds()
	return b.report, nil
}

func check(t *topology.Topology) error {
	if t.Workload.Source == "" {
		return fmt.Errorf("lab %s: there is no workload: add one with model and source", t.Name)
	}
	for _, n := range t.Nodes {
		if n.Absent {
			return fmt.Errorf("lab %s: node %s is absent at the start, which the lab does not do: simulate it", t.Name, n.Name)
		}
	}
	for _, e := range t.Events {
		if e.Kind == topology.Join {
			return fmt.Errorf("lab %s: node %s joins, which the lab does not do: simulate it", t.Name, e.Node)
		}
	}
	return nil
}

// prepare brings the mesh to where it can run the model, and makes inputs up.
func (b *bench) prepare(ctx context.Context, model io.Reader) (err error) {
	name := b.cfg.Topology.Workload.Model
	if _, err = b.mesh.Discover(ctx); err != nil {
		return err
	}
	if err = b.mesh.Push(ctx, name, model, client.PushOptions{Image: b.cfg.Image}); err != nil {
		return err
	}
	if b.report.Paths, err = b.mesh.MeasurePaths(ctx); err != nil {
		return err
	}
	m, err := b.mesh.Device().Model(ctx, name)
	if err != nil {
		return err
	}
	b.inputs, err = madeUp(m.Inputs)
	return err
}

// measure plans every way, then runs them in turn, so that a slow moment of the machine falls on all alike.
func (b *bench) measure(ctx context.Context) error {
	for _, planned := range []bool{false, true} { // plans are made once to warm up, and again with what that taught
		b.report.Rows = nil
		for _, w := range ways {
			if w.request.Strategy == client.CloudOnlyJPEG && b.cfg.Image == "" {
				continue
			}
			r := w.request
			r.Model, r.Install, r.Objective = b.cfg.Topology.Workload.Model, true, b.cfg.Topology.Workload.Objective
			plan, err := b.mesh.Device().Plan(ctx, r)
			if err != nil {
				return fmt.Errorf("plan %q: %w", w.name, err)
			}
			b.report.Rows = append(b.report.Rows, Row{
				Name: w.name, PredictedMS: plan.PredictedMS, Stages: len(plan.Stages), plan: plan.ID,
			})
		}
		rounds := warmups
		if planned {
			rounds = b.cfg.Runs
		}
		if err := b.rounds(ctx, rounds); err != nil {
			return err
		}
	}
	return nil
}

// rounds runs every row's plan a number of times.
func (b *bench) rounds(ctx context.Context, n int) error {
	times := make([][]float64, len(b.report.Rows))
	for range n {
		for i := range b.report.Rows {
			row := &b.report.Rows[i]
			res, err := b.infer(ctx, row.plan)
			if err != nil {
				return fmt.Errorf("run %q: %w", row.Name, err)
			}
			times[i] = append(times[i], res.Report.TotalMS)
			row.Bytes = res.Report.Bytes
		}
	}
	for i := range b.report.Rows {
		row := &b.report.Rows[i]
		row.MeasuredMS, row.LowMS, row.HighMS = quantile(times[i], 0.5), quantile(times[i], 0.1), quantile(times[i], 0.9)
	}
	b.cfg.Say("ran %d ways %d times each", len(b.report.Rows), n)
	return nil
}

func (b *bench) infer(ctx context.Context, plan string) (*client.InferResult, error) {
	w := b.cfg.Topology.Workload
	return b.mesh.Device().Infer(ctx, client.InferRequest{Model: w.Model, Plan: plan, Inputs: b.inputs, Deadline: w.Deadline})
}

// simulate replays each row's plan on the simulator.
func (b *bench) simulate(ctx context.Context) error {
	t := *b.cfg.Topology
	t.Workload.Requests, t.Workload.Arrivals = b.cfg.Runs+warmups, topology.Arrivals{Pattern: topology.Sequential}
	var errs []float64
	for i := range b.report.Rows {
		row := &b.report.Rows[i]
		s, err := b.mesh.Device().Solution(ctx, row.plan)
		if err != nil {
			return fmt.Errorf("simulate %q: %w", row.Name, err)
		}
		res, err := sim.Replay(ctx, sim.Config{Topology: &t, Seed: 1}, s.Problem, s.Plan)
		if err != nil {
			return fmt.Errorf("simulate %q: %w", row.Name, err)
		}
		row.SimulatedMS = quantile(res.Latencies()[warmups:], 0.5)
		row.ErrorPercent = 100 * (row.SimulatedMS/row.MeasuredMS - 1)
		errs = append(errs, max(row.ErrorPercent, -row.ErrorPercent))
		if err := b.keepProfile(s.Problem); err != nil {
			return err
		}
	}
	b.report.MedianErrorPercent = quantile(errs, 0.5)
	return nil
}

// keepProfile keeps the profile with the most codings, since a strategy's problem may leave some out, and what any problem keeps
// at home.
func (b *bench) keepProfile(p *planner.Problem) error {
	profile, err := sim.ProfileOf(p)
	if err != nil {
		return err
	}
	profile.Model = b.cfg.Topology.Workload.Model
	codings := func(p *sim.Profile) (n int) {
		for _, v := range p.Values {
			n += len(v.Codings)
		}
		return n
	}
	best := b.report.Profile
	if best == nil || codings(profile) > codings(best) {
		best, b.report.Profile = profile, profile
	}
	b.problems = append(b.problems, p)
	for _, q := range b.problems {
		best.MarkRaw(q)
	}
	return nil
}

// madeUp are inputs of the model's types and shapes; sizes that vary are 1.
func madeUp(ports []client.Port) (map[string]*tensor.Tensor, error) {
	out := map[string]*tensor.Tensor{}
	for _, p := range ports {
		d, err := tensor.ParseDType(p.DType)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", p.Name, err)
		}
		shape := tensor.Shape(slices.Clone(p.Shape))
		for i := range shape {
			shape[i] = max(1, shape[i])
		}
		t, err := tensor.New(d, shape)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", p.Name, err)
		}
		if d == tensor.Float32 {
			for i, data := 0, tensor.Data[float32](t); i < len(data); i++ {
				data[i] = float32(i%251) / 251 // a ramp, as smooth as pictures are
			}
		}
		out[p.Name] = t
	}
	return out, nil
}

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}
