package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/transport"
)

const (
	// planTime is how long a planner may take for a first plan, restTime for the rest of a request that is under way.
	planTime = 5 * time.Second
	restTime = 500 * time.Millisecond
	// maxPlans is how many plans a node keeps.
	maxPlans = 256
)

// ErrPlan is wrapped by every error about a plan request that cannot be met.
var ErrPlan = errors.New("no plan")

// planFor is the plan in force for a request: the one made in this state of the mesh, or a new one.
func (n *Node) planFor(ctx context.Context, r client.PlanRequest) (*livePlan, error) {
	if r.Strategy == "" {
		r.Strategy = client.Best
	}
	epoch := n.peers.epoch()
	key := requestKey(r)
	lp := n.plans.inForce(key, epoch, n.usable)
	if lp == nil {
		made, err := n.makePlan(ctx, r)
		if err != nil {
			return nil, err
		}
		lp = n.plans.put(key, epoch, made)
	}
	if r.Install {
		if err := n.ensureInstalled(ctx, lp); err != nil {
			return nil, err
		}
	}
	return lp, nil
}

// usable reports whether every node that has a part in the plan answers.
func (n *Node) usable(lp *livePlan) bool {
	there := map[transport.PeerID]bool{}
	for _, id := range n.peers.usable() {
		there[id] = true
	}
	for _, s := range lp.plan.Stages {
		if !there[lp.frame.frame.Nodes[s.Node]] {
			return false
		}
	}
	return true
}

// ensureInstalled makes the plan ready at every participant, once.
func (n *Node) ensureInstalled(ctx context.Context, lp *livePlan) error {
	lp.installMu.Lock()
	defer lp.installMu.Unlock()
	if lp.installed {
		return nil
	}
	if err := n.install(ctx, lp.frame, lp.plan, false); err != nil {
		return err
	}
	lp.installed = true
	return nil
}

// makePlan solves a plan request in the present state of the mesh.
func (n *Node) makePlan(ctx context.Context, r client.PlanRequest) (*livePlan, error) {
	name, err := n.names.Lookup(r.Model)
	if err != nil {
		return nil, err
	}
	if err := n.fetch(ctx, name.Digest); err != nil {
		return nil, err
	}
	c, err := n.graphs.get(ctx, name.Digest, r.Shapes)
	if err != nil {
		return nil, err
	}
	if p := n.profiles.get(c.digest); p == nil {
		if err := n.ensureProfile(ctx, name.Digest, r.Shapes); err != nil {
			return nil, err
		}
	}
	known := n.calibrationFor(ctx, name, c)
	q, err := n.question(name, c, r, known)
	if err != nil {
		return nil, err
	}
	solver, err := n.strategy(q, &r)
	if err != nil {
		return nil, err
	}
	if r.Splits != "" && r.Splits != client.SplitsAuto && r.Splits != client.SplitsOff {
		return nil, fmt.Errorf("%w: splits %q: use %s or %s", ErrPlan, r.Splits, client.SplitsAuto, client.SplitsOff)
	}
	sctx, cancel := context.WithTimeout(ctx, planTime)
	defer cancel()
	found, err := n.solve(sctx, r, q, c, solver)
	if err != nil {
		return nil, fmt.Errorf("%w for model %s, strategy %s: %w", ErrPlan, name.Name, r.Strategy, err)
	}
	c = found.c
	fr := found.frame
	fr.Model, fr.Graph, fr.Shapes = string(name.Digest), c.digest, c.shapes
	f := &frameHere{c: c, n: n}
	if known != nil {
		fr.Calibration, f.coder = string(known.digest), known.coder
	}
	b, id, err := fr.Encode()
	if err != nil {
		return nil, err
	}
	f.id, f.bytes, f.frame, f.self = id, b, fr, fr.Node(n.mesh.ID())
	frame := n.frames.add(f)
	lp := &livePlan{
		id: planID(frame.id, found.plan), request: r, model: name, strategy: r.Strategy, planner: solver.Name(),
		frame: frame, problem: found.problem, plan: found.plan, known: known, exits: found.exits, note: found.note,
	}
	n.prepareTable(lp)
	return lp, nil
}

