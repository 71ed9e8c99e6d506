package kernel

import (
	"slices"
	"testing"
)

func TestResize(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for c := 1; c < 40; c += 3 {
			z := &Resize{N: 2, H: 5, W: 4, C: c, OH: 9, OW: 7, X: uniform(r, 2*5*4*c)}
			for i := range z.OH {
				at := float32(i) * 4 / 8
				z.Y0, z.Y1 = append(z.Y0, int32(at)), append(z.Y1, min(int32(at)+1, 4))
				z.FY = append(z.FY, at-float32(int32(at)))
			}
			for i := range z.OW {
				at := float32(i) * 3 / 6
				z.X0, z.X1 = append(z.X0, int32(at)), append(z.X1, min(int32(at)+1, 3))
				z.FX = append(z.FX, at-float32(int32(at)))
			}
			var intact func()
			z.Y, intact = guarded(t, 2*9*7*c, c%16, float32(9))
			z.Run(0, z.Units())
			intact()
			pixel := func(n int, y, x int32) []float32 { at := ((n*z.H+int(y))*z.W + int(x)) * c; return z.X[at : at+c] }
			for i := range z.N * z.OH * z.OW {
				n, oy, ox := i/z.OW/z.OH, i/z.OW%z.OH, i%z.OW
				a, b := pixel(n, z.Y0[oy], z.X0[ox]), pixel(n, z.Y0[oy], z.X1[ox])
				d, e := pixel(n, z.Y1[oy], z.X0[ox]), pixel(n, z.Y1[oy], z.X1[ox])
				fy, fx := float64(z.FY[oy]), float64(z.FX[ox])
				var want []float64
				for ch := range c {
					top := float64(a[ch])*(1-fx) + float64(b[ch])*fx
					bottom := float64(d[ch])*(1-fx) + float64(e[ch])*fx
					want = append(want, top*(1-fy)+bottom*fy)
				}
				wantClose(t, "linear", z.Y[i*c:(i+1)*c], want, 1e-6)
			}
			z.FY, z.FX = nil, nil
			z.Run(0, z.Units())
			for i := range z.N * z.OH * z.OW {
				n, oy, ox := i/z.OW/z.OH, i/z.OW%z.OH, i%z.OW
				if !slices.Equal(z.Y[i*c:(i+1)*c], pixel(n, z.Y0[oy], z.X0[ox])) {
					t.Fatalf("nearest: pixel %d differs", i)
				}
			}
		}
	})
}
