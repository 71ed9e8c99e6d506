package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestPooling(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(200) {
			s := randomConv(r, func() (int, int, int) { c := 1 + r.IntN(40); return c, c, c })
			p := &Pooling{ConvShape: s, Kind: PoolKind(r.IntN(3)), X: uniform(r, s.N*s.H*s.W*s.C)}
			var intact func()
			p.Y, intact = guarded(t, s.N*s.OH*s.OW*s.C, r.IntN(16), float32(9))
			p.Run(0, p.Units())
			intact()
			var want []float64
			for i := range len(p.Y) {
				c, px := i%s.C, i/s.C
				ox, oy, n := px%s.OW, px/s.OW%s.OH, px/s.OW/s.OH
				sum, top, count := 0.0, math.Inf(-1), 0
				for kh := range s.KH {
					for kw := range s.KW {
						iy, ix := oy*s.StrideH-s.PadTop+kh*s.DilationH, ox*s.StrideW-s.PadLeft+kw*s.DilationW
						if iy < 0 || ix < 0 || iy >= s.H || ix >= s.W {
							continue
						}
						v := float64(p.X[((n*s.H+iy)*s.W+ix)*s.C+c])
						sum, top, count = sum+v, max(top, v), count+1
					}
				}
				switch {
				case p.Kind == PoolMax:
					want = append(want, top)
				case p.Kind == PoolAveragePadding:
					want = append(want, sum/float64(s.KH*s.KW))
				default:
					want = append(want, sum/float64(max(1, count)))
				}
			}
			wantClose(t, fmt.Sprintf("kind %d of %+v", p.Kind, s), p.Y, want, 1e-6)
		}
	})
}

func BenchmarkMaxPool(b *testing.B) {
	s := square(112, 64, 64, 3, 2)
	p := &Pooling{ConvShape: s, X: make([]float32, s.H*s.W*s.C), Y: make([]float32, s.OH*s.OW*s.C)}
	for b.Loop() {
		p.Run(0, p.Units())
	}
}
