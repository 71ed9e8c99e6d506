package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// valueOf is the number that a byte stands for.
func valueOf(b byte, signed bool) int32 {
	if signed {
		return int32(int8(b))
	}
	return int32(b)
}

func TestInt8Gemm(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(200) {
			m, n, k := 1+r.IntN(70), 1+r.IntN(150), 1+r.IntN(90)
			trans, unsigned := r.IntN(2) == 0, r.IntN(2) == 0
			b, zero := randomBytes(r, k*n), make([]int32, []int{0, 1, n}[r.IntN(3)])
			for i := range zero {
				zero[i] = int32(r.IntN(100) - 50)
				if unsigned {
					zero[i] += 128
				}
			}
			ld := n
			if trans {
				ld = k
			}
			g := &Int8Gemm{M: m, LDA: k + r.IntN(3), ASigned: r.IntN(2) == 0, AZero: int32(r.IntN(20)), B: PackInt8(b, k, n, ld, trans, unsigned, zero)}
			g.A = randomBytes(r, m*g.LDA)
			y, intact := guarded(t, m*n, r.IntN(16), int32(7))
			g.Out = Int8Output{Int32: y, LDC: n}
			g.Run(0, g.Units())
			intact()
			want := make([]int32, m*n)
			for i := range m {
				for j := range n {
					var z int32
					switch len(zero) {
					case 0:
					case 1:
						z = zero[0]
					default:
						z = zero[j]
					}
					for l := range k {
						at := l*n + j
						if trans {
							at = j*k + l
						}
						want[i*n+j] += (valueOf(g.A[i*g.LDA+l], g.ASigned) - g.AZero) * (valueOf(b[at], !unsigned) - z)
					}
				}
			}
			if !slices.Equal(y, want) {
				t.Fatalf("m=%d n=%d k=%d trans=%v unsigned=%v zeros=%d: sums differ", m, n, k, trans, unsigned, len(zero))
			}
			checkInt8Outputs(t, r, g, want)
		}
	})
}

// checkInt8Outputs runs g again with float and byte outputs.
func checkInt8Outputs(t *testing.T, r *rand.Rand, g *Int8Gemm, sums []int32) {
	m, n := g.M, g.B.N
	scale, bias := uniform(r, n), uniform(r, n)
	MulScalar(scale, scale, 0.01)
	f, intact := guarded(t, m*n, r.IntN(16), float32(7))
	g.Out = Int8Output{Float32: f, LDC: n, Scale: scale, Bias: bias, Act: Activation{Kind: ActRelu}}
	g.Run(0, g.Units())
	intact()
	want := make([]float64, m*n)
	for i, v := range sums {
		want[i] = math.Max(float64(v)*float64(scale[i%n])+float64(bias[i%n]), 0)
	}
	wantClose(t, "float output", f, want, 1e-5)
	q, intactBytes := guarded(t, m*n, r.IntN(16), byte(7))
	g.Out = Int8Output{Bytes: q, LDC: n, Scale: scale[:1], Zero: 3, Signed: true}
	g.Run(0, g.Units())
	intactBytes()
	for i, v := range sums {
		if w := roundSaturate(float32(v)*scale[0], 3, -128, 127); int32(int8(q[i])) != w {
			t.Fatalf("byte %d is %d, want %d", i, int8(q[i]), w)
		}
	}
}

func TestInt8Conv(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(100) {
			s := randomConv(r, func() (int, int, int) {
				g := 1 + r.IntN(3)*r.IntN(2)
				return g * (1 + r.IntN(9)), g * (1 + r.IntN(40)), g
			})
			w, x := randomBytes(r, s.OC*s.C/s.Groups*s.KH*s.KW), randomBytes(r, s.N*s.H*s.W*s.C)
			zero := []int32{int32(r.IntN(5))}
			y, intact := guarded(t, s.N*s.OH*s.OW*s.OC, r.IntN(16), int32(7))
			c := &Int8Conv{
				ConvShape: s, X: x, XSigned: r.IntN(2) == 0, XZero: int32(r.IntN(9)), Weights: PackInt8Conv(w, s, false, zero),
				Out: Int8Output{Int32: y, LDC: s.OC},
			}
			c.Run(0, c.Units())
			intact()
			fx, fw := make([]float32, len(x)), make([]float32, len(w))
			for i, v := range x {
				fx[i] = float32(valueOf(v, c.XSigned) - c.XZero)
			}
			for i, v := range w {
				fw[i] = float32(valueOf(v, true) - zero[0])
			}
			for i, v := range convReference(s, fx, fw, nil, nil, Activation{}) {
				if float64(y[i]) != v {
					t.Fatalf("%+v: element %d is %d, want %v", s, i, y[i], v)
				}
			}
		}
	})
}

func BenchmarkInt8Gemm(b *testing.B) {
	before := Active()
	defer func() { active = before }()
	for _, isa := range Available()[1:] {
		b.Run(isa.String(), func(b *testing.B) {
			active = isa
			const n = 1024
			r := seeded(b)
			g := &Int8Gemm{M: n, A: randomBytes(r, n*n), LDA: n, AZero: 128, B: PackInt8(randomBytes(r, n*n), n, n, n, false, false, nil)}
			g.Out = Int8Output{Float32: make([]float32, n*n), LDC: n, Scale: []float32{0.01}}
			b.ReportAllocs()
			for b.Loop() {
				g.Run(0, g.Units())
			}
			b.ReportMetric(2*n*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
		})
	}
}

// BenchmarkInt8AgainstFloat runs the integer and the float32 product of the same sizes in turn, on one core, and prints how many
// times as fast the integer one is.
func BenchmarkInt8AgainstFloat(b *testing.B) {
	for _, n := range []int{512, 1024, 2048} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := seeded(b)
			f := &Gemm{M: n, A: uniform(r, n*n), LDA: n, B: Pack(uniform(r, n*n), n, n, n, false), C: make([]float32, n*n), LDC: n}
			q := &Int8Gemm{M: n, A: randomBytes(r, n*n), LDA: n, AZero: 128, B: PackInt8(randomBytes(r, n*n), n, n, n, false, false, nil)}
			q.Out = Int8Output{Float32: f.C, LDC: n, Scale: []float32{0.01}}
			var floats, ints time.Duration
			for b.Loop() {
				start := time.Now()
				f.Run(0, f.Units())
				between := time.Now()
				q.Run(0, q.Units())
				floats, ints = floats+between.Sub(start), ints+time.Since(between)
			}
			ops := 2 * float64(n) * float64(n) * float64(n) * float64(b.N) / 1e9
			b.ReportMetric(ops/floats.Seconds(), "GFLOP/s")
			b.ReportMetric(ops/ints.Seconds(), "int8-GOP/s")
			b.ReportMetric(floats.Seconds()/ints.Seconds(), "int8/float")
		})
	}
}
