package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"testing"

	"github.com/cleave-mesh/cleave/internal/kernel/pool"
)

// fences runs f with every operand at the end of a page: an inner loop that reads or writes behind an operand, even without effect,
// faults.
func fences(t *testing.T, what string, f func()) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			t.Fatalf("%s: %v", what, v)
		}
	}()
	f()
}

// run computes the whole of a task.
func run(p pool.Task) { p.Run(0, p.Units()) }

func TestFencedElements(t *testing.T) {
	unary := map[string]func(dst, src []float32){
		"Relu": Relu, "HardSwish": HardSwish, "Exp": Exp, "Log": Log, "Sigmoid": Sigmoid, "SiLU": SiLU, "Tanh": Tanh, "Erf": Erf, "GELU": GELU,
		"GELUTanh": GELUTanh, "Softplus": Softplus, "Sqrt": Sqrt,
		"Clip":        func(dst, src []float32) { Clip(dst, src, -1, 1) },
		"LeakyRelu":   func(dst, src []float32) { LeakyRelu(dst, src, 0.1) },
		"HardSigmoid": func(dst, src []float32) { HardSigmoid(dst, src, 0.2, 0.5) },
		"Elu":         func(dst, src []float32) { Elu(dst, src, 1) },
		"AddScalar":   func(dst, src []float32) { AddScalar(dst, src, 1) },
		"MulScalar":   func(dst, src []float32) { MulScalar(dst, src, 2) },
		"DivScalar":   func(dst, src []float32) { DivScalar(dst, src, 2) },
		"Sum":         func(_, src []float32) { Sum(src) },
		"SumSquares":  func(_, src []float32) { SumSquares(src, 0.5) },
		"MaxOf":       func(_, src []float32) { MaxOf(src) },
		"MinOf":       func(_, src []float32) { MinOf(src) },
		"MinMax":      func(_, src []float32) { MinMax(src) },
		"softmax":     softmax,
		"logSoftmax":  logSoftmax,
		"LayerNorm": func(dst, src []float32) {
			run(&LayerNorm{Rows: 1, Cols: len(src), X: src, Y: dst, Scale: src, Bias: src, Epsilon: 1e-5})
		},
		"InstanceNorm": func(dst, src []float32) {
			run(&InstanceNorm{N: 1, Pixels: 1, C: len(src), X: src, Y: dst, Scale: src, Bias: src, Epsilon: 1e-5})
		},
	}
	binary := map[string]func(dst, a, b []float32){
		"Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "Max": Max, "Min": Min,
		"ScaleShift": func(dst, a, b []float32) { ScaleShift(dst, a, b, b) },
		"MulAdd":     func(dst, a, b []float32) { MulAdd(dst, a, b, b) },
	}
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for n := 1; n < 70; n++ {
			dst, a, b := fenced(t, make([]float32, n)), fenced(t, uniform(r, n)), fenced(t, uniform(r, n))
			for name, f := range unary {
				fences(t, fmt.Sprintf("%s of %d", name, n), func() { f(dst, a) })
			}
			for name, f := range binary {
				fences(t, fmt.Sprintf("%s of %d", name, n), func() { f(dst, a, b) })
			}
			bytes, halves := fenced(t, make([]uint8, n)), fenced(t, make([]uint16, n))
			fences(t, fmt.Sprintf("conversions of %d", n), func() {
				QuantizeUint8(bytes, a, 0.1, 3)
				DequantizeUint8(dst, bytes, 0.1, 3)
				Float32ToFloat16(halves, a)
				Float16ToFloat32(dst, halves)
				Float32ToBFloat16(halves, a)
				BFloat16ToFloat32(dst, halves)
			})
		}
	})
}

// fencedPacked is b with its panels at the end of a page.
func fencedPacked(t *testing.T, b *Packed) *Packed {
	p := *b
	p.data = fenced(t, b.data)
	return &p
}

