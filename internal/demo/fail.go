package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
)

// fail is the third act: a node is killed with SIGKILL while it computes its part of a request.
func (d *director) fail(ctx context.Context, r *Report) error {
	victim, err := d.victim()
	if err != nil {
		return err
	}
	plan, err := d.planOver(ctx, r, victim)
	if err != nil {
		return err
	}
	act := &r.Failover
	act.Killed = victim
	var usual []float64
	for range settled {
		result, err := d.infer(ctx, client.InferRequest{Plan: plan.ID})
		if err != nil {
			return fmt.Errorf("a request over %s: %w", victim, err)
		}
		usual = append(usual, result.Report.TotalMS)
	}
	act.UsualMS = median(usual)

	p := d.mesh.Process(victim)
	act.PID = p.PID()
	at, err := middleOf(plan, victim)
	if err != nil {
		return err
	}
	d.say("killing %s (process %d) %.0f ms into a request", victim, act.PID, ms(at))
	killed := make(chan time.Duration, 1)
	sent := time.Now()
	timer := time.AfterFunc(at, func() {
		at := time.Since(sent)
		p.Kill()
		killed <- at
	})
	defer timer.Stop()
	result, err := d.infer(ctx, client.InferRequest{Plan: plan.ID})
	if err != nil {
		return fmt.Errorf("the request during which %s was killed: %w", victim, err)
	}
	act.KilledAt = ms(<-killed)
	act.TotalMS, act.Replans, act.Events = result.Report.TotalMS, result.Report.Replans, result.Report.Events
	diff, err := compare(d.oracle.outputs, result.Outputs)
	if err != nil {
		return err
	}
	act.Completed, act.Equal, act.Error, act.MinIoU = true, diff.equal, diff.worst, diff.minIoU
	d.say("the request completed in %.1f ms (usually %.1f ms), replanned %d times", act.TotalMS, act.UsualMS, act.Replans)
	return nil
}

// victim is the node of the topology's first kill event.
func (d *director) victim() (string, error) {
	for _, e := range d.topo.Events {
		if e.Kind == "kill" {
			return e.Node, nil
		}
	}
	return "", fmt.Errorf("the demo's topology %q has no kill event", d.topo.Name)
}

// planOver is a plan that uses the node: the best one of the first act if it does, else one made for the purpose.
func (d *director) planOver(ctx context.Context, r *Report, node string) (client.Plan, error) {
	for _, row := range r.Rows {
		if row.Name != bestStays {
			continue
		}
		for _, s := range row.Plan.Stages {
			if s.Node == node {
				return row.Plan, nil
			}
		}
	}
	plan, err := d.plan(ctx, client.PlanRequest{Strategy: client.BestInputsStay, Via: []string{node}})
	if err != nil {
		return plan, fmt.Errorf("plan a request over %s: %w", node, err)
	}
	return plan, nil
}

// middleOf is the moment, by the plan, half-way between the first byte on its way to the node and the end of its stage.
func middleOf(plan client.Plan, node string) (time.Duration, error) {
	for _, s := range plan.Stages {
		if s.Node != node {
			continue
		}
		from := s.StartMS
		for _, t := range plan.Transfers {
			if t.To == node {
				from = min(from, t.StartMS)
			}
		}
		return time.Duration((from + s.EndMS) / 2 * float64(time.Millisecond)), nil
	}
	return 0, fmt.Errorf("the plan does not use node %s", node)
}
