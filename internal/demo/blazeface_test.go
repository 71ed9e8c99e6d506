package demo

import (
	"math"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// fourOutputs is BlazeFace's outputs with no face in them.
func fourOutputs() []*tensor.Tensor {
	var out []*tensor.Tensor
	for _, g := range anchorGrids {
		scores, _ := tensor.New(tensor.Float32, tensor.Shape{1, g.side, g.side, g.perCell})
		boxes, _ := tensor.New(tensor.Float32, tensor.Shape{1, g.side, g.side, g.perCell * boxFloats})
		for i := range tensor.Data[float32](scores) {
			tensor.Data[float32](scores)[i] = -100
		}
		out = append(out, scores, boxes)
	}
	return out
}

func TestFacesDecodesAnchorAndOffsets(t *testing.T) {
	out := fourOutputs()
	// The coarse grid, row 2, column 3, anchor 5: its centre is at (3.5/8, 2.5/8).
	a := (2*8+3)*6 + 5
	tensor.Data[float32](out[2])[a] = 2
	copy(tensor.Data[float32](out[3])[a*boxFloats:], []float32{6.4, -3.2, 32, 64})

	found, err := faces(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("found %d faces, want 1", len(found))
	}
	x, y := 3.5/8+6.4/128, 2.5/8-3.2/128
	want := face{1 / (1 + math.Exp(-2)), x - 0.125, y - 0.25, x + 0.125, y + 0.25}
	for i, d := range []float64{
		found[0].Score - want.Score, found[0].Left - want.Left, found[0].Top - want.Top,
		found[0].Right - want.Right, found[0].Bottom - want.Bottom,
	} {
		if math.Abs(d) > 1e-6 { // float32 offsets
			t.Errorf("field %d: got %+v, want %+v", i, found[0], want)
		}
	}
}

func TestFacesBlendsBoxesOfOneFace(t *testing.T) {
	out := fourOutputs()
	for i, cell := range []int{5*16 + 5, 5*16 + 6, 12*16 + 12} { // two neighbours and one far away
		a := cell * 2
		tensor.Data[float32](out[0])[a] = float32(3 + i)
		copy(tensor.Data[float32](out[1])[a*boxFloats:], []float32{0, 0, 40, 40})
	}
	found, err := faces(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 {
		t.Fatalf("found %d faces %+v, want 2", len(found), found)
	}
}

func TestFacesRefusesOtherModels(t *testing.T) {
	if _, err := faces(fourOutputs()[:3]); err == nil {
		t.Fatal("outputs of another model were accepted")
	}
}