// planID is a plan's content address: its frame, stages and transfers, without predictions.
func planID(frame placement.ID, p *planner.Plan) string {
	h := sha256.New()
	h.Write(frame[:])
	for _, s := range p.Stages {
		fmt.Fprintf(h, "stage %d %v\n", s.Node, s.Pieces)
	}
	for _, t := range p.Transfers {
		fmt.Fprintf(h, "transfer %d %d %d %d\n", t.Value, t.From, t.To, t.Coding)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// question gathers what is known now. Machine 0 is this node. known may be nil.
func (n *Node) question(name store.Name, c *canonical, r client.PlanRequest, known *calibration) (*placement.Question, error) {
	objective := planner.Objective(r.Objective)
	switch objective {
	case "":
		objective = planner.Latency
	case planner.Latency, planner.Throughput, planner.Energy, planner.Price:
	default:
		return nil, fmt.Errorf("%w: unknown objective %q: use latency, throughput, energy or price", ErrPlan, r.Objective)
	}
	q := &placement.Question{
		Model: name.Name, Graph: c.graph, Objective: objective, InputsStay: r.Strategy == client.BestInputsStay,
		Limits: planner.Limits{Stages: r.MaxStages},
	}
	if !(r.Agreement >= 0 && r.Agreement <= 1) {
		return nil, fmt.Errorf("%w: agreement %g: it is a share of answers, in (0, 1]", ErrPlan, r.Agreement)
	}
	budget := n.budget(r)
	q.Limits.Loss = budget.Limit()
	var file *calibrate.File
	if known != nil {
		file = known.file
	}
	q.Machines, q.Paths = n.peers.machines(c.digest)
	codings := n.codings(c)
	border := 0.0
	if p := placement.Fastest(n.profiles.own(c.digest), len(c.graph.Groups)); p != nil {
		border = p.Border
	}
	q.Codings = func(v split.ValueID) []planner.Coding {
		var out []planner.Coding
		allowed := budget
		allowed.Lossless = budget.Lossless || slices.Contains(c.graph.Outputs, v) // the answer itself is never approximated on its way
		for _, k := range n.transfers.correct(c.digest, v, allowed.Codings(file, &c.graph.Values[v], codings[v])) {
			if !slices.Contains(c.graph.Inputs, v) && !slices.Contains(c.graph.Outputs, v) { // crosses between two stages
				extra := border * float64(c.graph.Values[v].Bytes()) / 2
				k.Encode += extra
				k.Decode += extra
			}
			out = append(out, k)
		}
		return out
	}
	return q, nil
}

// budget is what a request allows its answer to lose: what it says itself, else what the node is set to.
func (n *Node) budget(r client.PlanRequest) placement.Accuracy {
	a := placement.Accuracy{Lossless: r.Lossless, MaxLoss: max(r.MaxLoss, 0), Agreement: r.Agreement}
	if r.MaxLoss == 0 && r.Agreement == 0 {
		a.Lossless = a.Lossless || n.set.MaxLoss < 0
		a.MaxLoss, a.Agreement = max(n.set.MaxLoss, 0), n.set.Agreement
	}
	if r.Strategy == client.CloudOnlyJPEG { // the baseline is what it is
		a.Agreement = 0
	}
	return a
}

// codings is what codecs make of each value of a graph. A value that was not tried travels raw.
func (n *Node) codings(c *canonical) map[split.ValueID][]planner.Coding {
	out := map[split.ValueID][]planner.Coding{}
	p := n.profiles.get(c.digest)
	for i := range c.graph.Values {
		v := split.ValueID(i)
		if !placement.Travels(&c.graph.Values[i]) {
			continue
		}
		if p != nil && len(p.Codings[v]) > 0 {
			out[v] = p.Codings[v]
			continue
		}
		out[v] = []planner.Coding{{Codec: "raw", Bytes: c.graph.Values[i].Bytes() + rawOverhead}}
	}
	return out
}

// rawOverhead is about what a frame of codec raw adds to a tensor's bytes.
const rawOverhead = 64

// planRest plans what remains of a request whose plan broke, and makes it ready. It gives the plan in the ids of the request's
// problem, and the new plan's id.
func (n *Node) planRest(ctx context.Context, lp *livePlan, e session.Replan) (*planner.Plan, string, error) {
	rest := session.Resume(n.present(lp), e)
	solver, err := planner.Lookup("")
	if err != nil {
		return nil, "", err
	}
	sctx, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	plan, err := solver.Plan(sctx, rest.Problem)
	if err != nil {
		return nil, "", err
	}
	up := rest.Lift(plan)
	if err := n.install(ctx, lp.frame, up, true); err != nil {
		return nil, "", err
	}
	return up, planID(lp.frame.id, up), nil
}

// present is the plan's problem with the paths and loads as they are now.
func (n *Node) present(lp *livePlan) *planner.Problem {
	p := *lp.problem
	p.Paths = n.peers.paths(lp.frame.frame.Nodes)
	p.Nodes = slices.Clone(p.Nodes)
	for i, load := range n.peers.loads(lp.frame.frame.Nodes) {
		p.Nodes[i].Load = load
	}
	return &p
}

// document is the plan as the HTTP interface shows it.
func (lp *livePlan) document() client.Plan {
	g := lp.frame.c.graph
	name := func(id planner.NodeID) string { return lp.problem.Nodes[id].Name }
	d := client.Plan{
		ID: lp.id, Model: lp.model.Name, Digest: string(lp.model.Digest), Strategy: lp.strategy,
		Objective: string(lp.problem.Objective), Planner: lp.planner, Entry: name(lp.frame.self),
		PredictedMS: ms(lp.predicted()), Bytes: lp.plan.Cost.Bytes, Loss: lp.plan.Cost.Loss, Lossless: true,
		Stages: []client.Stage{}, Transfers: []client.Transfer{},
		Proof: client.Proof{
			Solver: lp.plan.Proof.Solver, Bound: finite(lp.plan.Proof.Bound), Gap: finite(lp.plan.Proof.Gap), Optimal: lp.plan.Proof.Optimal,
			ElapsedMS: ms(lp.plan.Proof.Elapsed), Explored: lp.plan.Proof.Explored,
		},
	}
	d.Divisions, d.Answers = lp.divisionDocuments(), lp.answerDocuments()
	for _, s := range lp.plan.Stages {
		first, last := s.Pieces[0], s.Pieces[len(s.Pieces)-1]
		d.Stages = append(d.Stages, client.Stage{
			Node: name(s.Node), Backend: lp.frame.frame.Backends[s.Node], Groups: len(s.Pieces),
			First: lp.problem.Pieces[first].Name, Last: lp.problem.Pieces[last].Name, StartMS: ms(s.Start), EndMS: ms(s.End),
		})
	}
	for _, t := range lp.plan.Transfers {
		v := &g.Values[lp.frame.frame.Values[t.Value]]
		c := lp.problem.Values[t.Value].Codings[t.Coding]
		spec, err := codec.Parse(c.Codec)
		d.Lossless = d.Lossless && err == nil && spec.Lossless()
		d.Transfers = append(d.Transfers, client.Transfer{
			Value: v.Name, From: name(t.From), To: name(t.To), DType: v.DType.String(), Shape: append([]int{}, v.Shape...),
			Codec: c.Codec, Bytes: c.Bytes, StartMS: ms(t.Start), EndMS: ms(t.End), Calibrated: lp.known.document(v.Name, c.Codec),
		})
	}
	lp.installMu.Lock()
	d.Installed = lp.installed
	lp.installMu.Unlock()
	return d
}

func finite(f float64) float64 {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return f
}
