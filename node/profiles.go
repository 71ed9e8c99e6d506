package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// graphProfile is what a node measured of one canonical graph. It is stored, and spread as a record.
type graphProfile struct {
	Model  store.Digest     `json:"model"`
	Graph  string           `json:"graph"`
	Shapes map[string][]int `json:"shapes,omitempty"`
	// Speed is the emulated speed that the times were divided by.
	Speed    float64             `json:"speed"`
	Backends []placement.Profile `json:"backends,omitempty"`
	// Failure says why the node cannot run the model; "" when it can.
	Failure string `json:"failure,omitempty"`
	// Codings are what codecs make of each value, tried on this node; they stay here.
	Codings map[split.ValueID][]planner.Coding `json:"-"`
	Inner   *storedCodings                     `json:"inner,omitempty"`
}

// storedCodings is Codings as it is stored, apart from what is spread.
type storedCodings struct {
	Values map[split.ValueID][]planner.Coding `json:"values"`
}

// profileTable holds this node's profiles. It is safe for concurrent use.
type profileTable struct {
	folder *store.Folder
	queue  chan profileJob

	mu      sync.Mutex
	byGraph map[string]*graphProfile // guarded by mu
	byModel map[string]string        // guarded by mu; failure or graph digest, by graphKey
}

type profileJob struct {
	model  store.Digest
	shapes map[string][]int
	done   chan error // receives the outcome; nil when nobody waits
}

// profileQueue is how many profiles may wait for their turn.
const profileQueue = 256

func openProfiles(f *store.Folder) (*profileTable, error) {
	t := &profileTable{folder: f, queue: make(chan profileJob, profileQueue), byGraph: map[string]*graphProfile{}, byModel: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(f.Path(), "profiles", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read profile: %w", err)
		}
		var p graphProfile
		if json.Unmarshal(b, &p) != nil || p.Inner == nil {
			continue // a profile of another version: it is measured anew
		}
		p.Codings, p.Inner = p.Inner.Values, nil
		t.byGraph[p.Graph] = &p
	}
	return t, nil
}

// own is this node's profiles of a graph, one for each backend.
func (t *profileTable) own(graph string) []placement.Profile {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.byGraph[graph]; p != nil {
		return p.Backends
	}
	return nil
}

// get is everything measured of a graph, or nil.
func (t *profileTable) get(graph string) *graphProfile {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byGraph[graph]
}

func (t *profileTable) all() []*graphProfile {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*graphProfile
	for _, p := range t.byGraph {
		out = append(out, p)
	}
	return out
}

func (t *profileTable) put(p *graphProfile) error {
	t.mu.Lock()
	t.byGraph[p.Graph] = p
	t.mu.Unlock()
	if p.Failure != "" {
		return nil // it may succeed with the next version
	}
	whole := *p
	whole.Inner = &storedCodings{p.Codings}
	b, err := json.Marshal(whole)
	if err != nil {
		return fmt.Errorf("store profile: %w", err)
	}
	return t.folder.WriteFile(filepath.Join("profiles", p.Graph+".json"), b)
}

// forget drops what was measured of a model.
func (t *profileTable) forget(model store.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for graph, p := range t.byGraph {
		if p.Model == model {
			delete(t.byGraph, graph)
			os.Remove(filepath.Join(t.folder.Path(), "profiles", graph+".json")) // at worst it is read and never used
		}
	}
}

// profileLoop measures one graph after another.
func (n *Node) profileLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-n.profiles.queue:
			err := n.profile(ctx, job.model, job.shapes)
			if err != nil && ctx.Err() == nil {
				n.log.Warn("model not profiled", "model", job.model.Short(), "err", err)
			}
			if job.done != nil {
				job.done <- err
			}
		}
	}
}

// wantProfile queues a profile of a stored model for given shapes, without waiting.
func (n *Node) wantProfile(model store.Digest, shapes map[string][]int) {
	select {
	case n.profiles.queue <- profileJob{model: model, shapes: shapes}:
	default:
		n.log.Warn("too many models wait to be profiled", "model", model.Short())
	}
}

// ensureProfile waits until the model is profiled for the shapes.
func (n *Node) ensureProfile(ctx context.Context, model store.Digest, shapes map[string][]int) error {
	job := profileJob{model: model, shapes: shapes, done: make(chan error, 1)}
	select {
	case n.profiles.queue <- job:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-job.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return errStopped
	}
}

// profile measures a model on this node unless it is measured already, and publishes the outcome.
func (n *Node) profile(ctx context.Context, model store.Digest, shapes map[string][]int) error {
	c, err := n.graphs.get(ctx, model, shapes)
	if err != nil {
		n.peers.fail(model, err)
		return err
	}
	if p := n.profiles.get(c.digest); p != nil && p.Failure == "" && p.Speed == n.host.Speed() && n.fresh(p) {
		n.publishProfile(p)
		return nil
	}
	p := &graphProfile{Model: model, Graph: c.digest, Shapes: c.shapes, Speed: n.host.Speed()}
	timings, err := n.host.Measure(ctx, c.graph)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		p.Failure = strings.ReplaceAll(err.Error(), "\n", "; ")
		n.publishProfile(p)
		return errors.Join(err, n.profiles.put(p))
	}
	for _, t := range timings {
		p.Backends = append(p.Backends, placement.Profile{
			Backend: t.Backend, Version: t.Version, Groups: t.Groups, Total: t.Total, Border: t.Border,
		})
	}
	image := ""
	if name, err := n.names.Lookup(string(model)); err == nil {
		image = name.Image
	}
	specs := candidates(c.graph, image)
	found, err := n.host.Survey(ctx, c.graph, specs)
	if err != nil && ctx.Err() != nil {
		return err
	}
	p.Codings = map[split.ValueID][]planner.Coding{}
	for v, list := range found {
		for _, e := range list {
			p.Codings[v] = append(p.Codings[v], planner.Coding{
				Codec: e.Codec, Bytes: e.Bytes, Encode: e.Encode, Decode: e.Decode, Loss: e.Error,
			})
		}
	}
	n.log.Info("model profiled", "model", model.Short(), "graph", c.digest[:12], "groups", len(c.graph.Groups),
		"seconds", p.Backends[0].Total)
	n.publishProfile(p)
	return n.profiles.put(p)
}

// fresh reports whether a profile was made with the backends that the node has now.
func (n *Node) fresh(p *graphProfile) bool {
	if len(p.Backends) == 0 {
		return false
	}
	for _, b := range p.Backends {
		if v, ok := n.host.Version(b.Backend); !ok || v != b.Version {
			return false
		}
	}
	return true
}
