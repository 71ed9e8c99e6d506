package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
)

// ProfileFormat is the format that this version reads and writes.
const ProfileFormat = 1

// MaxProfile is the most bytes of a profile file that are read.
const MaxProfile = 64 << 20

// ErrProfile is wrapped when a profile file is damaged, of another format, or contradicts itself; the error says where.
var ErrProfile = errors.New("bad profile")

// Profile is what was measured of a model on a reference machine: everything that the simulator knows of it. Times are
// seconds on a machine of speed 1, sizes are bytes.
type Profile struct {
	Format int `json:"format"`
	// Model names it; Machine and Engine say where and with what the times were measured.
	Model   string `json:"model"`
	Machine string `json:"machine,omitempty"`
	Engine  string `json:"engine,omitempty"`
	// Spread is the standard deviation of a run's time relative to its mean; 0 makes devices exact.
	Spread float64 `json:"spread,omitempty"`
	// Transfer is seconds that each transfer takes beyond codec, bytes and delay.
	Transfer float64        `json:"transfer,omitempty"`
	Pieces   []PieceProfile `json:"pieces"`
	Values   []ValueProfile `json:"values"`
	// Nodes are times that nodes of a topology measured themselves, which then count instead of Seconds over speed.
	Nodes []NodeProfile `json:"nodes,omitempty"`
	// Exits are the model's early exits, by depth; requests leave at random by their shares.
	Exits []ExitProfile `json:"exits,omitempty"`
}

// ExitProfile is an early exit: an output, the share of requests that it or one before it answers, and what such an answer loses.
type ExitProfile struct {
	Value planner.ValueID `json:"value"`
	Share float64         `json:"share"`
	Loss  float64         `json:"loss,omitempty"`
}

// PlannerExits are the early exits as planners take them.
func (p *Profile) PlannerExits() []planner.Exit {
	var out []planner.Exit
	for _, e := range p.Exits {
		out = append(out, planner.Exit(e))
	}
	return out
}

// PieceProfile is one atomic part of the model; pieces stand in topological order.
type PieceProfile struct {
	Name    string            `json:"name"`
	Seconds float64           `json:"seconds"`
	Weights int64             `json:"weights,omitempty"`
	Work    int64             `json:"work,omitempty"`
	In      []planner.ValueID `json:"in"`
	Out     []planner.ValueID `json:"out"`
	Class   int               `json:"class,omitempty"`
}

// ValueProfile is one value and the ways it may travel.
type ValueProfile struct {
	Name   string `json:"name"`
	Output bool   `json:"output,omitempty"`
	// Raw marks a value that still shows the model's input as it is, such as the picture in another layout: the rule that
	// inputs stay holds for it, too. Inputs need no mark.
	Raw     bool            `json:"raw,omitempty"`
	Codings []CodingProfile `json:"codings"`
}

// CodingProfile is one measured way to carry a value.
type CodingProfile struct {
	Codec  string  `json:"codec"`
	Bytes  int64   `json:"bytes"`
	Encode float64 `json:"encode"` // seconds
	Decode float64 `json:"decode"` // seconds
	Loss   float64 `json:"loss,omitempty"`
}

// NodeProfile is what one node measured: seconds of each piece.
type NodeProfile struct {
	Name    string    `json:"name"`
	Seconds []float64 `json:"seconds"`
}

// ProfileOf is the profile that a planner's problem holds. The node that is quickest, scaled to speed 1, is the reference;
// every node that can run the whole model is listed with its own times.
func ProfileOf(p *planner.Problem) (*Profile, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("profile of %s: %w", p.Model, err)
	}
	reference := fastest(p)
	speed := p.Nodes[reference].Speed
	if speed == 0 {
		speed = 1
	}
	out := &Profile{Format: ProfileFormat, Model: p.Model}
	for _, piece := range p.Pieces {
		if math.IsInf(piece.Time[reference], 0) {
			return nil, fmt.Errorf("profile of %s: no node can run all of it, %s cannot run piece %s",
				p.Model, p.Nodes[reference].Name, piece.Name)
		}
		out.Pieces = append(out.Pieces, PieceProfile{
			Name: piece.Name, Seconds: piece.Time[reference] * speed, Weights: piece.Weights, Work: piece.Work,
			In: piece.In, Out: piece.Out, Class: piece.Class,
		})
	}
	for _, v := range p.Values {
		value := ValueProfile{Name: v.Name, Output: v.Output, Raw: v.Producer != planner.External && v.Stay != nil, Codings: []CodingProfile{}}
		for _, c := range v.Codings {
			value.Codings = append(value.Codings, CodingProfile(c))
		}
		out.Values = append(out.Values, value)
	}
	out.Transfer = medianOverhead(p.Paths)
	for n, node := range p.Nodes {
		own := NodeProfile{Name: node.Name}
		for _, piece := range p.Pieces {
			if !math.IsInf(piece.Time[n], 0) {
				own.Seconds = append(own.Seconds, piece.Time[n])
			}
		}
		if len(own.Seconds) == len(p.Pieces) {
			out.Nodes = append(out.Nodes, own)
		}
	}
	return out, nil
}

