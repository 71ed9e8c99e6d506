package split

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// TestHaloOracle compares the rows that a part of a sliding window needs, and its padding, with every window taken one by one.
func TestHaloOracle(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	checked := 0
	for try := range 5000 {
		size, kernel, stride, dilation := 1+rng.IntN(20), 1+rng.IntN(5), 1+rng.IntN(3), 1+rng.IntN(3)
		before, after := rng.IntN(4), rng.IntN(4)
		b := NewBuilder("halo", 21)
		x := b.Input("x", Type{DType: tensor.Float32, Shape: tensor.Shape{1, 1, size, 3}})
		y := b.Op("MaxPool", map[string]Attr{
			"kernel_shape": []int64{int64(kernel), 1}, "strides": []int64{int64(stride), 1}, "dilations": []int64{int64(dilation), 1},
			"pads": []int64{int64(before), 0, int64(after), 0},
		}, x)
		b.Output(y)
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = inferTypes(g); err != nil {
			continue // the window does not fit
		}
		rows := g.Values[y].Shape[2]
		if rows < 2 {
			continue
		}
		lo := rng.IntN(rows)
		s := span{2, lo, lo + 1 + rng.IntN(rows-lo)}
		first, last := size, -1 // rows of x between the first and the last that a window covers
		for r := s.lo; r < s.hi; r++ {
			for k := range kernel {
				at := r*stride - before + k*dilation
				first, last = min(first, max(at, 0)), max(last, min(at, size-1))
			}
		}
		d, err := g.divideOp(&g.Ops[0], s)
		if err != nil {
			if !errors.Is(err, ErrNotDivisible) {
				t.Fatalf("seed %d try %d: %v", seed, try, err)
			}
			continue
		}
		pads := d.attrs["pads"].([]int64)
		made := (d.need[0].hi - d.need[0].lo + int(pads[0]+pads[2]) - ((kernel-1)*dilation + 1)) / stride
		if d.need[0] != (span{2, first, last + 1}) || made+1 != s.hi-s.lo || pads[1] != 0 || pads[3] != 0 {
			t.Fatalf("seed %d try %d: size %d kernel %d stride %d dilation %d pads %d,%d rows %v: needs %v with pads %v, %d rows; want rows %d to %d",
				seed, try, size, kernel, stride, dilation, before, after, s, d.need[0], pads, made+1, first, last)
		}
		checked++
	}
	if checked < 2000 {
		t.Fatalf("only %d of 5000 windows could be checked", checked)
	}
}
