package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestSoftmax(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for cols := 1; cols < 300; cols += 1 + cols/20 {
			s := &Softmax{Rows: 3, Cols: cols, X: uniform(r, 3*cols), Log: cols%2 == 0}
			MulScalar(s.X, s.X, 20)
			var intact func()
			s.Y, intact = guarded(t, 3*cols, cols%16, float32(9))
			s.Run(0, s.Units())
			intact()
			var want []float64
			for row := range s.Rows {
				x := s.X[row*cols : (row+1)*cols]
				var sum float64
				for _, v := range x {
					sum += math.Exp(float64(v))
				}
				for _, v := range x {
					if s.Log {
						want = append(want, float64(v)-math.Log(sum))
					} else {
						want = append(want, math.Exp(float64(v))/sum)
					}
				}
			}
			wantClose(t, fmt.Sprintf("%d columns", cols), s.Y, want, 2e-6)
		}
	})
}

func TestSoftmaxMasked(t *testing.T) {
	onEach(t, func(t *testing.T) {
		x := []float32{negInf, 1, negInf, 1}
		s := &Softmax{Rows: 1, Cols: 4, X: x, Y: x}
		s.Run(0, 1)
		wantClose(t, "masked", x, []float64{0, 0.5, 0, 0.5}, 1e-7)
	})
}

func TestLayerNorm(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for cols := 1; cols < 300; cols += 1 + cols/20 {
			l := &LayerNorm{Rows: 2, Cols: cols, X: uniform(r, 2*cols), Epsilon: 1e-5, RMS: cols%3 == 0}
			if r.IntN(2) == 0 {
				l.Scale = uniform(r, cols)
			}
			if r.IntN(2) == 0 {
				l.Bias = uniform(r, cols)
			}
			var intact func()
			l.Y, intact = guarded(t, 2*cols, cols%16, float32(9))
			l.Run(0, l.Units())
			intact()
			var want []float64
			for row := range l.Rows {
				x := l.X[row*cols : (row+1)*cols]
				var mean, variance float64
				for _, v := range x {
					mean += float64(v) / float64(cols)
				}
				if l.RMS {
					mean = 0
				}
				for _, v := range x {
					variance += (float64(v) - mean) * (float64(v) - mean) / float64(cols)
				}
				for c, v := range x {
					y := (float64(v) - mean) / math.Sqrt(variance+1e-5)
					if l.Scale != nil {
						y *= float64(l.Scale[c])
					}
					if l.Bias != nil {
						y += float64(l.Bias[c])
					}
					want = append(want, y)
				}
			}
			// One column has no variance: the difference from the mean is all rounding.
			wantClose(t, fmt.Sprintf("%d columns", cols), l.Y, want, 1e-5)
		}
	})
}

func TestInstanceNorm(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(60) {
			n, pixels, c, act := 1+r.IntN(2), 2+r.IntN(300), 1+r.IntN(90), convActs[r.IntN(len(convActs))]
			x, scale, bias := uniform(r, n*pixels*c), uniform(r, c), uniform(r, c)
			y, intact := guarded(t, len(x), r.IntN(16), float32(9))
			run(&InstanceNorm{N: n, Pixels: pixels, C: c, X: x, Y: y, Scale: scale, Bias: bias, Epsilon: 1e-3, Act: act})
			intact()
			want := make([]float32, len(x))
			for i := range n {
				for ch := range c {
					var mean, variance float64
					at := func(p int) int { return (i*pixels+p)*c + ch }
					for p := range pixels {
						mean += float64(x[at(p)]) / float64(pixels)
					}
					for p := range pixels {
						variance += (float64(x[at(p)]) - mean) * (float64(x[at(p)]) - mean) / float64(pixels)
					}
					for p := range pixels {
						want[at(p)] = float32((float64(x[at(p)])-mean)/math.Sqrt(variance+1e-3)*float64(scale[ch]) + float64(bias[ch]))
					}
				}
			}
			act.Apply(want, want)
			exact := make([]float64, len(want))
			for i, v := range want {
				exact[i] = float64(v)
			}
			wantClose(t, fmt.Sprintf("%d images, %d pixels, %d channels", n, pixels, c), y, exact, 2e-5)
		}
	})
}

func TestAffine(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for cols := 1; cols < 700; cols += 1 + cols/5 {
			a := &Affine{Rows: 1 + r.IntN(40), Cols: cols, Scale: uniform(r, cols), Act: Activation{Kind: ActRelu}}
			if r.IntN(2) == 0 {
				a.Shift = uniform(r, cols)
			}
			prelu := r.IntN(3) == 0
			if prelu {
				a.Slope = uniform(r, cols)
			}
			a.X = uniform(r, a.Rows*cols)
			var intact func()
			a.Y, intact = guarded(t, len(a.X), cols%16, float32(9))
			a.Run(0, a.Units())
			intact()
			var want []float64
			for i, v := range a.X {
				y := float64(v) * float64(a.Scale[i%cols])
				if a.Shift != nil {
					y += float64(a.Shift[i%cols])
				}
				y = max(y, 0)
				if prelu {
					y = float64(v)
					if v < 0 {
						y *= float64(a.Slope[i%cols])
					}
				}
				want = append(want, y)
			}
			wantClose(t, fmt.Sprintf("%d columns", cols), a.Y, want, 1e-6)
		}
	})
}
