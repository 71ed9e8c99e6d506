package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/client"
)

const (
	// settled is how many requests measure each state of the second act.
	settled = 8
	// adaptPatience is how long the mesh may take to change its plan.
	adaptPatience = 12 * time.Second
	// settlePatience is how long a machine that was busy while the mesh measured itself has to become quiet.
	settlePatience = 30 * time.Second
)

// degrade is the second act: under the rule that the picture stays, requests run one after the other, the link gets worse,
// and the control loop changes the plan by itself.
func (d *director) degrade(ctx context.Context, r *Report) error {
	event, link, err := d.degradeEvent()
	if err != nil {
		return err
	}
	before, beforeMS, err := d.steadyOver(ctx, link)
	if err != nil {
		return err
	}
	act := &r.Degrade
	act.Before, act.PlanBefore, act.BeforeMS = before, before.ID, beforeMS
	act.Link = worsened(link, event)
	d.say("the link %s falls to %g Mbps, %g ms one way", link.Name, act.Link.Mbps, act.Link.DelayMS)
	if err := d.setLink(ctx, link, act.Link); err != nil {
		return err
	}
	changed := time.Now()
	var worse []float64
	for time.Since(changed) < adaptPatience {
		result, err := d.infer(ctx, client.InferRequest{Strategy: client.BestInputsStay})
		if err != nil {
			return fmt.Errorf("a request after the link fell: %w", err)
		}
		act.Requests++
		if result.Report.Plan != before.ID {
			act.Changed = true
			act.ReactionMS = float64(time.Since(changed)) / float64(time.Millisecond)
			break
		}
		worse = append(worse, result.Report.TotalMS)
	}
	act.WorseMS = median(worse)
	if !act.Changed {
		return fmt.Errorf("the link %s fell to %g Mbps, but the plan did not change within %v (%d requests)", link.Name, act.Link.Mbps, adaptPatience, act.Requests)
	}
	act.After, act.AfterMS, err = d.steady(ctx)
	if err != nil {
		return err
	}
	act.PlanAfter = act.After.ID
	d.say("the plan changed after %.0f ms and %d requests: %.1f ms before, %.1f ms on the old plan, %.1f ms on the new one",
		act.ReactionMS, act.Requests, act.BeforeMS, act.WorseMS, act.AfterMS)
	return d.setLink(ctx, link, configured(link))
}

// steady runs requests on the current plan and gives that plan and their median latency.
func (d *director) steady(ctx context.Context) (client.Plan, float64, error) {
	var ms []float64
	for range settled {
		result, err := d.infer(ctx, client.InferRequest{Strategy: client.BestInputsStay})
		if err != nil {
			return client.Plan{}, 0, err
		}
		ms = append(ms, result.Report.TotalMS)
	}
	plan, err := d.plan(ctx, client.PlanRequest{Strategy: client.BestInputsStay})
	return plan, median(ms), err
}

// steadyOver is steady with a plan that uses the link. Where a disturbed measurement made the mesh avoid it, requests that are
// sent over the link on purpose let the mesh see what it really carries.
func (d *director) steadyOver(ctx context.Context, link topology.Link) (client.Plan, float64, error) {
	began := time.Now()
	for {
		plan, latency, err := d.steady(ctx)
		if err != nil || crosses(plan, link) {
			return plan, latency, err
		}
		if time.Since(began) > settlePatience {
			return plan, 0, fmt.Errorf("the plan does not use the link %s, so its fall would change nothing: is this machine busy?", link.Name)
		}
		over, err := d.plan(ctx, client.PlanRequest{Strategy: client.BestInputsStay, Via: []string{link.To}})
		if err != nil {
			return plan, 0, err
		}
		for range settled {
			if _, err := d.infer(ctx, client.InferRequest{Plan: over.ID}); err != nil {
				return plan, 0, err
			}
		}
	}
}

// crosses reports whether the plan sends anything over the link.
func crosses(plan client.Plan, link topology.Link) bool {
	for _, t := range plan.Transfers {
		if t.From == link.From && t.To == link.To || t.From == link.To && t.To == link.From {
			return true
		}
	}
	return false
}

// degradeEvent is the topology's first degrade event and the link that it names.
func (d *director) degradeEvent() (topology.Event, topology.Link, error) {
	for _, e := range d.topo.Events {
		if e.Kind != topology.Degrade {
			continue
		}
		for _, l := range d.topo.Links {
			if l.Name == e.Link {
				return e, l, nil
			}
		}
	}
	return topology.Event{}, topology.Link{}, fmt.Errorf("the demo's topology %q has no degrade event", d.topo.Name)
}

// configured is a link of the topology as the node's interface takes it.
func configured(l topology.Link) client.Link {
	return client.Link{
		From: l.From, To: l.To, Mbps: float64(l.Bandwidth) / 1e6, Loss: l.Loss,
		DelayMS: ms(l.RTT) / 2, JitterMS: ms(l.Jitter),
	}
}

// worsened is the link after the event.
func worsened(l topology.Link, e topology.Event) client.Link {
	if e.Bandwidth != nil {
		l.Bandwidth = *e.Bandwidth
	}
	if e.RTT != nil {
		l.RTT = *e.RTT
	}
	if e.Loss != nil {
		l.Loss = *e.Loss
	}
	return configured(l)
}

// setLink changes both directions of a link, each at the node that sends.
func (d *director) setLink(ctx context.Context, l topology.Link, to client.Link) error {
	back := to
	back.From, back.To = to.To, to.From
	for _, one := range []client.Link{to, back} {
		if err := d.mesh.Clients[one.From].SetLink(ctx, one); err != nil {
			return fmt.Errorf("change link %s at %s: %w", l.Name, one.From, err)
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
