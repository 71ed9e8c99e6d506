package placement

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/transport"
)

// Limits of a recipe that comes from a peer.
const (
	MaxRecipe = 4 << 20 // bytes of JSON
	MaxStages = 4096
	MaxSends  = 65536
)

// ErrRecipe is wrapped when a recipe contradicts itself or the graph.
var ErrRecipe = errors.New("bad plan")

// Recipe is a plan as nodes carry it out. Its content is its identity: equal recipes have equal ids on every node.
type Recipe struct {
	// Model is the digest of the model file, Graph that of the canonical graph for Shapes.
	Model  string           `json:"model"`
	Graph  string           `json:"graph"`
	Shapes map[string][]int `json:"shapes"`
	// Entry is the node where the inputs are and where the outputs are wanted.
	Entry  transport.PeerID `json:"entry"`
	Stages []Stage          `json:"stages"`
	Sends  []Send           `json:"sends"`
}

// Stage is a convex set of groups that one node executes as one.
type Stage struct {
	Node    transport.PeerID `json:"node"`
	Backend string           `json:"backend"`
	Groups  []split.GroupID  `json:"groups"` // ascending
}

// Send is one value that goes from one node to another as soon as it is there.
type Send struct {
	Value split.ValueID    `json:"value"`
	From  transport.PeerID `json:"from"`
	To    transport.PeerID `json:"to"`
	Codec string           `json:"codec"` // a codec.Spec
}

// ID is a recipe's content address: the SHA-256 of its JSON.
type ID [sha256.Size]byte

// String is the address in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Wire is the part of the address that tensor headers carry.
func (id ID) Wire() uint64 { return binary.BigEndian.Uint64(id[:]) }

// Encode writes the recipe and gives its id.
func (r *Recipe) Encode() ([]byte, ID, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, ID{}, fmt.Errorf("encode plan: %w", err)
	}
	return b, sha256.Sum256(b), nil
}

// Decode reads a recipe. Its errors wrap ErrRecipe.
func Decode(b []byte) (*Recipe, ID, error) {
	if len(b) > MaxRecipe {
		return nil, ID{}, fmt.Errorf("%w: %d bytes, limit %d", ErrRecipe, len(b), MaxRecipe)
	}
	var r Recipe
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, ID{}, fmt.Errorf("%w: %w", ErrRecipe, err)
	}
	if len(r.Stages) > MaxStages || len(r.Sends) > MaxSends {
		return nil, ID{}, fmt.Errorf("%w: %d stages and %d sends, limits %d and %d", ErrRecipe, len(r.Stages), len(r.Sends), MaxStages, MaxSends)
	}
	return &r, sha256.Sum256(b), nil
}

// Check holds the recipe against the graph: ids are in range, and no group stands in two stages.
func (r *Recipe) Check(g *split.Graph) error {
	seen := make([]bool, len(g.Groups))
	for i, s := range r.Stages {
		if len(s.Groups) == 0 {
			return fmt.Errorf("%w: stage %d is empty", ErrRecipe, i)
		}
		for _, id := range s.Groups {
			if id < 0 || int(id) >= len(g.Groups) {
				return fmt.Errorf("%w: stage %d has group %d of %d", ErrRecipe, i, id, len(g.Groups))
			}
			if seen[id] {
				return fmt.Errorf("%w: group %d stands in two stages", ErrRecipe, id)
			}
			seen[id] = true
		}
	}
	for _, s := range r.Sends {
		if s.Value < 0 || int(s.Value) >= len(g.Values) {
			return fmt.Errorf("%w: value %d of %d is sent", ErrRecipe, s.Value, len(g.Values))
		}
	}
	return nil
}

// Participants are the nodes that run a stage or receive a value, each once, sorted.
func (r *Recipe) Participants() []transport.PeerID {
	var ids []transport.PeerID
	for _, s := range r.Stages {
		ids = append(ids, s.Node)
	}
	for _, s := range r.Sends {
		ids = append(ids, s.From, s.To)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