// medianOverhead is the middle one of the overheads between two nodes; 0 where there are none.
func medianOverhead(paths [][]planner.Path) float64 {
	var all []float64
	for a := range paths {
		for b := range paths[a] {
			if a != b {
				all = append(all, paths[a][b].Overhead)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// MarkRaw marks the values that another problem of the same model keeps at home: one that was made under the rule that inputs
// stay.
func (p *Profile) MarkRaw(q *planner.Problem) {
	stays := map[string]bool{}
	for _, v := range q.Values {
		stays[v.Name] = v.Producer != planner.External && v.Stay != nil
	}
	for i := range p.Values {
		p.Values[i].Raw = p.Values[i].Raw || stays[p.Values[i].Name]
	}
}

// fastest is the node that runs all pieces soonest.
func fastest(p *planner.Problem) planner.NodeID {
	best, least := planner.NodeID(0), math.Inf(1)
	for n := range p.Nodes {
		sum := 0.0
		for _, piece := range p.Pieces {
			sum += piece.Time[n]
		}
		if sum < least {
			best, least = planner.NodeID(n), sum
		}
	}
	return best
}

// LoadProfile reads and checks a profile file.
func LoadProfile(path string) (*Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open profile: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxProfile+1))
	if err != nil {
		return nil, fmt.Errorf("read profile %s: %w", path, err)
	}
	p, err := ParseProfile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ParseProfile reads and checks a profile. Its errors wrap ErrProfile.
func ParseProfile(data []byte) (*Profile, error) {
	if len(data) > MaxProfile {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrProfile, MaxProfile)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var p Profile
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the profile", ErrProfile)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return &p, nil
}

// Write writes the profile as JSON.
func (p *Profile) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(p)
}

func (p *Profile) check() error {
	switch {
	case p.Format != ProfileFormat:
		return fmt.Errorf("format is %d, this version reads %d: measure the profile again", p.Format, ProfileFormat)
	case len(p.Pieces) == 0 || len(p.Pieces) > planner.MaxPieces:
		return fmt.Errorf("%d pieces: want 1 to %d", len(p.Pieces), planner.MaxPieces)
	case len(p.Values) > planner.MaxValues:
		return fmt.Errorf("%d values: want at most %d", len(p.Values), planner.MaxValues)
	case !(p.Spread >= 0 && p.Spread < 1) || !(p.Transfer >= 0 && p.Transfer < 60):
		return fmt.Errorf("spread %g, transfer %g s: want a spread below 1 and a transfer below 60 s", p.Spread, p.Transfer)
	}
	for i, piece := range p.Pieces {
		if !(piece.Seconds >= 0) || math.IsInf(piece.Seconds, 0) {
			return fmt.Errorf("pieces[%d] (%s): seconds is %g", i, piece.Name, piece.Seconds)
		}
		for _, v := range append(append([]planner.ValueID{}, piece.In...), piece.Out...) {
			if v < 0 || int(v) >= len(p.Values) {
				return fmt.Errorf("pieces[%d] (%s): value %d of %d", i, piece.Name, v, len(p.Values))
			}
		}
	}
	for _, e := range p.Exits { // shares and losses are checked by the planner
		if e.Value < 0 || int(e.Value) >= len(p.Values) {
			return fmt.Errorf("exits: value %d of %d", e.Value, len(p.Values))
		}
	}
	for _, n := range p.Nodes {
		if len(n.Seconds) != len(p.Pieces) {
			return fmt.Errorf("nodes: %s has %d times of %d pieces", n.Name, len(n.Seconds), len(p.Pieces))
		}
	}
	return nil
}

// piecesOf are the times of all pieces on a node of the topology.
func (p *Profile) piecesOf(node string, speed float64) []float64 {
	for _, n := range p.Nodes {
		if n.Name == node {
			return n.Seconds
		}
	}
	out := make([]float64, len(p.Pieces))
	for i, piece := range p.Pieces {
		out[i] = piece.Seconds / speed
	}
	return out
}
