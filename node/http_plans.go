package node

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/transport/admit"
)

func (n *Node) getPlans(w http.ResponseWriter, _ *http.Request) error {
	out := client.Plans{Plans: []client.Plan{}}
	for _, lp := range n.plans.list() {
		out.Plans = append(out.Plans, lp.document())
	}
	return write(w, out)
}

func (n *Node) postPlan(w http.ResponseWriter, r *http.Request) error {
	var req client.PlanRequest
	if err := read(w, r, &req); err != nil {
		return err
	}
	lp, err := n.planFor(r.Context(), req)
	if err != nil {
		return err
	}
	return write(w, lp.detailed(r))
}

func (n *Node) getPlan(w http.ResponseWriter, r *http.Request) error {
	lp := n.plans.get(r.PathValue("plan"))
	if lp == nil {
		return fmt.Errorf("plan %.12s: %w", r.PathValue("plan"), store.ErrNotFound)
	}
	return write(w, lp.detailed(r))
}

// getSolution is the plan in the planner's terms, with every measurement that the planner saw.
func (n *Node) getSolution(w http.ResponseWriter, r *http.Request) error {
	lp := n.plans.get(r.PathValue("plan"))
	if lp == nil {
		return fmt.Errorf("plan %.12s: %w", r.PathValue("plan"), store.ErrNotFound)
	}
	plan := *lp.plan
	plan.Proof = planner.Proof{Solver: plan.Proof.Solver} // bounds may be infinite, which JSON cannot say
	return write(w, client.Solution{Problem: lp.problem, Plan: &plan})
}

// detailed is the plan's document with its picture, and its drawing when the request asks for one.
func (lp *livePlan) detailed(r *http.Request) client.Plan {
	d := lp.document()
	d.Picture = planner.Render(lp.problem, lp.plan, planner.Notes{Label: lp.label, Remarks: lp.note}) + lp.effects()
	if r.URL.Query().Get("svg") == "1" {
		d.SVG = planner.SVG(lp.problem, lp.plan)
	}
	return d
}

// label says what a value is: its type and shape.
func (lp *livePlan) label(v planner.ValueID) string {
	val := &lp.frame.c.graph.Values[lp.frame.frame.Values[v]]
	return planner.Short(val.Name) + " " + val.DType.String() + " " + val.Shape.String()
}

// maxTokenTime is the longest that a join token may be valid.
const maxTokenTime = 30 * 24 * time.Hour

func (n *Node) postToken(w http.ResponseWriter, r *http.Request) error {
	var req client.TokenRequest
	if err := read(w, r, &req); err != nil {
		return err
	}
	if n.authority == nil {
		return &statusError{http.StatusConflict, "this node is not the mesh's authority: ask at the node that founded the mesh"}
	}
	role, err := admit.ParseRole(orElse(strings.ToLower(req.Role), "member"))
	if err != nil {
		return &statusError{http.StatusBadRequest, err.Error()}
	}
	valid := orElse(time.Duration(req.ValidSeconds)*time.Second, 24*time.Hour)
	uses := orElse(req.Uses, 1)
	if valid <= 0 || valid > maxTokenTime || uses < 1 || uses > 65535 {
		return &statusError{http.StatusBadRequest, fmt.Sprintf("a token is valid for up to %v and 1 to 65535 uses", maxTokenTime)}
	}
	seeds := n.mesh.Addrs()
	t, err := n.authority.Token(role, uses, time.Now().Add(valid), seeds[:min(len(seeds), admit.MaxSeeds)])
	if err != nil {
		return err
	}
	return write(w, client.Token{Token: t.String(), Expires: t.Expiry, Uses: int(t.Uses), Role: role.String()})
}
