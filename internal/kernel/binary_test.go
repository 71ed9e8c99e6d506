package kernel

import (
	"math"
	"testing"
)

func TestBinary(t *testing.T) {
	cases := []struct {
		name string
		f    func(dst, a, b []float32)
		one  func(a, b float32) float32
	}{
		{"Add", Add, func(a, b float32) float32 { return a + b }},
		{"Sub", Sub, func(a, b float32) float32 { return a - b }},
		{"Mul", Mul, func(a, b float32) float32 { return a * b }},
		{"Div", Div, func(a, b float32) float32 { return a / b }},
		{"Max", Max, func(a, b float32) float32 { return max(a, b) }},
		{"Min", Min, func(a, b float32) float32 { return min(a, b) }},
		{"AddScalar", func(d, a, b []float32) { AddScalar(d, a, 0.3) }, func(a, _ float32) float32 { return a + 0.3 }},
		{"MulScalar", func(d, a, b []float32) { MulScalar(d, a, 0.3) }, func(a, _ float32) float32 { return a * 0.3 }},
		{"DivScalar", func(d, a, b []float32) { DivScalar(d, a, 0.3) }, func(a, _ float32) float32 { return a / 0.3 }},
		{"Clip", func(d, a, b []float32) { Clip(d, a, -0.5, 0.5) }, func(a, _ float32) float32 { return clampTo(a, -0.5, 0.5) }},
	}
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		x, z := uniform(r, 1100), uniform(r, 1100)
		for i := range 6 {
			x[r.IntN(300)] = []float32{float32(math.NaN()), posInf, negInf}[i%3]
			z[r.IntN(300)] = []float32{float32(math.NaN()), posInf, negInf}[i%3]
		}
		for _, c := range cases {
			for n := 0; n <= 1000; n += 1 + n/40 {
				dst, intact := guarded(t, n, n%16, float32(9))
				a, b := x[n%17:n%17+n], z[n%5:n%5+n]
				c.f(dst, a, b)
				intact()
				for i, v := range dst {
					if want := c.one(a[i], b[i]); v != want && !(v != v && want != want) {
						t.Fatalf("%s of %d: element %d is %v, want %v", c.name, n, i, v, want)
					}
				}
			}
		}
	})
}

func TestScaleShift(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for c := 1; c < 70; c++ {
			x, scale, shift := uniform(r, 5*c), uniform(r, c), uniform(r, c)
			dst, intact := guarded(t, 5*c, c%16, float32(9))
			ScaleShift(dst, x, scale, shift)
			intact()
			var want []float64
			for i, v := range x {
				want = append(want, float64(v)*float64(scale[i%c])+float64(shift[i%c]))
			}
			wantClose(t, "ScaleShift", dst, want, 2e-7)
		}
	})
}

func TestReductions(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		x := uniform(r, 1100)
		for n := 0; n <= 1000; n++ {
			if testing.Short() {
				n += n / 40
			}
			a := x[n%17 : n%17+n]
			var sum, squares float64
			top, low := math.Inf(-1), math.Inf(1)
			for _, v := range a {
				sum += float64(v)
				squares += (float64(v) - 0.25) * (float64(v) - 0.25)
				top, low = max(top, float64(v)), min(low, float64(v))
			}
			got := []float32{Sum(a), SumSquares(a, 0.25), MaxOf(a), MinOf(a)}
			wantClose(t, "sum, squares, max, min", got, []float64{sum, squares, top, low}, 2e-5)
			y, intact := guarded(t, n, n%16, float32(9))
			total := expSum(y, a, 1)
			intact()
			sum = 0
			for i, v := range a {
				e := math.Exp(float64(v) - 1)
				sum += e
				wantClose(t, "exp", y[i:i+1], []float64{e}, 1e-6)
			}
			wantClose(t, "sum of exp", []float32{total}, []float64{sum}, 2e-5)
		}
		for n := 1; n < 200; n++ {
			a := uniform(r, n)
			a[r.IntN(n)] = float32(math.NaN())
			if m := MaxOf(a); m == m {
				t.Fatalf("MaxOf of %d elements with a NaN is %v", n, m)
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	const n = 4096
	x, y := make([]float32, n), make([]float32, n)
	b.SetBytes(12 * n)
	for b.Loop() {
		Add(y, y, x)
	}
}
