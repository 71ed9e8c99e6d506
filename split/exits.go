package split

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// ExitsKey is the key of a model's metadata that declares early exits: outputs that may answer a request before the model has run to
// its end. Its value is JSON, a list in order of depth:
//
//	[{"output": "logits_1", "share": 0.4, "loss": 0.01, "rule": "confidence", "threshold": 0.8},
//	 {"output": "logits_2", "share": 0.7, "loss": 0.002, "rule": "confidence", "threshold": 0.8}]
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
	// Rule says which requests leave here; "" for an exit of share 1, which answers all that reach it.
	Rule ExitRule `json:"rule,omitempty"`
	// Threshold is what Rule compares with.
	Threshold float64 `json:"threshold,omitempty"`
	// Scores says what the output holds: "" for logits, ScoresProbabilities for numbers that add up to 1.
	Scores string `json:"scores,omitempty"`
}

// ExitRule is how an exit's output decides whether it answers.
type ExitRule string

const (
	// RuleConfidence answers where the largest probability is at least the threshold, as MSDNet and SPINN do.
	RuleConfidence ExitRule = "confidence"
	// RuleEntropy answers where the entropy of the probabilities, in nats, is at most the threshold, as BranchyNet does.
	RuleEntropy ExitRule = "entropy"
)

// ScoresProbabilities is Exit.Scores of an output that has gone through softmax already.
const ScoresProbabilities = "probabilities"

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
		if err := e.checkRule(); err != nil {
			return nil, fmt.Errorf("read %s: %w", ExitsKey, err)
		}
		last = e.Share
	}
	return exits, nil
}

func (e *Exit) checkRule() error {
	switch {
	case e.Scores != "" && e.Scores != ScoresProbabilities:
		return invalid("exit %q has scores %q: leave it out for logits, or write %q", e.Output, e.Scores, ScoresProbabilities)
	case e.Rule == "" && e.Share == 1:
		return nil
	case e.Rule == "":
		return invalid("exit %q answers a share of %g and says not which: give it a rule (%s or %s) and a threshold", e.Output, e.Share, RuleConfidence, RuleEntropy)
	case e.Rule != RuleConfidence && e.Rule != RuleEntropy:
		return invalid("exit %q has rule %q: use %s or %s", e.Output, e.Rule, RuleConfidence, RuleEntropy)
	case !(e.Threshold > 0) || math.IsInf(e.Threshold, 0) || e.Rule == RuleConfidence && e.Threshold > 1:
		return invalid("exit %q has threshold %g: a confidence is in (0, 1], an entropy above 0", e.Output, e.Threshold)
	}
	return nil
}

// Answers tells whether the exit's output, scores over the last axis, answers the request by the exit's rule: each row of scores has to.
// An output that holds something else than finite scores does not. It reads t alone.
//
// Sources: BranchyNet (Teerapittayanon et al., ICPR 2016), MSDNet (Huang et al., ICLR 2018), SPINN (Laskaridis et al., MobiCom 2020).
func (e *Exit) Answers(t *tensor.Tensor) bool {
	if e.Rule == "" {
		return true
	}
	scores, ok := floats(t)
	classes := 0
	if s := t.Shape(); len(s) > 0 {
		classes = s[len(s)-1]
	}
	if !ok || classes == 0 || len(scores) == 0 || len(scores)%classes != 0 {
		return false
	}
	for row := range slices.Chunk(scores, classes) {
		top, entropy := sureness(row, e.Scores == ScoresProbabilities)
		switch e.Rule {
		case RuleConfidence:
			ok = top >= e.Threshold
		case RuleEntropy:
			ok = entropy <= e.Threshold
		}
		if !ok {
			return false
		}
	}
	return true
}

// sureness is the largest probability and the entropy in nats of one row of scores; NaN for scores that are not finite.
func sureness(row []float64, probabilities bool) (top, entropy float64) {
	high, sum := slices.Max(row), 0.0
	p := slices.Clone(row)
	for k := range p {
		if !probabilities {
			p[k] = math.Exp(p[k] - high)
		}
		sum += p[k]
	}
	for _, x := range p {
		x /= sum
		top = max(top, x)
		if x != 0 {
			entropy -= x * math.Log(x)
		}
	}
	return top, entropy
}

// floats are the elements of a tensor of floating-point scores.
func floats(t *tensor.Tensor) ([]float64, bool) {
	switch t.DType() {
	case tensor.Float32:
		out := make([]float64, 0, len(tensor.Data[float32](t)))
		for _, x := range tensor.Data[float32](t) {
			out = append(out, float64(x))
		}
		return out, true
	case tensor.Float64:
		return tensor.Data[float64](t), true
	}
	return nil, false
}
