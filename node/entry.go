package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// ErrBusy is returned when as many requests as the node takes are under way.
var ErrBusy = errors.New("the node has as many requests as it takes: try again later")

// entryState is the entry node's end of a request: what the caller waits for.
type entryState struct {
	begun time.Time
	done  chan struct{} // closed once
	plan  *livePlan     // the plan that the request began with

	mu      sync.Mutex
	over    bool
	names   []string         // of outputs
	outputs []*tensor.Tensor // in the graph's order
	err     error
	report  client.Report
}

// learn adds what was measured, here or elsewhere.
func (s *entryState) learn(stages []client.StageRun, transfers []client.TransferMS) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := ms(time.Since(s.begun))
	for _, r := range stages {
		r.EndMS = now
		s.report.Stages = append(s.report.Stages, r)
	}
	for _, t := range transfers {
		s.report.Transfers = append(s.report.Transfers, t)
		s.report.Bytes += t.Bytes
	}
}

// note adds a line to the report's events.
func (s *entryState) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Events = append(s.report.Events, fmt.Sprintf("%.1f ms: %s", ms(time.Since(s.begun)), text))
}

func (s *entryState) replanned(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Replans++
	s.report.Replanned = true
	s.report.LastPlan = id
}

// deliver hands the outputs over. It is called on the flight's loop, while they are still in the store.
func (s *entryState) deliver(f *flight, e session.Deliver) {
	names, out, err := f.results(e)
	s.answered(e)
	s.finish(names, out, err)
}

// abort ends the request with an error, unless it is over.
func (s *entryState) abort(err error) { s.finish(nil, nil, err) }

func (s *entryState) finish(names []string, out []*tensor.Tensor, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over, s.names, s.outputs, s.err = true, names, out, err
	s.report.TotalMS = ms(time.Since(s.begun))
	close(s.done)
}

// answer is the outcome of a request.
type answer struct {
	names   []string
	outputs []*tensor.Tensor
	report  client.Report
}

// run carries out one request over an installed plan. in is parallel to the graph's inputs. It fails with a session.Fail, with
// ctx's error, or with errStopped.
func (n *Node) run(ctx context.Context, lp *livePlan, in []*tensor.Tensor, deadline time.Duration) (*answer, error) {
	select {
	case n.plans.slots <- struct{}{}:
		defer func() { <-n.plans.slots }()
	default:
		return nil, ErrBusy
	}
	var id requestID
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("name request: %w", err)
	}
	s := &entryState{begun: time.Now(), done: make(chan struct{}), plan: lp}
	s.report = client.Report{
		Session: id.String(), Plan: lp.id, LastPlan: lp.id, Strategy: lp.strategy, PredictedMS: ms(lp.predicted()),
	}
	f := newFlight(n, id, lp.frame)
	f.entry, f.inputs = s, in
	f.coord = session.NewCoordinator(session.Config{
		Self: lp.frame.self, Problem: lp.problem, Plan: lp.plan, Deadline: n.now() + deadline,
	})
	given := letter{event: session.Given{}}
	var values []planner.ValueID
	g := lp.frame.c.graph
	for i, v := range g.Inputs {
		if at := lp.frame.frame.ValueOf(v); at >= 0 {
			values = append(values, at)
			given.handles = append(given.handles, session.Handle{Value: at})
			given.tensors = append(given.tensors, in[i])
		}
	}
	given.event = session.Given{Values: values}
	f.mail.put(given)
	f.mail.put(letter{event: session.Start{}})
	if !n.flights.start(f) {
		return nil, errStopped
	}
	n.runs.began(id.String(), lp)
	select {
	case <-s.done:
	case <-ctx.Done():
		f.mail.put(letter{event: session.Cancel{Reason: "the caller went away"}})
		s.abort(ctx.Err())
	}
	s.mu.Lock()
	a := &answer{names: s.names, outputs: s.outputs, report: s.report}
	err := s.err
	s.mu.Unlock()
	a.report.Stages = append([]client.StageRun{}, a.report.Stages...)
	a.report.Transfers = append([]client.TransferMS{}, a.report.Transfers...)
	for _, t := range a.report.Transfers {
		if v := slices.IndexFunc(g.Values, func(v split.Value) bool { return v.Name == t.Value }); v >= 0 {
			n.transfers.add(lp.frame.c.digest, split.ValueID(v), t.Codec, transferred{
				bytes:  float64(t.Bytes),
				encode: t.EncodeMS / 1e3 * lp.speed(t.From), decode: t.DecodeMS / 1e3 * lp.speed(t.To),
			})
		}
	}
	n.runs.finished(id.String(), lp, &a.report, err)
	n.metrics.finished(lp.model.Name, a.report.TotalMS, a.report.Replans, err)
	return a, err
}

// replan answers a Coordinator that asks for a plan of what remains.
func (f *flight) replan(e session.Replan) {
	f.entry.note("replanning: " + e.Cause)
	f.beside(func(ctx context.Context) {
		plan, id, err := f.n.planRest(ctx, f.entry.plan, e)
		if err != nil {
			f.n.log.Warn("no plan for the rest", "request", f.id, "cause", e.Cause, "err", err)
			f.mail.put(letter{event: session.ReplanFailed{Attempt: e.Attempt, Reason: err.Error()}})
			return
		}
		f.n.log.Info("replanned", "request", f.id, "cause", e.Cause, "stages", len(plan.Stages))
		f.entry.replanned(id)
		f.mail.put(letter{event: session.Replanned{Attempt: e.Attempt, Plan: plan}})
	})
}

// arrange puts named tensors into the order of the graph's inputs and checks their types and shapes.
func arrange(g *split.Graph, named map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	in := make([]*tensor.Tensor, len(g.Inputs))
	for i, id := range g.Inputs {
		v := &g.Values[id]
		t, ok := named[v.Name]
		if !ok {
			return nil, fmt.Errorf("input %q is missing: the model takes %v", v.Name, inputNames(g))
		}
		if t.DType() != v.DType || !t.Shape().Equal(v.Shape) {
			return nil, fmt.Errorf("input %q is %v, the model takes %v %v", v.Name, t, v.DType, v.Shape)
		}
		in[i] = t
	}
	for name := range named {
		if !slices.Contains(inputNames(g), name) {
			return nil, fmt.Errorf("the model has no input %q: it takes %v", name, inputNames(g))
		}
	}
	return in, nil
}
