package node

import (
	"container/list"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// maxGraphs is how many graphs, canonical or as declared, a node keeps in memory.
const maxGraphs = 16

// canonical is a model's canonical graph for concrete input shapes.
type canonical struct {
	model  store.Digest
	shapes map[string][]int // of every input, by name
	graph  *split.Graph
	digest string // hex
	// base and divided are the graph that this one is a division of, and how; nil for a model's own.
	base    *canonical
	divided *split.Divided
}

// graphs makes canonical graphs once and keeps those used last. It is safe for concurrent use.
type graphs struct {
	folder *store.Folder

	mu    sync.Mutex
	byKey map[string]*list.Element // guarded by mu; values are *graphEntry
	order *list.List               // guarded by mu
}

type graphEntry struct {
	key  string
	once sync.Once
	c    *canonical
	err  error
}

func newGraphs(f *store.Folder) *graphs {
	return &graphs{folder: f, byKey: map[string]*list.Element{}, order: list.New()}
}

// get is the canonical graph of a stored model. shapes binds inputs by name; an input that it leaves out takes its declared
// shape, with 1 for a first dimension that varies (the batch). It fails when another dimension stays open.
func (c *graphs) get(ctx context.Context, model store.Digest, shapes map[string][]int) (*canonical, error) {
	return c.keep(graphKey(model, shapes), func() (*canonical, error) { return c.build(model, shapes) })
}

// keep is the graph of a key, which is built when it is not there.
func (c *graphs) keep(key string, build func() (*canonical, error)) (*canonical, error) {
	c.mu.Lock()
	e, ok := c.byKey[key]
	if !ok {
		e = c.order.PushFront(&graphEntry{key: key})
		c.byKey[key] = e
		for c.order.Len() > maxGraphs {
			last := c.order.Back()
			delete(c.byKey, last.Value.(*graphEntry).key)
			c.order.Remove(last)
		}
	}
	c.order.MoveToFront(e)
	entry := e.Value.(*graphEntry)
	c.mu.Unlock()

	entry.once.Do(func() { entry.c, entry.err = build() })
	if entry.err != nil {
		c.mu.Lock()
		if c.byKey[key] == e { // a failure is not kept: the file may arrive or be pushed again
			delete(c.byKey, key)
			c.order.Remove(e)
		}
		c.mu.Unlock()
	}
	return entry.c, entry.err
}

func (c *graphs) build(model store.Digest, shapes map[string][]int) (*canonical, error) {
	g, err := c.declared(model)
	if err != nil {
		return nil, err
	}
	bound, err := bind(g, shapes)
	if err != nil {
		return nil, err
	}
	if g, err = backends.Prepare(g, bound); err != nil {
		return nil, fmt.Errorf("prepare model: %w", err)
	}
	d := g.Digest()
	all := make(map[string][]int, len(bound))
	for name, s := range bound {
		all[name] = s
	}
	return &canonical{model: model, shapes: all, graph: g, digest: hex.EncodeToString(d[:])}, nil
}

// bind is a shape for each input of g.
func bind(g *split.Graph, shapes map[string][]int) (map[string]tensor.Shape, error) {
	bound := map[string]tensor.Shape{}
	for _, id := range g.Inputs {
		v := &g.Values[id]
		if s, ok := shapes[v.Name]; ok {
			bound[v.Name] = slices.Clone(s)
			continue
		}
		s := v.Shape.Clone()
		if len(s) > 0 && s[0] < 0 {
			s[0] = 1
		}
		if v.Shape == nil || !s.Known() {
			return nil, fmt.Errorf("input %q has the shape %v: state every size", v.Name, v.Shape)
		}
		bound[v.Name] = s
	}
	for name := range shapes {
		if _, ok := bound[name]; !ok {
			return nil, fmt.Errorf("the model has no input %q: it has %s", name, strings.Join(inputNames(g), ", "))
		}
	}
	return bound, nil
}

func inputNames(g *split.Graph) []string {
	var names []string
	for _, id := range g.Inputs {
		names = append(names, g.Values[id].Name)
	}
	return names
}

// declared is a stored model as its file declares it, without shapes bound. Its weights stay in the file, which is mapped.
func (c *graphs) declared(model store.Digest) (*split.Graph, error) {
	d, err := c.keep(string(model)+" declared", func() (*canonical, error) {
		path, err := c.folder.ModelFile(model)
		if err != nil {
			return nil, err
		}
		g, err := onnx.LoadAlone(path)
		if err != nil {
			return nil, fmt.Errorf("read model: %w", err)
		}
		return &canonical{model: model, graph: g}, nil
	})
	if err != nil {
		return nil, err
	}
	return d.graph, nil
}

// forget drops what is kept of a model.
func (c *graphs) forget(model store.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.byKey {
		if strings.HasPrefix(key, string(model)+" ") {
			delete(c.byKey, key)
			c.order.Remove(e)
		}
	}
}

func graphKey(model store.Digest, shapes map[string][]int) string {
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(string(model) + " ")
	for _, name := range names {
		fmt.Fprintf(&b, "%q%v", name, shapes[name])
	}
	return b.String()
}
