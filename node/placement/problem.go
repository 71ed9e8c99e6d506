package placement

import (
	"fmt"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/transport"
)

// Machine is a node as a candidate for stages.
type Machine struct {
	ID   transport.PeerID
	Name string
	// Speed scales codec times, see planner.Node.
	Speed  float64
	Memory int64   // bytes; 0 means no limit
	Load   float64 // in [0, 1)
	Power  float64 // watts; 0 means not counted
	Price  float64 // per second
	// Profiles are what the node measured of this graph, one for each backend. A node without any runs nothing.
	Profiles []Profile
}

// Profile is what one node measured of one canonical graph under one backend.
type Profile struct {
	Backend string `json:"backend"`
	// Version is the backend's; a profile of another version is stale.
	Version string `json:"version"`
	// Groups is seconds per group, parallel to the graph's; they add up to Total, the seconds of the whole graph run as one.
	Groups []float64 `json:"groups"`
	Total  float64   `json:"total"`
	// Border is the seconds that a byte which crosses between two stages costs both together beyond their groups' times, on a
	// machine of Speed 1.
	Border float64 `json:"border"`
}

// Question is everything that a problem is made from.
type Question struct {
	Model    string
	Graph    *split.Graph
	Machines []Machine
	// Entry is the index of the machine where the inputs are and the outputs are wanted.
	Entry int
	// Paths[a][b] is the way from machine a to machine b.
	Paths [][]planner.Path
	// Codings are the ways in which a value may travel; none pins its producer and consumers together.
	Codings   func(v split.ValueID) []planner.Coding
	Objective planner.Objective
	Limits    planner.Limits
	// InputsStay keeps the model's inputs, and whatever still is raw data (split.Graph.Raw), on the entry.
	InputsStay bool
	// Avoid are machines that run nothing.
	Avoid []int
}

// Problem states the question in the planner's terms. The frame says what its indices mean; the caller fills in Model, Graph
// and Shapes.
func (q *Question) Problem() (*planner.Problem, *Frame, error) {
	if q.Entry < 0 || q.Entry >= len(q.Machines) {
		return nil, nil, fmt.Errorf("state problem: entry %d of %d machines", q.Entry, len(q.Machines))
	}
	b := builder{
		q: q, g: q.Graph, frame: &Frame{}, value: map[split.ValueID]planner.ValueID{}, raw: q.Graph.Raw(),
		p: &planner.Problem{
			Model: q.Model, Paths: q.Paths, Source: planner.NodeID(q.Entry), Sink: planner.NodeID(q.Entry),
			Objective: q.Objective, Limits: q.Limits,
		},
	}
	for _, m := range q.Machines {
		b.p.Nodes = append(b.p.Nodes, planner.Node{
			Name: m.Name, Speed: m.Speed, Memory: m.Memory, Load: m.Load, Power: m.Power, Price: m.Price,
		})
		b.frame.Nodes = append(b.frame.Nodes, m.ID)
		backend := ""
		if best := Fastest(m.Profiles, len(q.Graph.Groups)); best != nil {
			backend = best.Backend
		}
		b.frame.Backends = append(b.frame.Backends, backend)
	}
	b.wanted()
	for i := range b.g.Groups {
		if b.need[i] {
			b.piece(split.GroupID(i))
		}
	}
	if err := b.outputs(); err != nil {
		return nil, nil, err
	}
	b.classes()
	return b.p, b.frame, nil
}

type builder struct {
	q     *Question
	g     *split.Graph
	p     *planner.Problem
	frame *Frame
	value map[split.ValueID]planner.ValueID
	need  []bool // by group: it has to run
	raw   []bool // by value: it shows the model's inputs
}

// wanted walks the groups backwards and marks those that somebody still needs.
func (b *builder) wanted() {
	needed := map[split.ValueID]bool{}
	for _, v := range b.g.Outputs {
		needed[v] = true
	}
	b.need = make([]bool, len(b.g.Groups))
	for i := len(b.g.Groups) - 1; i >= 0; i-- {
		g := &b.g.Groups[i]
		for _, v := range g.Out {
			b.need[i] = b.need[i] || needed[v]
		}
		if b.need[i] {
			for _, v := range g.In {
				needed[v] = true
			}
		}
	}
}

// external adds a value that exists before the first piece runs.
func (b *builder) external(v split.ValueID) planner.ValueID {
	if id, ok := b.value[v]; ok {
		return id
	}
	return b.add(v, planner.External)
}

func (b *builder) add(v split.ValueID, producer planner.PieceID) planner.ValueID {
	id := planner.ValueID(len(b.p.Values))
	b.value[v] = id
	b.frame.Values = append(b.frame.Values, v)
	codings := b.q.Codings(v)
	var specs []string
	for _, c := range codings {
		specs = append(specs, c.Codec)
	}
	b.frame.Codecs = append(b.frame.Codecs, specs)
	val := planner.Value{Name: b.g.Values[v].Name, Producer: producer, Codings: codings}
	if b.q.InputsStay && b.raw[v] {
		val.Stay = []planner.NodeID{planner.NodeID(b.q.Entry)}
	}
	b.p.Values = append(b.p.Values, val)
	return id
}

