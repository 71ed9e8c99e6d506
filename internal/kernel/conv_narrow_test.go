package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestNarrowConvEqualsPart: a convolution with few output channels gives the bits that a wide one gives for those channels.
func TestNarrowConvEqualsPart(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(300) {
			s := randomConv(r, func() (int, int, int) { return 1 + r.IntN(20), narrowOutputs + 1 + r.IntN(20), 1 })
			if s.KW < 3 || s.StrideW != 1 {
				continue
			}
			pixels, k := s.N*s.OH*s.OW, s.C*s.KH*s.KW
			w, bias, residual := uniform(r, s.OC*k), uniform(r, s.OC), uniform(r, pixels*s.OC)
			c := &Conv{ConvShape: s, X: uniform(r, s.N*s.H*s.W*s.C), Weights: PackConv(w, s), Y: make([]float32, len(residual))}
			c.Bias, c.Residual, c.Act = bias, residual, convActs[r.IntN(len(convActs))]
			run(c)
			// Some of its channels, into an image of as many.
			o0 := r.IntN(s.OC - narrowOutputs)
			part := *c
			part.OC = 1 + r.IntN(narrowOutputs)
			o1 := o0 + part.OC
			part.Weights, part.Bias = PackConv(w[o0*k:o1*k], part.ConvShape), bias[o0:o1]
			if !part.Weights.narrow {
				t.Fatalf("%+v: not narrow", part.ConvShape)
			}
			part.Residual, part.RStride = residual[o0:], s.OC
			part.Y = make([]float32, pixels*part.OC)
			run(&part)
			for i, got := range part.Y {
				if want := c.Y[i/part.OC*s.OC+o0+i%part.OC]; math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("%+v: element %d is %v, and %v in the whole", part.ConvShape, i, got, want)
				}
			}
		}
	})
}

func TestNarrowUnits(t *testing.T) {
	r := seeded(t)
	s := square(50, 5, 3, 3, 1)
	c := &Conv{ConvShape: s, X: uniform(r, s.H*s.W*s.C), Weights: PackConv(uniform(r, s.OC*s.C*9), s), Y: make([]float32, s.H*s.W*s.OC)}
	run(c)
	whole := slices.Clone(c.Y)
	clear(c.Y)
	for u := c.Units() - 1; u >= 0; u-- {
		c.Run(u, u+1)
	}
	if !slices.Equal(whole, c.Y) {
		t.Fatal("units one by one differ from all at once")
	}
}

func BenchmarkNarrowConv(b *testing.B) {
	for _, s := range []ConvShape{square(224, 16, 3, 9, 1), square(160, 64, 2, 3, 1), square(40, 1, 1, 3, 1)} {
		b.Run(fmt.Sprintf("%dx%dto%d", s.H, s.C, s.OC), func(b *testing.B) {
			r := seeded(b)
			c := &Conv{ConvShape: s, X: uniform(r, s.H*s.W*s.C), Y: make([]float32, s.OH*s.OW*s.OC)}
			c.Weights = PackConv(uniform(r, s.OC*s.C*s.KH*s.KW), s)
			b.ReportAllocs()
			for b.Loop() {
				c.Run(0, c.Units())
			}
			b.ReportMetric(2*float64(s.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
