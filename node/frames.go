package node

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/transport"
)

// maxFrames is how many frames a node keeps.
const maxFrames = 256

// frameHere is a frame as this node knows it.
type frameHere struct {
	id    placement.ID
	bytes []byte
	frame *placement.Frame
	self  planner.NodeID
	c     *canonical
	coder *codec.Coder // knows the calibrated tables of the frame's codecs; nil when it has none
	n     *Node
}

// name is what people call a node of the frame.
func (f *frameHere) name(id planner.NodeID) string {
	if id < 0 || int(id) >= len(f.frame.Nodes) {
		return fmt.Sprintf("node %d", id)
	}
	return f.n.nodeName(f.frame.Nodes[id])
}

// frameTable holds the frames that are installed. It is safe for concurrent use.
type frameTable struct {
	mu    sync.Mutex
	id    map[string]*frameHere // guarded by mu; by content address in hex
	wire  map[uint64]*frameHere // guarded by mu; by what tensor headers carry
	order []*frameHere          // guarded by mu; oldest first
}

func newFrameTable() *frameTable {
	return &frameTable{id: map[string]*frameHere{}, wire: map[uint64]*frameHere{}}
}

func (t *frameTable) byID(id string) *frameHere {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id[id]
}

func (t *frameTable) byWire(w uint64) *frameHere {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wire[w]
}

// add keeps f and gives back the frame that is kept for its id.
func (t *frameTable) add(f *frameHere) *frameHere {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.id[f.id.String()]; ok {
		return old
	}
	t.id[f.id.String()], t.wire[f.id.Wire()] = f, f
	if t.order = append(t.order, f); len(t.order) > maxFrames {
		gone := t.order[0]
		t.order = t.order[1:]
		delete(t.id, gone.id.String())
		delete(t.wire, gone.id.Wire())
	}
	return f
}

// installation asks a node to be ready for its part of a plan.
type installation struct {
	Frame json.RawMessage `json:"frame"`
	// Stages are the pieces of each stage to compile.
	Stages [][]planner.PieceID `json:"stages,omitempty"`
	// Rush says that a request waits: times are taken from the profile instead of measured.
	Rush bool `json:"rush,omitempty"`
}

// installed is a node's answer.
type installed struct {
	// Times are milliseconds of one run of each stage, as the node will take them.
	Times []float64 `json:"times"`
}

// installFrame makes a frame known on this node. It fetches the model from peers where it has to.
func (n *Node) installFrame(ctx context.Context, b []byte) (*frameHere, error) {
	fr, id, err := placement.Decode(b)
	if err != nil {
		return nil, err
	}
	if f := n.frames.byID(id.String()); f != nil {
		return f, nil
	}
	self := fr.Node(n.mesh.ID())
	if self < 0 {
		return nil, fmt.Errorf("%w: this node has no part in it", placement.ErrFrame)
	}
	d, err := store.ParseDigest(fr.Model)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", placement.ErrFrame, err)
	}
	if err := n.fetch(ctx, d); err != nil {
		return nil, err
	}
	c, err := n.graphs.get(ctx, d, fr.Shapes)
	if err != nil {
		return nil, err
	}
	if c, err = n.graphs.divide(c, fr.Divisions); err != nil {
		return nil, fmt.Errorf("%w: %w", placement.ErrFrame, err)
	}
	if c.digest != fr.Graph {
		return nil, fmt.Errorf("canonical graph is %.12s here and %.12s in the plan: the nodes run different versions of cleave", c.digest, fr.Graph)
	}
	if err := fr.Check(c.graph); err != nil {
		return nil, err
	}
	f := &frameHere{id: id, bytes: b, frame: fr, self: self, c: c, n: n}
	if fr.Calibration != "" {
		if f.coder, err = n.frameCoder(ctx, d, fr); err != nil {
			return nil, err
		}
	}
	return n.frames.add(f), nil
}

// prepare compiles stages of a frame on this node. With rush, their times are taken from the profile instead of measured.
func (n *Node) prepare(ctx context.Context, f *frameHere, stages [][]planner.PieceID, rush bool) (*installed, error) {
	answer := &installed{}
	for _, pieces := range stages {
		groups, err := f.frame.GroupsOf(pieces)
		if err != nil {
			return nil, err
		}
		st, err := n.host.Prepare(ctx, f.c.graph, f.c.digest, groups, f.frame.Backends[f.self], n.estimate(f, groups), rush)
		if err != nil {
			return nil, err
		}
		answer.Times = append(answer.Times, ms(st.Usual())/n.host.Speed())
	}
	return answer, nil
}

// estimate is the time that groups take on this real machine by its profile; 0 when there is none.
func (n *Node) estimate(f *frameHere, groups []split.GroupID) time.Duration {
	p := n.fastest(f.c)
	if p == nil {
		return 0
	}
	sum := 0.0
	for _, g := range groups {
		sum += p.Groups[g]
	}
	return time.Duration(sum * n.host.Speed() * float64(time.Second))
}

// handleInstall serves a peer's installation.
func (n *Node) handleInstall(ctx context.Context, in *transport.Incoming) {
	b, err := in.ReadAll(placement.MaxFrame)
	if err != nil {
		in.Fail(transport.CodeTooLarge, err.Error())
		return
	}
	var req installation
	if err := json.Unmarshal(b, &req); err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	f, err := n.installFrame(ctx, req.Frame)
	if err == nil {
		var answer *installed
		if answer, err = n.prepare(ctx, f, req.Stages, req.Rush); err == nil {
			reply(in, answer)
			return
		}
	}
	n.log.Warn("plan not installed", "for", n.nodeName(in.From), "err", err)
	in.Fail(transport.CodeInternal, err.Error())
}

// reply answers a call with a document.
func reply(in *transport.Incoming, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		in.Fail(transport.CodeInternal, err.Error())
		return
	}
	_, _ = in.Write(b) // the caller sees a broken stream by itself
}

// installAt makes a frame, and stages of it, ready on one node, which may be this one.
func (n *Node) installAt(ctx context.Context, f *frameHere, peer transport.PeerID, stages [][]planner.PieceID, rush bool) error {
	if peer == n.mesh.ID() {
		_, err := n.prepare(ctx, f, stages, rush)
		return err
	}
	b, err := json.Marshal(installation{Frame: f.bytes, Stages: stages, Rush: rush})
	if err != nil {
		return fmt.Errorf("install plan: %w", err)
	}
	if _, err := n.mesh.Call(ctx, peer, kindInstall, b); err != nil {
		return fmt.Errorf("install plan on %s: %w", n.nodeName(peer), err)
	}
	return nil
}

// install makes a plan ready at every participant, with rush at all of them at once. Without it one is made ready after the
// other, so that timings on emulated machines, which share one host, do not disturb each other.
func (n *Node) install(ctx context.Context, f *frameHere, plan *planner.Plan, rush bool) error {
	stages := map[planner.NodeID][][]planner.PieceID{f.self: nil}
	for _, s := range plan.Stages {
		stages[s.Node] = append(stages[s.Node], s.Pieces)
	}
	for _, t := range plan.Transfers { // whoever only passes a value on needs the frame as well
		for _, id := range []planner.NodeID{t.From, t.To} {
			if _, ok := stages[id]; !ok {
				stages[id] = nil
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if !rush {
		group.SetLimit(1)
	}
	for id, list := range stages {
		group.Go(func() error { return n.installAt(ctx, f, f.frame.Nodes[id], list, rush) })
	}
	return group.Wait()
}
