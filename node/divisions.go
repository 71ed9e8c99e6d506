package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// divide is c with blocks divided. Divided graphs are kept like others.
func (c *graphs) divide(base *canonical, divisions []split.Division) (*canonical, error) {
	if len(divisions) == 0 {
		return base, nil
	}
	b, err := json.Marshal(divisions)
	if err != nil {
		return nil, err
	}
	return c.keep(graphKey(base.model, base.shapes)+" "+string(b), func() (*canonical, error) {
		d, err := base.graph.Divide(divisions)
		if err != nil {
			return nil, err
		}
		digest := d.Graph.Digest()
		return &canonical{
			model: base.model, shapes: base.shapes, graph: d.Graph, digest: hex.EncodeToString(digest[:]), base: base, divided: d,
		}, nil
	})
}

// fastest is what this node measured of the fastest backend for a graph, or derives from what it measured of the undivided one; nil
// when it has measured nothing.
func (n *Node) fastest(c *canonical) *placement.Profile {
	if c.divided == nil {
		return placement.Fastest(n.profiles.own(c.digest), len(c.graph.Groups))
	}
	p := placement.Fastest(n.profiles.own(c.base.digest), len(c.base.graph.Groups))
	if p == nil {
		return nil
	}
	divided := p.Divided(c.divided, n.host.Speed())
	return &divided
}

// solved is a plan and what it is of.
type solved struct {
	c       *canonical // with blocks divided where the plan divides some
	problem *planner.Problem
	frame   *placement.Frame
	plan    *planner.Plan
	exits   map[planner.ValueID]split.Exit // the early exits that the plan uses, by the value that answers
	note    string                         // about early exits; "" where there are none
}

// solve plans the question: through the nodes or with the divisions that the request names, or else as a search finds best, with blocks
// divided and early exits where the request allows them.
func (n *Node) solve(ctx context.Context, r client.PlanRequest, q *placement.Question, c *canonical, solver planner.Planner) (*solved, error) {
	declared, err := n.exitsFor(r, q, c)
	if err != nil {
		return nil, err
	}
	state := func(divisions []split.Division) (*placement.Stated, error) {
		asked, here := q, c
		if len(divisions) > 0 {
			var err error
			if here, err = n.graphs.divide(c, divisions); err != nil {
				return nil, err
			}
			asked = q.Divided(here.divided)
		}
		p, frame, err := asked.Problem()
		if err != nil {
			return nil, err
		}
		return &placement.Stated{Divided: here.divided, Graph: here.graph, Problem: p, Frame: frame, Exits: placement.ExitsOf(p, declared)}, nil
	}
	var divisions []split.Division
	var st *placement.Stated
	out := &solved{}
	switch {
	case len(r.Divisions) > 0:
		if divisions, err = namedDivisions(c.graph, r.Divisions); err != nil {
			return nil, err
		}
		if st, err = state(divisions); err != nil {
			return nil, err
		}
		if err := pinParts(st, q, r.Divisions); err != nil {
			return nil, err
		}
		out.plan, err = solver.Plan(ctx, st.Problem)
	case len(r.Via) > 0:
		if st, err = state(nil); err != nil {
			return nil, err
		}
		out.plan, err = planVia(ctx, solver, st.Problem, q, r.Via)
	default:
		var found *placement.Outcome
		search := placement.Search{Graph: c.graph, State: state, Solver: solver, Whole: r.Splits != client.SplitsAuto}
		if found, err = search.Run(ctx); err != nil {
			return nil, err
		}
		divisions, st, out.plan = found.Divisions, found.Stated, found.Plan
		if found.ExitPlan != nil {
			out.exits, out.note = exitsIn(st.Problem, declared), found.Describe(c.graph)
		}
	}
	if err != nil {
		return nil, err
	}
	out.problem, out.frame = st.Problem, st.Frame
	out.frame.Divisions = divisions
	out.c, err = n.graphs.divide(c, divisions)
	return out, err
}

// namedDivisions finds the groups that a request names; it gives the divisions in the graph's order.
func namedDivisions(g *split.Graph, named []client.Division) ([]split.Division, error) {
	find := func(name string) (split.GroupID, error) {
		id := slices.IndexFunc(g.Groups, func(gr split.Group) bool { return gr.Name == name })
		if id < 0 {
			return 0, fmt.Errorf("%w: the model has no group %q", ErrPlan, name)
		}
		return split.GroupID(id), nil
	}
	slices.SortStableFunc(named, func(a, b client.Division) int {
		x, _ := find(a.First)
		y, _ := find(b.First)
		return int(x) - int(y)
	})
	var out []split.Division
	for _, d := range named {
		first, err := find(d.First)
		if err != nil {
			return nil, err
		}
		last, err := find(d.Last)
		if err != nil {
			return nil, err
		}
		if len(d.Nodes) > 0 && len(d.Nodes) != len(d.Parts) {
			return nil, fmt.Errorf("%w: %d nodes for %d parts", ErrPlan, len(d.Nodes), len(d.Parts))
		}
		out = append(out, split.Division{First: first, Last: last, Axis: d.Axis, Parts: d.Parts})
	}
	return out, nil
}

// pinParts puts parts on the nodes that the request names.
func pinParts(st *placement.Stated, q *placement.Question, named []client.Division) error {
	for i, id := range st.Frame.Groups {
		o := st.Divided.Groups[id]
		if o.Group < 0 || o.Part < 0 || len(named[o.Division].Nodes) == 0 {
			continue
		}
		name := named[o.Division].Nodes[o.Part]
		at := q.Machine(name)
		if at < 0 {
			return fmt.Errorf("%w: no node %q answers in the mesh", ErrPlan, name)
		}
		st.Problem.Pieces[i].Pin = []planner.NodeID{planner.NodeID(at)}
	}
	return nil
}

// divisionDocuments are a plan's divisions as the HTTP interface shows them.
func (lp *livePlan) divisionDocuments() []client.Division {
	var out []client.Division
	c := lp.frame.c
	for _, d := range lp.frame.frame.Divisions {
		out = append(out, client.Division{
			First: c.base.graph.Groups[d.First].Name, Last: c.base.graph.Groups[d.Last].Name, Axis: d.Axis, Parts: d.Parts,
		})
	}
	return out
}