func TestFencedProducts(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(150) {
			m, n, k := 1+r.IntN(20), 1+r.IntN(70), 1+r.IntN(40)
			a, c, bias := fenced(t, uniform(r, m*k)), fenced(t, make([]float32, m*n)), fenced(t, uniform(r, n))
			b := fenced(t, uniform(r, k*n))
			what := fmt.Sprintf("m=%d n=%d k=%d", m, n, k)
			fences(t, "product "+what, func() {
				run(&Gemm{
					M: m, A: a, LDA: k, B: fencedPacked(t, Pack(b, k, n, n, false)), C: c, LDC: n, Bias: bias,
					Residual: fenced(t, uniform(r, m*n)), LDR: n,
				})
			})
			for _, trans := range []bool{false, true} {
				g := &MatMul{Batch: 1, M: m, N: n, K: k, A: a, B: b, C: c, LDA: k, LDB: n, LDC: n, TransB: trans, Bias: bias}
				if trans {
					g.LDB = k
				}
				g.AOffset, g.BOffset, g.COffset = []int{0}, []int{0}, []int{0}
				fences(t, "stack of products "+what, func() { run(g) })
			}
			bytes := fenced(t, randomBytes(r, m*k))
			packed := PackInt8(randomBytes(r, k*n), k, n, n, false, false, nil)
			packed.data, packed.sums, packed.zeros = fenced(t, packed.data), fenced(t, packed.sums), fenced(t, packed.zeros)
			fences(t, "integer product "+what, func() {
				run(&Int8Gemm{
					M: m, A: bytes, LDA: k, AZero: 7, B: packed,
					Out: Int8Output{Float32: c, LDC: n, Scale: []float32{0.1}, Bias: bias},
				})
			})
			const block = 16
			blocks := ceilDiv(k, block)
			w := PackNBits(randomBytes(r, n*blocks*block/2), uniform(r, n*blocks), nil, k, n, block)
			w.data, w.scales, w.zeros = fenced(t, w.data), fenced(t, w.scales), fenced(t, w.zeros)
			fences(t, "4-bit product "+what, func() { run(&NBitsGemm{M: m, A: a, LDA: k, B: w, C: c, LDC: n, Bias: bias}) })
			fences(t, "transpose "+what, func() { run(&Transpose{Batch: 1, Rows: m, Cols: k, X: a, Y: fenced(t, make([]float32, m*k))}) })
			dim := 1 + r.IntN(40)
			q, kv := Strides{Head: m * dim, Row: dim}, Strides{Head: n * dim, Row: dim}
			fences(t, "attention "+what, func() {
				run(&Attention{
					Batch: 1, Heads: 1, QLen: m, KVLen: n, Dim: dim, VDim: dim, Q: fenced(t, uniform(r, m*dim)), K: fenced(t, uniform(r, n*dim)),
					V: fenced(t, uniform(r, n*dim)), Y: fenced(t, make([]float32, m*dim)), QStride: q, KStride: kv, VStride: kv, YStride: q, Scale: 0.3,
				})
			})
		}
	})
}

func TestFencedImages(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(150) {
			s := randomConv(r, func() (int, int, int) { return 1 + r.IntN(40), 1 + r.IntN(40), 1 })
			what := fmt.Sprintf("%+v", s)
			x, bias := fenced(t, uniform(r, s.N*s.H*s.W*s.C)), fenced(t, uniform(r, s.OC))
			y := fenced(t, make([]float32, s.N*s.OH*s.OW*s.OC))
			w := PackConv(uniform(r, s.OC*s.C*s.KH*s.KW), s)
			for i, g := range w.groups {
				w.groups[i] = fencedPacked(t, g)
			}
			residual := fenced(t, uniform(r, len(y)))
			fences(t, "convolution "+what, func() { run(&Conv{ConvShape: s, X: x, Weights: w, Y: y, Bias: bias, Residual: residual}) })
			fences(t, "global pooling "+what, func() {
				run(&GlobalPooling{N: s.N, Pixels: s.H * s.W, C: s.C, X: x, Y: fenced(t, make([]float32, s.N*s.C))})
			})
			fences(t, "resize "+what, func() { run(doubled(t, r, s, x)) })
			fencedInt8Conv(t, r, s)
			fencedConvTranspose(t, r, s)
			s.OC, s.Groups = s.C, s.C
			bias, y = fenced(t, uniform(r, s.C)), fenced(t, make([]float32, s.N*s.OH*s.OW*s.C))
			d := PackDepthwise(uniform(r, s.C*s.KH*s.KW), s)
			d.data = fenced(t, d.data)
			fences(t, "depthwise "+what, func() { run(&Depthwise{ConvShape: s, X: x, Weights: d, Y: y, Bias: bias}) })
			for kind := PoolMax; kind <= PoolAveragePadding; kind++ {
				fences(t, "pooling "+what, func() { run(&Pooling{ConvShape: s, Kind: kind, X: x, Y: y}) })
			}
		}
	})
}