func (b *builder) piece(id split.GroupID) {
	g := &b.g.Groups[id]
	pid := planner.PieceID(len(b.p.Pieces))
	piece := planner.Piece{Name: g.Name, Time: make([]float64, len(b.q.Machines)), Backend: make([]string, len(b.q.Machines))}
	cost := b.g.GroupCost(id)
	// A cost of -1 is not known from shapes; it counts as nothing.
	piece.Weights, piece.Work = max(cost.Weights, 0), max(cost.Read, 0)+max(cost.Written, 0)
	for n := range b.q.Machines {
		piece.Time[n], piece.Backend[n] = b.seconds(n, id)
	}
	for _, v := range g.In {
		val, ok := b.value[v]
		if !ok {
			val = b.external(v)
		}
		piece.In = append(piece.In, val)
		b.p.Values[val].Consumers = append(b.p.Values[val].Consumers, pid)
	}
	for _, v := range g.Out {
		piece.Out = append(piece.Out, b.add(v, pid))
	}
	b.frame.Groups = append(b.frame.Groups, id)
	b.p.Pieces = append(b.p.Pieces, piece)
}

// seconds is the group's time on machine n under the backend that runs the whole graph fastest there.
func (b *builder) seconds(n int, id split.GroupID) (float64, string) {
	best := Fastest(b.q.Machines[n].Profiles, len(b.g.Groups))
	if best == nil || slices.Contains(b.q.Avoid, n) {
		return math.Inf(1), ""
	}
	return best.Groups[id], best.Backend
}

// Fastest is the profile with the least time for the whole graph of the given number of groups, or nil.
func Fastest(profiles []Profile, groups int) *Profile {
	var best *Profile
	for i := range profiles {
		if p := &profiles[i]; len(p.Groups) == groups && (best == nil || p.Total < best.Total) {
			best = p
		}
	}
	return best
}

// outputs marks the model's outputs. One that is an input or constant itself needs no plan.
func (b *builder) outputs() error {
	for _, v := range b.g.Outputs {
		if id, ok := b.value[v]; ok {
			b.p.Values[id].Output = true
			continue
		}
		if b.g.Values[v].Const == nil && !slices.Contains(b.g.Inputs, v) {
			return fmt.Errorf("state problem: no group makes output %q", b.g.Values[v].Name)
		}
	}
	return nil
}

// classes ties together the pieces around each value that cannot travel, and constants to where they are read.
func (b *builder) classes() {
	parent := make([]int, len(b.p.Pieces))
	for i := range parent {
		parent[i] = i
	}
	var find func(int) int
	find = func(i int) int {
		if parent[i] != i {
			parent[i] = find(parent[i])
		}
		return parent[i]
	}
	tied := make([]bool, len(b.p.Pieces))
	// A piece without inputs makes a constant: it runs where the constant is first read.
	for i := range b.p.Pieces {
		if len(b.p.Pieces[i].In) > 0 {
			continue
		}
		for _, v := range b.p.Pieces[i].Out {
			if readers := b.p.Values[v].Consumers; len(readers) > 0 {
				parent[find(i)] = find(int(readers[0]))
				tied[i], tied[readers[0]] = true, true
				break
			}
		}
	}
	entry := -1 // the class that has to be on the entry
	for i := range b.p.Values {
		v := &b.p.Values[i]
		if len(v.Codings) > 0 {
			continue
		}
		members := slices.Clone(v.Consumers)
		if v.Producer != planner.External {
			members = append(members, v.Producer)
		}
		for _, m := range members {
			parent[find(int(m))] = find(int(members[0]))
			tied[m] = true
		}
		if len(members) > 0 && (v.Output || v.Producer == planner.External) {
			if entry >= 0 {
				parent[find(int(members[0]))] = find(entry)
			}
			entry = find(int(members[0]))
		}
	}
	for i := range b.p.Pieces {
		if tied[i] {
			b.p.Pieces[i].Class = find(i) + 1
			if entry >= 0 && find(i) == find(entry) {
				b.p.Pieces[i].Pin = []planner.NodeID{b.p.Source}
			}
		}
	}
}

// Travels reports whether the value can cross a stage boundary at all: a tensor of a fixed-width type whose size is known.
func Travels(v *split.Value) bool {
	if v.Kind != split.TensorKind || !v.DType.Valid() || v.Shape == nil {
		return false
	}
	_, err := tensor.Bytes(v.DType, v.Shape)
	return err == nil
}

// Machine finds the index of a machine by name or id; -1 when there is none.
func (q *Question) Machine(nameOrID string) int {
	return slices.IndexFunc(q.Machines, func(m Machine) bool { return m.Name == nameOrID || string(m.ID) == nameOrID })
}
