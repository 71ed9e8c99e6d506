package kernel

import "testing"

func TestTranspose(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(600) {
			x := &Transpose{Batch: 1 + r.IntN(3), Rows: 1 + r.IntN(1+r.IntN(70)), Cols: 1 + r.IntN(1+r.IntN(70))}
			if r.IntN(8) == 0 { // several units of few rows
				x.Rows, x.Cols = 1+r.IntN(6), 500+r.IntN(5000)
			}
			x.X = uniform(r, x.Batch*x.Rows*x.Cols)
			var intact func()
			x.Y, intact = guarded(t, len(x.X), r.IntN(16), float32(9))
			for u := x.Units() - 1; u >= 0; u-- { // no unit may touch what an earlier one wrote
				x.Run(u, u+1)
			}
			intact()
			for b := range x.Batch {
				for i := range x.Rows {
					for j := range x.Cols {
						at := b * x.Rows * x.Cols
						if got, want := x.Y[at+j*x.Rows+i], x.X[at+i*x.Cols+j]; got != want {
							t.Fatalf("%d by %d: element %d, %d is %v, want %v", x.Rows, x.Cols, j, i, got, want)
						}
					}
				}
			}
		}
	})
}

func BenchmarkTranspose(b *testing.B) {
	x := &Transpose{Batch: 1, Rows: 64, Cols: 56 * 56, X: make([]float32, 64*56*56), Y: make([]float32, 64*56*56)}
	b.SetBytes(8 * 64 * 56 * 56)
	for b.Loop() {
		x.Run(0, x.Units())
	}
}
