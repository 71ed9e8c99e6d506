package split

import (
	"errors"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func TestExits(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		`[{"output":"y","share":0.5,"loss":0.1}]`:      "",
		`[{"output":"z"}]`:                             `no output "z"`,
		`[{"output":"y","share":2}]`:                   "share 2",
		`[{"output":"y","share":0.5,"loss":-1}]`:       "loss -1",
		`{`:                                            "unexpected end",
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
