package placement

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/transport"
)

// Limits of a frame that comes from a peer.
const (
	MaxFrame  = 4 << 20 // bytes of JSON
	MaxPieces = 1 << 16
	MaxValues = 1 << 18
	MaxNodes  = 4096
)

// ErrFrame is wrapped when a frame contradicts itself or the graph.
var ErrFrame = errors.New("bad plan frame")

// Frame is what the indices of a plan mean.
type Frame struct {
	// Model is the digest of the model file, Graph that of the canonical graph for Shapes.
	Model  string           `json:"model"`
	Graph  string           `json:"graph"`
	Shapes map[string][]int `json:"shapes,omitempty"`
	// Nodes and Backends are by planner.NodeID: who it is, and which engine it runs stages with.
	Nodes    []transport.PeerID `json:"nodes"`
	Backends []string           `json:"backends"`
	// Groups is by planner.PieceID.
	Groups []split.GroupID `json:"groups"`
	// Values and Codecs are by planner.ValueID: the graph's value, and the codec spec of each of its codings.
	Values []split.ValueID `json:"values"`
	Codecs [][]string      `json:"codecs"`
	// Divisions are the blocks of the model's canonical graph that are divided; Graph is the divided one's digest then.
	Divisions []split.Division `json:"divisions,omitempty"`
	// Calibration is the digest of the calibration file whose tables the codecs use; "" when they use none.
	Calibration string `json:"calibration,omitempty"`
}

// ID is a frame's content address.
type ID [sha256.Size]byte

// String is the address in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Wire is the part of the address that tensor headers carry.
func (id ID) Wire() uint64 { return binary.BigEndian.Uint64(id[:]) }

// Encode writes the frame and gives its id.
func (f *Frame) Encode() ([]byte, ID, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, ID{}, fmt.Errorf("encode plan frame: %w", err)
	}
	return b, sha256.Sum256(b), nil
}

// Decode reads a frame. Its errors wrap ErrFrame.
func Decode(b []byte) (*Frame, ID, error) {
	if len(b) > MaxFrame {
		return nil, ID{}, fmt.Errorf("%w: %d bytes, limit %d", ErrFrame, len(b), MaxFrame)
	}
	var f Frame
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, ID{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	switch {
	case len(f.Groups) > MaxPieces || len(f.Values) > MaxValues || len(f.Nodes) > MaxNodes:
		return nil, ID{}, fmt.Errorf("%w: %d pieces, %d values, %d nodes; limits %d, %d, %d", ErrFrame,
			len(f.Groups), len(f.Values), len(f.Nodes), MaxPieces, MaxValues, MaxNodes)
	case len(f.Backends) != len(f.Nodes) || len(f.Codecs) != len(f.Values):
		return nil, ID{}, fmt.Errorf("%w: %d backends of %d nodes, %d codings of %d values", ErrFrame,
			len(f.Backends), len(f.Nodes), len(f.Codecs), len(f.Values))
	}
	return &f, sha256.Sum256(b), nil
}

// Check holds the frame against the graph that it names.
func (f *Frame) Check(g *split.Graph) error {
	seen := make([]bool, len(g.Groups))
	for i, id := range f.Groups {
		if id < 0 || int(id) >= len(g.Groups) || seen[id] {
			return fmt.Errorf("%w: piece %d is group %d of %d, or has it beside another", ErrFrame, i, id, len(g.Groups))
		}
		seen[id] = true
	}
	for i, id := range f.Values {
		if id < 0 || int(id) >= len(g.Values) {
			return fmt.Errorf("%w: value %d is %d of %d in the graph", ErrFrame, i, id, len(g.Values))
		}
	}
	return nil
}

// Node is the index of a peer; -1 when it is not in the frame.
func (f *Frame) Node(id transport.PeerID) planner.NodeID {
	return planner.NodeID(slices.Index(f.Nodes, id))
}

// Part is the frame of a problem that has only some of the pieces and values, in the given order.
func (f *Frame) Part(pieces []planner.PieceID, values []planner.ValueID) *Frame {
	out := *f
	out.Groups, out.Values, out.Codecs = nil, nil, nil
	for _, id := range pieces {
		out.Groups = append(out.Groups, f.Groups[id])
	}
	for _, v := range values {
		out.Values = append(out.Values, f.Values[v])
		out.Codecs = append(out.Codecs, f.Codecs[v])
	}
	return &out
}

// GroupsOf are the graph's groups of some pieces, ascending.
func (f *Frame) GroupsOf(pieces []planner.PieceID) ([]split.GroupID, error) {
	groups := make([]split.GroupID, len(pieces))
	for i, p := range pieces {
		if p < 0 || int(p) >= len(f.Groups) {
			return nil, fmt.Errorf("%w: piece %d of %d", ErrFrame, p, len(f.Groups))
		}
		groups[i] = f.Groups[p]
	}
	slices.Sort(groups)
	return groups, nil
}

// ValueOf is the plan's index of a value of the graph; -1 when it is not in the frame.
func (f *Frame) ValueOf(v split.ValueID) planner.ValueID {
	return planner.ValueID(slices.Index(f.Values, v))
}

// Codec is the spec of a value's coding.
func (f *Frame) Codec(v planner.ValueID, coding int) (string, error) {
	if v < 0 || int(v) >= len(f.Codecs) || coding < 0 || coding >= len(f.Codecs[v]) {
		return "", fmt.Errorf("%w: coding %d of value %d", ErrFrame, coding, v)
	}
	return f.Codecs[v][coding], nil
}
