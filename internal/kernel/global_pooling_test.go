package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestGlobalPooling(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(60) {
			g := &GlobalPooling{N: 1 + r.IntN(2), Pixels: 1 + r.IntN(1+r.IntN(1100)), C: 1 + r.IntN(90), Highest: r.IntN(2) == 0}
			g.X = uniform(r, g.N*g.Pixels*g.C)
			var intact func()
			g.Y, intact = guarded(t, g.N*g.C, r.IntN(16), float32(3))
			g.Run(0, g.Units())
			intact()
			want := make([]float64, g.N*g.C)
			for i := range want {
				sum, top := 0.0, math.Inf(-1)
				for p := range g.Pixels {
					v := float64(g.X[(i/g.C*g.Pixels+p)*g.C+i%g.C])
					sum, top = sum+v, max(top, v)
				}
				if want[i] = sum / float64(g.Pixels); g.Highest {
					want[i] = top
				}
			}
			wantClose(t, fmt.Sprintf("%d images of %d pixels and %d channels, highest %v", g.N, g.Pixels, g.C, g.Highest), g.Y, want, 1e-5)
		}
	})
}
