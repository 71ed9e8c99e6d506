package kernel

import (
	"math"
	"testing"
)

// unaryCases are the unary functions with their exact values and error bounds: an error is accepted when it is within ulps
// units in the last place of the exact value, or within abs. The bounds hold for every instruction set.
var unaryCases = []struct {
	name   string
	f      func(dst, src []float32)
	exact  func(x float64) float64
	lo, hi float64
	ulps   float64
	abs    float64
}{
	{"Relu", Relu, func(x float64) float64 { return math.Max(x, 0) }, -10, 10, 0, 0},
	{"LeakyRelu", func(d, s []float32) { LeakyRelu(d, s, 0.25) }, func(x float64) float64 {
		if x < 0 {
			return x / 4
		}
		return x
	}, -10, 10, 0, 0},
	{"HardSigmoid", func(d, s []float32) { HardSigmoid(d, s, 0.2, 0.5) }, func(x float64) float64 {
		return math.Min(math.Max(float64(float32(0.2))*x+0.5, 0), 1)
	}, -5, 5, 1, 1e-7},
	{"HardSwish", HardSwish, func(x float64) float64 { return x * math.Min(math.Max(x/6+0.5, 0), 1) }, -5, 5, 3, 4e-7},
	{"Exp", Exp, math.Exp, -87, 88.7, 2, 0},
	{"Exp of what flushes", Exp, math.Exp, -110, -87, 2, 1.2e-38},
	{"Log", Log, math.Log, 1e-6, 100, 1, 0},
	{"Sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, -87, 100, 3, 0},
	{"SiLU", SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, -80, 100, 4, 0},
	{"Tanh", Tanh, math.Tanh, -20, 20, 4, 0},
	{"Tanh near zero", Tanh, math.Tanh, -0.01, 0.01, 4, 0},
	{"Erf", Erf, math.Erf, -6, 6, 4, 0},
	{"Erf near zero", Erf, math.Erf, -0.01, 0.01, 4, 0},
	{"GELU", GELU, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, -6, 6, 5, 6e-7},
	{"GELUTanh", GELUTanh, func(x float64) float64 {
		return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, -5, 6, 40, 1e-7},
	{"Elu", func(d, s []float32) { Elu(d, s, 1) }, func(x float64) float64 {
		if x < 0 {
			return math.Expm1(x)
		}
		return x
	}, -20, 5, 1, 0},
	{"Softplus", Softplus, softplus64, -20, 50, 1, 0},
	{"Sqrt", Sqrt, math.Sqrt, 0, 1000, 1, 0},
}

// ulp is the distance between float32 values near x.
func ulp(x float64) float64 {
	f := float32(math.Abs(x))
	return max(float64(math.Nextafter32(f, posInf)-f), 0x1p-149)
}

func TestUnaryError(t *testing.T) {
	const n = 40001
	onEach(t, func(t *testing.T) {
		for _, c := range unaryCases {
			x, y := make([]float32, n), make([]float32, n)
			for i := range x {
				x[i] = float32(c.lo + (c.hi-c.lo)*float64(i)/(n-1))
			}
			c.f(y, x)
			worst := 0.0
			for i, v := range x {
				want := c.exact(float64(v))
				d := math.Abs(float64(y[i]) - want)
				if d > c.abs {
					worst = max(worst, d/ulp(want))
				}
				if d > c.abs && !(d <= c.ulps*ulp(want)) {
					t.Errorf("%s(%v) = %v, want %v: %.1f ulp, bound %.1f", c.name, v, y[i], want, d/ulp(want), c.ulps)
					break
				}
			}
			t.Logf("%s: at most %.2f ulp", c.name, worst)
		}
	})
}

func TestUnarySpecials(t *testing.T) {
	inf := math.Inf(1)
	nan := math.NaN()
	cases := []struct {
		name string
		f    func(dst, src []float32)
		want [4]float64 // of NaN, -Inf, +Inf, 0
	}{
		{"Relu", Relu, [4]float64{nan, 0, inf, 0}},
		{"Exp", Exp, [4]float64{nan, 0, inf, 1}},
		{"Sigmoid", Sigmoid, [4]float64{nan, 0, 1, 0.5}},
		{"Tanh", Tanh, [4]float64{nan, -1, 1, 0}},
		{"Erf", Erf, [4]float64{nan, -1, 1, 0}},
		{"Log", Log, [4]float64{nan, nan, inf, -inf}},
		{"Sqrt", Sqrt, [4]float64{nan, nan, inf, 0}},
	}
	onEach(t, func(t *testing.T) {
		for _, c := range cases {
			x := []float32{float32(nan), negInf, posInf, 0}
			c.f(x, x)
			for i, w := range c.want {
				if g := float64(x[i]); g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
					t.Errorf("%s, value %d: %v, want %v", c.name, i, g, w)
				}
			}
		}
	})
}

// TestUnaryLengths sweeps lengths and alignments: nothing outside of dst is written, and an element does not depend on its
// neighbours.
func TestUnaryLengths(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		src := uniform(r, 1100)
		for _, c := range unaryCases {
			all := make([]float32, len(src))
			c.f(all, src)
			for n := 0; n <= 1000; n += 1 + n/40 {
				dst, intact := guarded(t, n, n%16, float32(9))
				at := n % 37
				c.f(dst, src[at:at+n])
				intact()
				for i, v := range dst {
					if want := all[at+i]; v != want && !(v != v && want != want) {
						t.Fatalf("%s, %d elements: element %d is %v in another place than %v", c.name, n, i, v, want)
					}
				}
			}
		}
	})
}

func BenchmarkUnary(b *testing.B) {
	const n = 4096
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(i)/512 - 4
	}
	for _, c := range unaryCases {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(4 * n)
			for b.Loop() {
				c.f(y, x)
			}
		})
	}
}
