package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/cleave-mesh/cleave/planner"
)

// DefaultReplications is how many seeds a comparison runs when it is not told.
const DefaultReplications = 10

// Confidence is the level of every interval that a comparison prints.
const Confidence = 0.95

// Row is one policy in a comparison: what was predicted beside what the simulation says, over several seeds.
type Row struct {
	Name string `json:"name"`
	// Plan is the plan's stages; "" when there is none, and then Failure says why.
	Plan    string `json:"plan"`
	Failure string `json:"failure,omitempty"`
	// PredictedMS is the planner's latency for one request alone.
	PredictedMS float64 `json:"predicted_ms"`
	// SimulatedMS is the mean over seeds of each seed's median latency; HalfMS is half its 95 % confidence interval.
	SimulatedMS float64 `json:"simulated_ms"`
	HalfMS      float64 `json:"half_interval_ms"`
	// MeasuredMS is what a real mesh measured for the row of the same name, and ErrorPercent how far SimulatedMS is from it;
	// both 0 without measurements.
	MeasuredMS   float64 `json:"measured_ms,omitempty"`
	ErrorPercent float64 `json:"error_percent,omitempty"`
	// P90MS and P99MS are means over seeds, too.
	P90MS float64 `json:"p90_ms"`
	P99MS float64 `json:"p99_ms"`
	// PerSecond is answers per second of virtual time.
	PerSecond float64 `json:"per_second"`
	// Bytes and Stages are the plan's; Joules is its predicted energy, 0 when no node states its power.
	Bytes  int64   `json:"bytes"`
	Stages int     `json:"stages"`
	Joules float64 `json:"joules,omitempty"`
	// Requests is how many there were over all seeds, Failed how many had no answer.
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// Busy is the share of time that each node computed.
	Busy map[string]float64 `json:"busy"`
}

// Comparison is a set of policies on the same topology.
type Comparison struct {
	Topology     string `json:"topology"`
	Model        string `json:"model"`
	Seed         uint64 `json:"seed"`
	Replications int    `json:"replications"`
	Rows         []Row  `json:"rows"`
}

// Compare runs every policy with the seeds cfg.Seed, cfg.Seed+1, ... A policy that has no plan, or would break a limit, has
// a row that says so.
func Compare(ctx context.Context, cfg Config, policies []Policy, replications int) (*Comparison, error) {
	if replications < 1 {
		return nil, fmt.Errorf("compare: %d replications: want at least 1", replications)
	}
	out := &Comparison{
		Topology: cfg.Topology.Name, Model: cfg.Topology.Workload.Model, Seed: cfg.Seed, Replications: replications,
	}
	for _, policy := range policies {
		cfg.Policy = policy
		row, err := replicate(ctx, cfg, replications)
		var infeasible *planner.InfeasibleError
		switch {
		case errors.As(err, &infeasible), errors.Is(err, planner.ErrInvalid): // a planner may be for simpler problems
			row = &Row{Name: policy.Name, Failure: err.Error()}
		case err != nil:
			return nil, err
		}
		out.Rows = append(out.Rows, *row)
	}
	return out, nil
}

func replicate(ctx context.Context, cfg Config, replications int) (*Row, error) {
	row := &Row{Name: cfg.Policy.Name, Busy: map[string]float64{}}
	var medians []float64
	problem, err := Problem(cfg.Topology, cfg.Profile, cfg.Policy)
	if err != nil {
		return nil, err
	}
	if cfg.First, err = cfg.Policy.Planner.Plan(ctx, problem); err != nil {
		return nil, err
	}
	for i := range replications {
		run := cfg
		run.Seed += uint64(i)
		res, err := Run(ctx, run)
		if err != nil {
			return nil, err
		}
		row.Plan, row.PredictedMS = res.Plan, ms(res.Predicted)
		row.Bytes, row.Stages, row.Joules = res.Bytes, res.Stages, res.Joules
		latencies := res.Latencies()
		row.Requests += len(res.Requests)
		row.Failed += len(res.Requests) - len(latencies)
		share := 1 / float64(replications)
		row.PerSecond += share * float64(len(latencies)) / max(res.Elapsed.Seconds(), 1e-9)
		for node, busy := range res.Busy {
			row.Busy[node] += share * busy
		}
		if len(latencies) > 0 {
			medians = append(medians, quantile(latencies, 0.5))
			row.P90MS += share * quantile(latencies, 0.9)
			row.P99MS += share * quantile(latencies, 0.99)
		}
	}
	row.SimulatedMS, row.HalfMS = interval(medians)
	return row, nil
}

// Latencies are the milliseconds of every request that was answered, in order of arrival.
func (r *Result) Latencies() []float64 {
	var out []float64
	for _, q := range r.Requests {
		if q.Failure == "" {
			out = append(out, ms(q.Latency))
		}
	}
	return out
}

// interval is the mean of samples and half of its confidence interval, by Student's t; 0 for a single sample.
func interval(samples []float64) (mean, half float64) {
	if len(samples) == 0 {
		return 0, 0
	}
	for _, s := range samples {
		mean += s / float64(len(samples))
	}
	if len(samples) == 1 {
		return mean, 0
	}
	variance := 0.0
	for _, s := range samples {
		variance += (s - mean) * (s - mean) / float64(len(samples)-1)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(len(samples) - 1)}
	return mean, t.Quantile((1+Confidence)/2) * math.Sqrt(variance/float64(len(samples)))
}

// quantile is the q-quantile of values by linear interpolation; 0 for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
