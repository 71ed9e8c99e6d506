package demo

import (
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
)

const (
	warmups = 2
	// minOverlap is the least overlap (intersection over union) of every box with the unsplit run's that the demo accepts of a
	// plan with lossy codecs. A lossless plan has no such freedom.
	minOverlap = 0.9
	// sameWithin is the difference of two medians that the verdict calls a tie.
	sameWithin = 0.03
)

// The rows that later parts of the demo refer to.
const (
	bestOfAll = "best plan of all"
	bestStays = "best, picture stays"
)

// ways are the rows of the comparison, in the order in which they are shown.
var ways = []struct {
	name    string
	request client.PlanRequest
}{
	{"device only", client.PlanRequest{Strategy: client.DeviceOnly}},
	{"cloud only, raw input", client.PlanRequest{Strategy: client.CloudOnlyRaw}},
	{"cloud only, JPEG input", client.PlanRequest{Strategy: client.CloudOnlyJPEG}},
	{bestOfAll, client.PlanRequest{Strategy: client.Best}},
	{bestStays, client.PlanRequest{Strategy: client.BestInputsStay}},
	{"split, picture stays, lossless", client.PlanRequest{Strategy: client.BestInputsStay, Lossless: true, Via: []string{"edge"}}},
}

// measure plans every way, then runs them in turn, so that a slow moment of the machine falls on all alike.
func (d *director) measure(ctx context.Context, r *Report) error {
	if err := d.warmUp(ctx); err != nil {
		return err
	}
	for _, w := range ways {
		plan, err := d.plan(ctx, w.request)
		if err != nil {
			return fmt.Errorf("plan %q: %w", w.name, err)
		}
		r.Rows = append(r.Rows, Row{
			Name: w.name, PredictedMS: plan.PredictedMS, Stages: len(plan.Stages), Lossless: plan.Lossless,
			Plan: plan, Equal: true, MinIoU: 1,
		})
	}
	d.say("planned %d ways to run it; measuring each %d times in turn", len(ways), d.opts.Runs)
	times := make([][]float64, len(r.Rows))
	for round := -warmups; round < d.opts.Runs; round++ {
		for i := range r.Rows {
			row := &r.Rows[i]
			result, err := d.infer(ctx, client.InferRequest{Plan: row.Plan.ID})
			if err != nil {
				return fmt.Errorf("run %q: %w", row.Name, err)
			}
			if err := d.check(row, result.Outputs); err != nil {
				return err
			}
			if round < 0 {
				continue
			}
			times[i] = append(times[i], result.Report.TotalMS)
			row.Bytes = result.Report.Bytes
		}
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		row.Runs = len(times[i])
		row.MeasuredMS = median(times[i])
		row.LowMS, row.HighMS = quantile(times[i], 0.1), quantile(times[i], 0.9)
	}
	r.Verdict = verdict(r.Rows)
	d.say("%s", r.Verdict)
	return nil
}

// warmUp runs every way a few times, so that connections are warm and the mesh has seen what its transfers really weigh,
// before the plans that are shown are made.
func (d *director) warmUp(ctx context.Context) error {
	for _, w := range ways {
		plan, err := d.plan(ctx, w.request)
		if err != nil {
			return fmt.Errorf("plan %q: %w", w.name, err)
		}
		for range warmups {
			if _, err := d.infer(ctx, client.InferRequest{Plan: plan.ID}); err != nil {
				return fmt.Errorf("run %q: %w", w.name, err)
			}
		}
	}
	d.say("connections are warm; the mesh has seen what its transfers weigh")
	return nil
}

// check holds one answer against the unsplit run.
func (d *director) check(row *Row, outputs map[string]*tensor.Tensor) error {
	diff, err := compare(d.oracle.outputs, outputs)
	if err != nil {
		return fmt.Errorf("check %q: %w", row.Name, err)
	}
	row.Equal = row.Equal && diff.equal
	row.Error = max(row.Error, diff.worst)
	row.MinIoU = min(row.MinIoU, diff.minIoU)
	row.Faces = diff.faces
	if row.Lossless && !diff.equal {
		return fmt.Errorf("%q differs from the unsplit run (relative error %.2g) although its codecs are lossless", row.Name, diff.worst)
	}
	row.Bound = minOverlap
	if row.Lossless {
		row.Bound = 1
	}
	return nil
}

// verdict says what won, and names a tie as one.
func verdict(rows []Row) string {
	var single, best Row
	for _, row := range rows {
		if row.Stages == 1 && (single.Runs == 0 || row.MeasuredMS < single.MeasuredMS) {
			single = row
		}
		if row.Name == bestOfAll {
			best = row
		}
	}
	switch {
	case best.Stages == 1:
		return fmt.Sprintf("Do not split here: one node alone is fastest (%s, %.1f ms).", best.Plan.Stages[0].Node, best.MeasuredMS)
	case best.MeasuredMS < single.MeasuredMS*(1-sameWithin):
		return fmt.Sprintf("Splitting wins: %.1f ms against %.1f ms for %q, the best row of a single place.", best.MeasuredMS, single.MeasuredMS, single.Name)
	case best.MeasuredMS <= single.MeasuredMS*(1+sameWithin):
		return fmt.Sprintf("A tie: split %.1f ms, %q %.1f ms.", best.MeasuredMS, single.Name, single.MeasuredMS)
	default:
		return fmt.Sprintf("Splitting did not pay: %.1f ms against %.1f ms for %q.", best.MeasuredMS, single.MeasuredMS, single.Name)
	}
}

// plan asks the entry node for an installed plan of the demo's model.
func (d *director) plan(ctx context.Context, r client.PlanRequest) (client.Plan, error) {
	r.Model, r.Install = modelName, true
	return d.mesh.Device().Plan(ctx, r)
}

// infer runs the photograph through the mesh.
func (d *director) infer(ctx context.Context, r client.InferRequest) (*client.InferResult, error) {
	r.Model = modelName
	r.Inputs = map[string]*tensor.Tensor{d.oracle.inputName: d.input}
	r.Deadline = d.topo.Workload.Deadline
	return d.mesh.Device().Infer(ctx, r)
}
