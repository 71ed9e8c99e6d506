package split

import (
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func TestRawEndsAtTheFirstMixingOp(t *testing.T) {
	picture := tensor.Shape{1, 4, 4, 3}
	g := &Graph{
		Values: []Value{
			{Name: "picture", Shape: picture}, {Name: "transposed"}, {Name: "scaled"}, {Name: "features"}, {Name: "active"}, {Name: "weights"},
		},
		Inputs: []ValueID{0},
		Ops: []Op{
			{Type: "Transpose", Inputs: []ValueID{0}, Outputs: []ValueID{1}},
			{Type: "Mul", Inputs: []ValueID{1, 5}, Outputs: []ValueID{2}},
			{Type: "Conv", Inputs: []ValueID{2, 5, None}, Outputs: []ValueID{3}},
			{Type: "Relu", Inputs: []ValueID{3}, Outputs: []ValueID{4}},
		},
	}
	want := []bool{true, true, true, false, false, false}
	for v, raw := range g.Raw() {
		if raw != want[v] {
			t.Errorf("%s: raw is %v, want %v", g.Values[v].Name, raw, want[v])
		}
	}
}
