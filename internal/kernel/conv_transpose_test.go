package kernel

import (
	"fmt"
	"slices"
	"testing"
)

func TestConvTranspose(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(200) {
			g := 1 + r.IntN(2)
			s := ConvShape{
				N: 1 + r.IntN(2), H: 1 + r.IntN(7), W: 1 + r.IntN(12), C: g * (1 + r.IntN(6)), OC: g * (1 + r.IntN(40)), Groups: g,
				KH: 1 + r.IntN(4), KW: 1 + r.IntN(4), StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), DilationH: 1 + r.IntN(2),
				DilationW: 1 + r.IntN(2), PadTop: r.IntN(2), PadLeft: r.IntN(2),
			}
			s.OH = (s.H-1)*s.StrideH + (s.KH-1)*s.DilationH + 1 - s.PadTop + r.IntN(2) - r.IntN(2)
			s.OW = (s.W-1)*s.StrideW + (s.KW-1)*s.DilationW + 1 - s.PadLeft + r.IntN(2) - r.IntN(2)
			if s.OH < 1 || s.OW < 1 {
				continue
			}
			ic, oc := s.C/g, s.OC/g
			w := uniform(r, s.C*oc*s.KH*s.KW)
			c := &ConvTranspose{
				ConvShape: s, X: uniform(r, s.N*s.H*s.W*s.C), Weights: PackConvTranspose(w, s), Bias: uniform(r, s.OC),
				Act: convActs[r.IntN(len(convActs))],
			}
			var intact func()
			c.Y, intact = guarded(t, s.N*s.OH*s.OW*s.OC, r.IntN(16), float32(7))
			c.Run(0, c.Units())
			intact()
			sum := make([]float64, len(c.Y))
			for i := range sum {
				sum[i] = float64(c.Bias[i%s.OC])
			}
			for i, v := range c.X {
				ch, ix, iy, n := i%s.C, i/s.C%s.W, i/s.C/s.W%s.H, i/s.C/s.W/s.H
				for o := range oc {
					for k := range s.KH * s.KW {
						oy, ox := iy*s.StrideH+k/s.KW*s.DilationH-s.PadTop, ix*s.StrideW+k%s.KW*s.DilationW-s.PadLeft
						if oy < 0 || ox < 0 || oy >= s.OH || ox >= s.OW {
							continue
						}
						sum[((n*s.OH+oy)*s.OW+ox)*s.OC+ch/ic*oc+o] += float64(v) * float64(w[(ch*oc+o)*s.KH*s.KW+k])
					}
				}
			}
			for i, v := range sum {
				y := []float32{float32(v)}
				c.Act.Apply(y, y)
				sum[i] = float64(y[0])
			}
			wantClose(t, fmt.Sprintf("%+v", s), c.Y, sum, sumTolerance(s.C*s.KH*s.KW))
			whole := slices.Clone(c.Y)
			for u := range c.Units() {
				c.Run(u, u+1)
			}
			if !slices.Equal(whole, c.Y) {
				t.Fatalf("%+v: units one by one differ from all at once", s)
			}
		}
	})
}