func fencedInt8Conv(t *testing.T, r *rand.Rand, s ConvShape) {
	w := PackInt8Conv(randomBytes(r, s.OC*s.C*s.KH*s.KW), s, false, []int32{3})
	for _, g := range w.groups {
		g.data, g.sums, g.zeros = fenced(t, g.data), fenced(t, g.sums), fenced(t, g.zeros)
	}
	c := &Int8Conv{
		ConvShape: s, X: fenced(t, randomBytes(r, s.N*s.H*s.W*s.C)), XZero: 5, Weights: w,
		Out: Int8Output{Bytes: fenced(t, make([]byte, s.N*s.OH*s.OW*s.OC)), LDC: s.OC, Scale: fenced(t, uniform(r, s.OC)), Bias: fenced(t, uniform(r, s.OC))},
	}
	fences(t, fmt.Sprintf("integer convolution %+v", s), func() { run(c) })
}

func fencedConvTranspose(t *testing.T, r *rand.Rand, s ConvShape) {
	// As many output pixels as the whole kernel reaches from the whole input.
	s.OH, s.OW = (s.H-1)*s.StrideH+(s.KH-1)*s.DilationH+1, (s.W-1)*s.StrideW+(s.KW-1)*s.DilationW+1
	s.PadTop, s.PadLeft = 0, 0
	w := PackConvTranspose(uniform(r, s.C*s.OC*s.KH*s.KW), s)
	for _, p := range w.phases {
		for g := range p.groups {
			p.groups[g] = fencedPacked(t, p.groups[g])
		}
	}
	c := &ConvTranspose{
		ConvShape: s, X: fenced(t, uniform(r, s.N*s.H*s.W*s.C)), Weights: w, Y: fenced(t, make([]float32, s.N*s.OH*s.OW*s.OC)),
		Bias: fenced(t, uniform(r, s.OC)),
	}
	fences(t, fmt.Sprintf("transposed convolution %+v", s), func() { run(c) })
}

// doubled is the linear resize of x to twice its sides.
func doubled(t *testing.T, r *rand.Rand, s ConvShape, x []float32) *Resize {
	z := doubledAxes(r, s)
	z.X, z.Y = x, fenced(t, make([]float32, 4*len(x)))
	z.Y0, z.Y1, z.FY = fenced(t, z.Y0), fenced(t, z.Y1), fenced(t, z.FY)
	z.X0, z.X1, z.FX = fenced(t, z.X0), fenced(t, z.X1), fenced(t, z.FX)
	return z
}

// doubledAxes is a linear resize to twice the sides, without its images.
func doubledAxes(r *rand.Rand, s ConvShape) *Resize {
	z := &Resize{N: s.N, H: s.H, W: s.W, C: s.C, OH: 2 * s.H, OW: 2 * s.W}
	axis := func(n int) (a, b []int32, f []float32) {
		for i := range 2 * n {
			a, b = append(a, int32(i/2)), append(b, int32(min(i/2+1, n-1)))
		}
		return a, b, uniform(r, 2*n)
	}
	z.Y0, z.Y1, z.FY = axis(s.H)
	z.X0, z.X1, z.FX = axis(s.W)
	return z
}
