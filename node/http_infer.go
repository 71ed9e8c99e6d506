package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/oip"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/split"
)

func (n *Node) getServerMetadata(w http.ResponseWriter, _ *http.Request) error {
	return write(w, serverMetadata)
}

// serverMetadata describes every node.
var serverMetadata = oip.ServerMetadata{Name: "cleave", Version: Version, Extensions: []string{"binary_tensor_data", "model_repository"}}

// lookup finds a model of the protocol, and checks the version where the caller names one: the only version of a model is "1".
func (n *Node) lookup(model, version string) (store.Name, error) {
	if version != "" && version != modelVersion {
		return store.Name{}, fmt.Errorf("model %q has no version %q: %w", model, version, store.ErrNotFound)
	}
	return n.names.Lookup(model)
}

// modelVersion is the version of every model: a changed model has a new digest.
const modelVersion = "1"

func (n *Node) modelMetadata(w http.ResponseWriter, r *http.Request) error {
	m, err := n.metadata(r.Context(), r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return err
	}
	return write(w, m)
}

// metadata says what goes into a model and what comes out. A model that this node lacks is fetched.
func (n *Node) metadata(ctx context.Context, model, version string) (*oip.ModelMetadata, error) {
	name, err := n.lookup(model, version)
	if err != nil {
		return nil, err
	}
	if err := n.fetch(ctx, name.Digest); err != nil {
		return nil, err
	}
	g, err := n.graphs.declared(name.Digest)
	if err != nil {
		return nil, err
	}
	m := &oip.ModelMetadata{Name: name.Name, Versions: []string{modelVersion}, Platform: "onnx"}
	if m.Inputs, err = tensorMetadata(g, g.Inputs); err != nil {
		return nil, err
	}
	if m.Outputs, err = tensorMetadata(g, g.Outputs); err != nil {
		return nil, err
	}
	return m, nil
}

func tensorMetadata(g *split.Graph, ids []split.ValueID) ([]oip.TensorMetadata, error) {
	out := []oip.TensorMetadata{}
	for _, id := range ids {
		v := &g.Values[id]
		d := "" // a type that is not declared
		if v.DType != tensor.Invalid {
			var err error
			if d, err = oip.Datatype(v.DType); err != nil {
				return nil, fmt.Errorf("tensor %q: %w", v.Name, err)
			}
		}
		out = append(out, oip.TensorMetadata{Name: v.Name, Datatype: d, Shape: append([]int{}, v.Shape...)})
	}
	return out, nil
}

func (n *Node) modelReady(w http.ResponseWriter, r *http.Request) error {
	name, err := n.readyModel(r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return err
	}
	return write(w, map[string]any{"name": name.Name, "ready": true})
}

// readyModel is the model when it can be run now: it is here and profiled.
func (n *Node) readyModel(model, version string) (store.Name, error) {
	name, err := n.lookup(model, version)
	if err != nil {
		return name, err
	}
	for _, p := range n.profiles.all() {
		if p.Model == name.Digest && len(p.Backends) > 0 {
			return name, nil
		}
	}
	return name, &statusError{http.StatusServiceUnavailable, fmt.Sprintf("model %s is not profiled on this node yet", name.Name)}
}

// repositoryIndex lists models as the model repository extension does.
func (n *Node) repositoryIndex(w http.ResponseWriter, _ *http.Request) error {
	type entry struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
	}
	out := []entry{}
	for _, name := range n.names.List() {
		if name.Deleted {
			continue
		}
		e := entry{Name: name.Name, Version: modelVersion, State: "UNAVAILABLE", Reason: "not profiled yet"}
		for _, p := range n.profiles.all() {
			if p.Model == name.Digest && len(p.Backends) > 0 {
				e.State, e.Reason = "READY", ""
			}
		}
		out = append(out, e)
	}
	return write(w, out)
}

func (n *Node) infer(w http.ResponseWriter, r *http.Request) error {
	// The body is read before anything is refused: a caller that is still sending would see a reset instead of the answer.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInfer))
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	name, err := n.lookup(r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return err
	}
	req, err := oip.DecodeRequest(body, r.Header.Get(oip.HeaderLength))
	if err != nil {
		return err
	}
	res, err := n.inference(r.Context(), name, req)
	if err != nil {
		return err
	}
	body, headerLength, err := oip.EncodeResponse(res, req.WantsRaw)
	if err != nil {
		return errors.Join(errInput, err)
	}
	w.Header().Set("Content-Type", "application/json")
	if headerLength != "" {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(oip.HeaderLength, headerLength)
	}
	_, _ = w.Write(body) // the caller is gone, at worst
	return nil
}

