//go:build !noasm

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestNEONEqualsGo: what takes the same steps in vectors as in Go gives the same bits, since Go fuses multiplications and additions on
// arm64 as the vectors do. Left out are the functions that Go computes in float64 (see TestVectorBits) and what is made of them.
func TestNEONEqualsGo(t *testing.T) {
	best := active
	t.Cleanup(func() { active = best })
	r := seeded(t)
	for range rounds(400) {
		what, compute := anyTask(r)
		active = Generic
		want := compute()
		for _, isa := range Available()[1:] {
			active = isa
			for i, v := range compute() {
				if w := want[i]; v != w && !(v != v && w != w) {
					t.Fatalf("%v, %s: element %d is %v, Go gives %v", isa, what, i, v, w)
				}
			}
		}
	}
}

// special is uniform with a few values that are not finite, not normal, or extreme.
func special(r *rand.Rand, n int) []float32 {
	x := uniform(r, n)
	odd := []float32{float32(math.NaN()), posInf, negInf, 1e-40, -1e-42, math.MaxFloat32, -math.MaxFloat32, 0}
	for range r.IntN(1 + n/20) {
		x[r.IntN(n)] = odd[r.IntN(len(odd))]
	}
	return x
}

// anyTask draws a computation whose result is a list of numbers.
func anyTask(r *rand.Rand) (what string, compute func() []float32) {
	n := 1 + r.IntN(300)
	x, z := special(r, n), special(r, n)
	floats := func(f func(y []float32)) func() []float32 {
		return func() []float32 { y := make([]float32, n); f(y); return y }
	}
	switch kind := r.IntN(9); kind {
	case 0:
		return fmt.Sprintf("reductions of %d", n), func() []float32 {
			return []float32{Sum(x), SumSquares(x, 0.25), MaxOf(x), Sum(x[:n/2])}
		}
	case 1:
		return fmt.Sprintf("functions of %d", n), floats(func(y []float32) {
			MulAdd(y, x, z, x)
			LeakyRelu(y, y, 0.3)
			Mul(y, y, z)
			HardSigmoid(y, y, 0.3, 0.4)
			Div(y, y, x)
			HardSwish(y, y)
		})
	case 2:
		q := make([]int8, n)
		return fmt.Sprintf("quantising %d", n), floats(func(y []float32) {
			QuantizeInt8(q, x, 0.01, 3)
			DequantizeInt8(y, q, 0.01, 3)
		})
	case 3:
		u, h := make([]uint8, n), make([]uint16, n)
		return fmt.Sprintf("narrowing %d", n), floats(func(y []float32) {
			QuantizeUint8(u, x, 0.01, 130)
			DequantizeUint8(y, u, 0.01, 130)
			Add(y, y, x)
			Float32ToFloat16(h, y)
			Float16ToFloat32(y, h)
		})
	case 4:
		m, k, block := 1+r.IntN(20), 1+r.IntN(70), 16<<r.IntN(2)
		blocks := ceilDiv(k, block)
		a, q, scales, zeros := special(r, m*k), randomBytes(r, n*blocks*block/2), uniform(r, n*blocks), randomBytes(r, n*((blocks+1)/2))
		return fmt.Sprintf("4-bit product m=%d n=%d k=%d", m, n, k), func() []float32 {
			y := make([]float32, m*n)
			run(&NBitsGemm{M: m, A: a, LDA: k, B: PackNBits(q, scales, zeros, k, n, block), C: y, LDC: n, Bias: x})
			return y
		}
	case 5:
		m, k, signed := 1+r.IntN(20), 1+r.IntN(70), r.IntN(2) == 0
		a, b, scale, zero := randomBytes(r, m*k), randomBytes(r, n*k), uniform(r, n), []int32{int32(r.IntN(20))}
		return fmt.Sprintf("integer product m=%d n=%d k=%d", m, n, k), func() []float32 {
			y := make([]float32, m*n)
			run(&Int8Gemm{
				M: m, A: a, LDA: k, ASigned: signed, AZero: 7, B: PackInt8(b, k, n, n, false, false, zero),
				Out: Int8Output{Float32: y, LDC: n, Scale: scale, Bias: x},
			})
			return y
		}
	case 6:
		m, k := 1+r.IntN(20), 1+r.IntN(70)
		a, b := special(r, m*k), uniform(r, k*n)
		return fmt.Sprintf("product m=%d n=%d k=%d", m, n, k), func() []float32 {
			y := make([]float32, m*n)
			run(&Gemm{M: m, A: a, LDA: k, B: Pack(b, k, n, n, false), C: y, LDC: n, Bias: x, Act: Activation{Kind: ActRelu}})
			return y
		}
	default:
		s := randomConv(r, func() (int, int, int) { c := 1 + r.IntN(50); return c, c, c })
		x, w, bias := special(r, s.N*s.H*s.W*s.C), uniform(r, s.C*s.KH*s.KW), uniform(r, s.C)
		wide, out := *doubledAxes(r, s), s.N*s.OH*s.OW*s.C
		return fmt.Sprintf("images of %+v", s), func() []float32 {
			y := make([]float32, out+6*len(x))
			run(&Depthwise{ConvShape: s, X: x, Weights: PackDepthwise(w, s), Y: y[:out], Bias: bias, Act: convActs[kind-7]})
			wide.X, wide.Y = x, y[out:out+4*len(x)]
			run(&wide)
			run(&Transpose{Batch: s.N, Rows: s.H * s.W, Cols: s.C, X: x, Y: y[out+4*len(x) : out+5*len(x)]})
			run(&InstanceNorm{
				N: s.N, Pixels: s.H * s.W, C: s.C, X: x, Y: y[out+5*len(x):], Scale: bias, Bias: bias, Epsilon: 1e-5, Act: convActs[kind-7],
			})
			return y
		}
	}
}
