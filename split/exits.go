package split

import (
	"encoding/json"
	"fmt"
	"slices"
)

// ExitsKey is the key of a model's metadata that declares early exits: outputs that may answer a request before the model has run to
// its end. Its value is JSON, a list in order of depth:
//
//	[{"output": "logits_1", "share": 0.4, "loss": 0.01}, {"output": "logits_2", "share": 0.7, "loss": 0.002}]
const ExitsKey = "cleave.exits"

// MaxExitsBytes is the most bytes of the declaration that are read.
const MaxExitsBytes = 64 << 10

// Exit is one early exit as a model declares it.
type Exit struct {
	// Output is the graph output that answers.
	Output string `json:"output"`
	// Share is the share of requests that this exit or one before it is expected to answer, from 0 to 1; it never falls.
	Share float64 `json:"share"`
	// Loss is what answers given here cost in accuracy, compared with the model's end: a share of answers that change, or whatever else
	// codecs' losses are measured in.
	Loss float64 `json:"loss"`
}

// Exits are the early exits that the model declares; none is no error. It fails with ErrInvalid where the declaration is not as
// ExitsKey says, or names no output.
func (g *Graph) Exits() ([]Exit, error) {
	text := g.Metadata[ExitsKey]
	if text == "" {
		return nil, nil
	}
	if len(text) > MaxExitsBytes {
		return nil, fmt.Errorf("read %s: %w: %d bytes, limit %d", ExitsKey, ErrLimit, len(text), MaxExitsBytes)
	}
	var exits []Exit
	if err := json.Unmarshal([]byte(text), &exits); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", ExitsKey, ErrInvalid, err)
	}
	last := 0.0
	for _, e := range exits {
		if !slices.ContainsFunc(g.Outputs, func(v ValueID) bool { return g.Values[v].Name == e.Output }) {
			return nil, fmt.Errorf("read %s: %w", ExitsKey, invalid("the model has no output %q", e.Output))
		}
		if !(e.Share >= last && e.Share <= 1) || !(e.Loss >= 0) {
			return nil, fmt.Errorf("read %s: %w", ExitsKey, invalid("exit %q has share %g and loss %g: want a share of %g to 1 and no negative loss", e.Output, e.Share, e.Loss, last))
		}
		last = e.Share
	}
	return exits, nil
}