// inference serves one request of the protocol, over HTTP or gRPC.
func (n *Node) inference(ctx context.Context, name store.Name, req *oip.Request) (*oip.Response, error) {
	lp, err := n.planOf(ctx, name, req)
	if err != nil {
		return nil, err
	}
	in, err := inputs(lp.frame.c.graph, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInput, err)
	}
	deadline := n.set.Deadline
	if at, ok := ctx.Deadline(); ok { // gRPC callers state one as a matter of course
		deadline = time.Until(at)
	}
	if v, ok := req.Parameters["deadline_ms"].(float64); ok {
		if !(v > 0) || v > float64(math.MaxInt64/int64(time.Millisecond)) {
			return nil, fmt.Errorf("%w: deadline_ms is %g", errInput, v)
		}
		deadline = time.Duration(v * float64(time.Millisecond))
	}
	a, err := n.run(ctx, lp, in, deadline)
	if err != nil {
		return nil, err
	}
	return respond(name, req, a)
}

// planOf is the plan that a request names, or the one in force for its strategy.
func (n *Node) planOf(ctx context.Context, name store.Name, req *oip.Request) (*livePlan, error) {
	if id := req.Parameters.String("plan"); id != "" {
		lp := n.plans.get(id)
		if lp == nil || lp.model.Digest != name.Digest {
			return nil, fmt.Errorf("plan %.12s for model %s: %w", id, name.Name, store.ErrNotFound)
		}
		return lp, n.ensureInstalled(ctx, lp)
	}
	pr := client.PlanRequest{Model: name.Name, Strategy: req.Parameters.String("strategy"), Objective: req.Parameters.String("objective"), Exits: req.Parameters.String("exits"), Install: true}
	if err := accuracyOf(req.Parameters, &pr); err != nil {
		return nil, err
	}
	if len(req.Outputs) > 0 { // who names outputs wants these
		pr.Exits = client.ExitsOff
	}
	if err := n.fetch(ctx, name.Digest); err != nil {
		return nil, err
	}
	g, err := n.graphs.declared(name.Digest)
	if err != nil {
		return nil, err
	}
	pr.Shapes = openShapes(g, req)
	return n.planFor(ctx, pr)
}

// accuracyOf reads what a request allows its answer to lose: the parameters lossless, max_loss and agreement, as in a plan request.
func accuracyOf(p oip.Parameters, pr *client.PlanRequest) error {
	pr.Lossless, _ = p.Bool("lossless")
	for name, at := range map[string]*float64{"max_loss": &pr.MaxLoss, "agreement": &pr.Agreement} {
		v, there := p[name]
		number, ok := v.(float64)
		if there && !ok {
			return fmt.Errorf("%w: %s is %v: write a number", errInput, name, v)
		}
		*at = number
	}
	return nil
}

// openShapes are the shapes of the inputs whose declared shape leaves something open; nil when there are none.
func openShapes(g *split.Graph, req *oip.Request) map[string][]int {
	var shapes map[string][]int
	for _, id := range g.Inputs {
		v := &g.Values[id]
		if v.Shape != nil && v.Shape.Known() {
			continue
		}
		for _, t := range req.Inputs {
			if t.Name == v.Name {
				if shapes == nil {
					shapes = map[string][]int{}
				}
				shapes[v.Name] = t.Value.Shape()
			}
		}
	}
	return shapes
}

// inputs arranges a request's tensors for the graph.
func inputs(g *split.Graph, req *oip.Request) ([]*tensor.Tensor, error) {
	named := make(map[string]*tensor.Tensor, len(req.Inputs))
	for _, t := range req.Inputs {
		if _, twice := named[t.Name]; twice {
			return nil, fmt.Errorf("input %q is given twice", t.Name)
		}
		named[t.Name] = t.Value
	}
	return arrange(g, named)
}

// respond holds the outputs that were asked for, in the order that was asked for.
func respond(name store.Name, req *oip.Request, a *answer) (*oip.Response, error) {
	res := &oip.Response{ModelName: name.Name, ModelVersion: modelVersion, ID: req.ID, Outputs: []oip.Tensor{}}
	if a.report.Exit != "" {
		res.Parameters = oip.Parameters{"exit": a.report.Exit}
	}
	add := func(i int) { res.Outputs = append(res.Outputs, oip.Tensor{Name: a.names[i], Value: a.outputs[i]}) }
	for i := range a.names {
		if len(req.Outputs) == 0 {
			add(i)
		}
	}
	for _, want := range req.Outputs {
		i := slices.Index(a.names, want.Name)
		if i < 0 {
			return nil, fmt.Errorf("%w: the answer has no output %q: it has %v", errInput, want.Name, a.names)
		}
		add(i)
	}
	if report, _ := req.Parameters.Bool("report"); report {
		b, err := json.Marshal(a.report)
		if err != nil {
			return nil, err
		}
		res.Report = b
	}
	return res, nil
}
