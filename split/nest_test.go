package split

import (
	"errors"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// TestNestedLoops: loops in loops whose carried value grows make each level infer the one inside it again and again; that
// must end, with an answer or with ErrLimit.
func TestNestedLoops(t *testing.T) {
	scalar := func(d tensor.DType) Type { return Type{DType: d, Shape: tensor.Shape{}} }
	vector := Type{DType: tensor.Float32, Shape: tensor.Shape{2}}
	var inner *Graph
	for range 40 {
		b := NewBuilder("body", 21)
		b.Input("i", scalar(tensor.Int64))
		cond := b.Input("c", scalar(tensor.Bool))
		x := b.Input("x", vector)
		y := x
		if inner != nil {
			y = b.Op("Loop", map[string]Attr{"body": inner}, None, cond, x)
		}
		grown := b.Op("Concat", map[string]Attr{"axis": int64(0)}, y, x)
		b.Output(b.Op("Identity", nil, cond))
		b.Output(grown)
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		inner = g
	}
	b := NewBuilder("main", 21)
	y := b.Op("Loop", map[string]Attr{"body": inner}, None, None, b.Input("x", vector))
	b.Output(y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Specialize(g, nil)
	if err != nil && !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
	if err == nil {
		if got := s.Values[s.Outputs[0]].Type().String(); got != "float32 ?" {
			t.Errorf("the result is %s", got)
		}
	}
}
