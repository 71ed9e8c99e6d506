package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// strategy chooses the planner for a request and narrows the question where the strategy fixes something.
func (n *Node) strategy(q *placement.Question, r *client.PlanRequest) (planner.Planner, error) {
	name := r.Planner
	all := q.Codings
	only := func(keep func(codec string) bool) {
		inputs := q.Graph.Inputs
		q.Codings = func(v split.ValueID) []planner.Coding {
			if !slices.Contains(inputs, v) {
				return all(v)
			}
			var out []planner.Coding
			for _, c := range all(v) {
				if keep(c.Codec) {
					out = append(out, c)
				}
			}
			return out
		}
	}
	switch r.Strategy {
	case client.Best, client.BestInputsStay:
	case client.DeviceOnly:
		name = "device-only"
	case client.CloudOnlyRaw:
		name = "cloud-only"
		only(func(c string) bool { return c == "raw" })
	case client.CloudOnlyJPEG:
		name = "cloud-only-jpeg"
		q.Limits.Loss = 0 // the baseline is what it is; its loss is reported
		jpeg := false
		for _, v := range q.Graph.Inputs {
			for _, c := range all(v) {
				jpeg = jpeg || strings.HasPrefix(c.Codec, "jpeg")
			}
		}
		if !jpeg {
			return nil, fmt.Errorf("%w: model %s has no picture input: push it with --image to say how its input maps to pixels", ErrPlan, r.Model)
		}
		only(func(c string) bool { return strings.HasPrefix(c, "jpeg") })
	default:
		return nil, fmt.Errorf("%w: unknown strategy %q: use one of %s", ErrPlan, r.Strategy, strings.Join(client.Strategies(), ", "))
	}
	p, err := planner.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	return p, nil
}

// viaTries is how many places are tried for the pieces that a request wants on certain nodes.
const viaTries = 8

// planVia finds a plan in which each of the named nodes runs at least one piece: pieces spread over the model are pinned there, at several
// offsets, and the best plan counts.
func planVia(ctx context.Context, solver planner.Planner, p *planner.Problem, q *placement.Question, names []string) (*planner.Plan, error) {
	var via []planner.NodeID
	for _, name := range names {
		at := q.Machine(name)
		if at < 0 {
			return nil, fmt.Errorf("no node %q answers in the mesh", name)
		}
		via = append(via, planner.NodeID(at))
	}
	if len(p.Pieces) == 0 {
		return solver.Plan(ctx, p)
	}
	var best *planner.Plan
	var failure error
	for try := range viaTries {
		pinned := *p
		pinned.Pieces = slices.Clone(p.Pieces)
		for i, node := range via {
			at := (2*(i*viaTries+try) + 1) * len(p.Pieces) / (2 * viaTries * len(via))
			pinned.Pieces[min(at, len(p.Pieces)-1)].Pin = []planner.NodeID{node}
		}
		plan, err := solver.Plan(ctx, &pinned)
		if err != nil {
			failure = err
			continue
		}
		if best == nil || plan.Cost.Latency < best.Cost.Latency {
			best = plan
		}
	}
	if best == nil {
		return nil, failure
	}
	return best, nil
}
