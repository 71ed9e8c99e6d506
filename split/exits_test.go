package split

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func TestExits(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		`[{"output":"y","share":1,"loss":0.1}]`: "",
		`[{"output":"y","share":0.5}]`:          "says not which",
		`[{"output":"y","share":0.5,"loss":0.1,"rule":"confidence","threshold":0.9}]`: "",
		`[{"output":"y","share":0.5,"rule":"confidence","threshold":1.5}]`:            "threshold 1.5",
		`[{"output":"y","share":0.5,"rule":"luck","threshold":0.5}]`:                  `rule "luck"`,
		`[{"output":"y","share":1,"scores":"odds"}]`:                                  `scores "odds"`,
		`[{"output":"z"}]`:                       `no output "z"`,
		`[{"output":"y","share":2}]`:             "share 2",
		`[{"output":"y","share":0.5,"loss":-1}]`: "loss -1",
		`{`:                                      "unexpected end",
		"[" + strings.Repeat(" ", MaxExitsBytes) + "]": "limit",
	} {
		b := NewBuilder("exits", 21)
		x := b.Input("x", Type{DType: tensor.Float32, Shape: tensor.Shape{3}})
		y := b.Value("y", Type{})
		b.Add(Op{Type: "Relu", Inputs: []ValueID{x}, Outputs: []ValueID{y}})
		b.Output(y)
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		g.Metadata = map[string]string{ExitsKey: text}
		exits, err := g.Exits()
		if want == "" {
			if err != nil || (len(exits) == 1) != (text != "") {
				t.Errorf("%s: %v, %v", text, exits, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrLimit) {
			t.Errorf("%.40s: %v, want %s", text, err, want)
		}
	}
}

// TestExitAnswers works the rules out on scores with known probabilities: logits 0 and ln 3 are 1/4 and 3/4, of entropy 0.5623.
func TestExitAnswers(t *testing.T) {
	ln3 := math.Log(3)
	for _, c := range []struct {
		exit   Exit
		scores []float64
		rows   int
		want   bool
	}{
		{Exit{}, []float64{0, 0}, 1, true},
		{Exit{Rule: RuleConfidence, Threshold: 0.74}, []float64{0, ln3}, 1, true},
		{Exit{Rule: RuleConfidence, Threshold: 0.76}, []float64{0, ln3}, 1, false},
		{Exit{Rule: RuleConfidence, Threshold: 0.74}, []float64{1000, 1000 + ln3}, 1, true},
		{Exit{Rule: RuleConfidence, Threshold: 0.74}, []float64{0, ln3, 0, 0}, 2, false},
		{Exit{Rule: RuleEntropy, Threshold: 0.57}, []float64{ln3, 0}, 1, true},
		{Exit{Rule: RuleEntropy, Threshold: 0.56}, []float64{ln3, 0}, 1, false},
		{Exit{Rule: RuleConfidence, Threshold: 0.76, Scores: ScoresProbabilities}, []float64{0.2, 0.8}, 1, true},
		{Exit{Rule: RuleConfidence, Threshold: 0.5}, []float64{math.NaN(), 1}, 1, false},
		{Exit{Rule: RuleEntropy, Threshold: 5}, []float64{math.Inf(1), math.Inf(1)}, 1, false},
	} {
		shape := tensor.Shape{c.rows, len(c.scores) / c.rows}
		var short []float32
		for _, x := range c.scores {
			short = append(short, float32(x))
		}
		for _, v := range []*tensor.Tensor{tensor.Of(tensor.Float64, shape, c.scores...), tensor.Of(tensor.Float32, shape, short...)} {
			if got := c.exit.Answers(v); got != c.want {
				t.Errorf("%+v of %v as %v: %v", c.exit, c.scores, v.DType(), got)
			}
		}
	}
	e := Exit{Rule: RuleEntropy, Threshold: 5}
	if e.Answers(tensor.Of(tensor.Int64, tensor.Shape{2}, int64(1), 2)) || e.Answers(tensor.Of(tensor.Float32, tensor.Shape{}, float32(1))) {
		t.Error("whole numbers, or a scalar, answer")
	}
}
