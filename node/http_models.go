package node

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/split"
)

func (n *Node) getModels(w http.ResponseWriter, _ *http.Request) error {
	out := client.Models{Models: []client.Model{}}
	for _, name := range n.names.List() {
		if !name.Deleted {
			out.Models = append(out.Models, n.modelDocument(name))
		}
	}
	return write(w, out)
}

func (n *Node) getModel(w http.ResponseWriter, r *http.Request) error {
	name, err := n.names.Lookup(r.PathValue("model"))
	if err != nil {
		return err
	}
	return write(w, n.modelDocument(name))
}

func (n *Node) putModel(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	image := q.Get("image")
	if image != "" {
		if _, err := codec.Parse("jpeg:" + image); err != nil {
			return &statusError{http.StatusBadRequest, "bad image: " + err.Error()}
		}
	}
	entry, err := n.push(r.Context(), r.PathValue("model"), image, http.MaxBytesReader(w, r.Body, store.MaxModel))
	if err != nil {
		return err
	}
	if q.Get("local") != "true" {
		n.tellNames(entry)
	}
	return write(w, n.modelDocument(entry))
}

func (n *Node) putCalibration(w http.ResponseWriter, r *http.Request) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, store.MaxCalibration))
	if err != nil {
		return err
	}
	entry, err := n.calibrateModel(r.Context(), r.PathValue("model"), b)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("local") != "true" {
		n.tellNames(entry)
	}
	return write(w, n.modelDocument(entry))
}

func (n *Node) deleteModel(w http.ResponseWriter, r *http.Request) error {
	if err := n.remove(r.PathValue("model")); err != nil {
		return err
	}
	return write(w, struct{}{})
}

func (n *Node) pullModel(w http.ResponseWriter, r *http.Request) error {
	name, err := n.names.Lookup(r.PathValue("model"))
	if err != nil {
		return err
	}
	if err := n.fetch(r.Context(), name.Digest); err != nil {
		return err
	}
	n.wantProfile(name.Digest, nil)
	return write(w, n.modelDocument(name))
}

// modelDocument is a model and its state on every node.
func (n *Node) modelDocument(name store.Name) client.Model {
	d := client.Model{Name: name.Name, Digest: string(name.Digest), Size: name.Size, Image: name.Image, Nodes: n.peers.modelAt(name.Digest)}
	if n.folder.HasModel(name.Digest) {
		if g, err := n.graphs.declared(name.Digest); err == nil {
			d.Inputs, d.Outputs = ports(g, g.Inputs), ports(g, g.Outputs)
		}
	}
	if name.Calibration != "" {
		d.Calibration = &client.Calibration{Digest: string(name.Calibration)}
		if k := n.calibrations.get(name.Calibration); k != nil {
			f := k.file
			d.Calibration.Graph, d.Calibration.Task, d.Calibration.Judged = f.Digest, f.Task, f.Judged
			d.Calibration.Values, d.Calibration.Tables = len(f.Values), len(f.Tables)
		}
	}
	for _, p := range n.profiles.all() {
		if p.Model == name.Digest && len(p.Backends) > 0 {
			d.Graph = &client.GraphInfo{Digest: p.Graph, Groups: len(p.Backends[0].Groups)}
		}
	}
	return d
}

func ports(g *split.Graph, ids []split.ValueID) []client.Port {
	var out []client.Port
	for _, id := range ids {
		v := &g.Values[id]
		out = append(out, client.Port{Name: v.Name, DType: v.DType.String(), Shape: append([]int{}, v.Shape...)})
	}
	return out
}

// modelAt is a model's state on every node that is known.
func (d *directory) modelAt(m store.Digest) []client.ModelAt {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []client.ModelAt{}
	for _, p := range d.peers {
		at := client.ModelAt{Node: p.info.Name, Holds: contains(p.models.Holds, m), Error: p.models.Failed[m]}
		for _, g := range p.profiles {
			if g.Model != m {
				continue
			}
			at.Error = max(at.Error, g.Failure)
			for _, b := range g.Backends {
				at.Profiles = append(at.Profiles, client.ModelProfile{Backend: b.Backend, MS: b.Total * 1e3, Groups: len(b.Groups)})
			}
		}
		out = append(out, at)
	}
	slices.SortFunc(out, func(a, b client.ModelAt) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// nodeDocuments lists the nodes, by name.
func (d *directory) nodeDocuments() []client.Node {
	self := d.n.mesh.ID()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []client.Node{}
	for id, p := range d.peers {
		doc := client.Node{
			ID: string(id), Name: p.info.Name, State: stateName(p.State), Self: id == self, Role: p.Role.String(), Addrs: p.Addrs,
			PID: p.info.PID, Version: p.info.Version, Platform: p.info.Platform, API: p.info.API, Backends: p.info.Backends,
			Speed: p.info.Speed, Cores: p.info.Cores, Memory: p.info.Memory,
		}
		if doc.State == "alive" && d.suspects[id] {
			doc.State = "suspect"
		}
		if doc.Self {
			doc.Load = d.n.host.Load()
		}
		for _, m := range p.models.Holds {
			doc.Holds = append(doc.Holds, string(m))
		}
		for _, g := range p.profiles {
			if len(g.Backends) > 0 && !contains(doc.Profiled, string(g.Model)) {
				doc.Profiled = append(doc.Profiled, string(g.Model))
			}
		}
		slices.Sort(doc.Profiled)
		out = append(out, doc)
	}
	slices.SortFunc(out, func(a, b client.Node) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return out
}

func stateName(s member.State) string {
	if s == member.Failed {
		return "dead"
	}
	return s.String()
}

// sessionDocuments lists the requests that entered here and those in which this node only takes part.
func (n *Node) sessionDocuments() []client.Session {
	out := n.runs.sessionDocuments()
	n.flights.each(func(f *flight) {
		if f.entry == nil {
			out = append(out, client.Session{
				ID: f.id.String(), Model: f.frame.c.model.Short(), Plan: fmt.Sprintf("frame %.12s", f.frame.id), Role: "stage", State: "running", Since: f.began,
			})
		}
	})
	return out
}
