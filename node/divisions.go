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

// divided is a plan of a divided graph.
type divided struct {
	c         *canonical
	divisions []split.Division
	problem   *planner.Problem
	frame     *placement.Frame
	plan      *planner.Plan
}

// planDivided plans the question with the divisions that the request names, or looks for some.
func (n *Node) planDivided(ctx context.Context, r client.PlanRequest, q *placement.Question, c *canonical, solver planner.Planner) (*divided, error) {
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
		return &placement.Stated{Divided: here.divided, Graph: here.graph, Problem: p, Frame: frame}, err
	}
	out := &divided{}
	if len(r.Divisions) > 0 {
		var err error
		if out.divisions, err = namedDivisions(c.graph, r.Divisions); err != nil {
			return nil, err
		}
		st, err := state(out.divisions)
		if err != nil {
			return nil, err
		}
		if err := pinParts(st, q, r.Divisions); err != nil {
			return nil, err
		}
		if out.plan, err = solver.Plan(ctx, st.Problem); err != nil {
			return nil, err
		}
		out.problem, out.frame = st.Problem, st.Frame
	} else {
		found, err := (&placement.Search{Graph: c.graph, State: state, Solver: solver}).Run(ctx)
		if err != nil {
			return nil, err
		}
		out.divisions, out.problem, out.frame, out.plan = found.Divisions, found.Problem, found.Frame, found.Plan
	}
	var err error
	out.c, err = n.graphs.divide(c, out.divisions)
	out.frame.Divisions = out.divisions
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
