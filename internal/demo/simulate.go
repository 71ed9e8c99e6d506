package demo

import (
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
)

// simulate replays the plan of every row on the simulator, which knows the topology's file and the nodes' profiles but
// none of the measured latencies.
func (d *director) simulate(ctx context.Context, r *Report) error {
	var problems []*planner.Problem
	t := *d.topo
	t.Workload.Requests = r.Rows[0].Runs + warmups
	for i := range r.Rows {
		row := &r.Rows[i]
		s, err := d.mesh.Device().Solution(ctx, row.Plan.ID)
		if err != nil {
			return fmt.Errorf("simulate %q: %w", row.Name, err)
		}
		res, err := sim.Replay(ctx, sim.Config{Topology: &t, Seed: 1}, s.Problem, s.Plan)
		if err != nil {
			return fmt.Errorf("simulate %q: %w", row.Name, err)
		}
		row.SimulatedMS = median(res.Latencies()[warmups:])
		problems = append(problems, s.Problem)
		if row.Name != bestOfAll {
			continue
		}
		if r.Profile, err = sim.ProfileOf(s.Problem); err != nil {
			return err
		}
	}
	for _, p := range problems {
		r.Profile.MarkRaw(p)
	}
	return nil
}
