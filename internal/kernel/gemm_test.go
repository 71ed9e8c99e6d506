package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/kernel/peak"
)

// reference computes act(A × B + bias + residual) in float64.
func (g *Gemm) reference(b []float32, trans bool) []float64 {
	n, k := g.B.N, g.B.K
	out := make([]float64, g.M*n)
	for m := range g.M {
		for j := range n {
			var s float64
			for i := range k {
				w := i*n + j
				if trans {
					w = j*k + i
				}
				s += float64(g.A[m*g.LDA+i]) * float64(b[w])
			}
			if g.Bias != nil {
				s += float64(g.Bias[j])
			}
			if g.Residual != nil {
				s += float64(g.Residual[m*g.LDR+j])
			}
			y := []float32{float32(s)}
			if g.Act.Kind != ActNone {
				g.Act.Apply(y, y)
				s = float64(y[0])
			}
			out[m*n+j] = s
		}
	}
	return out
}

func TestGemm(t *testing.T) {
	acts := []Activation{{}, {Kind: ActRelu}, {Kind: ActClip, A: -0.5, B: 0.5}, {Kind: ActSigmoid}}
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(300) {
			m, n, k := r.IntN(30), 1+r.IntN(80), r.IntN(40)
			switch r.IntN(12) {
			case 0:
				k = blockK - 2 + r.IntN(blockK)
			case 1:
				m, n = 60+r.IntN(20), 120+r.IntN(70)
			}
			trans := r.IntN(2) == 0
			b := uniform(r, k*n)
			ld := n
			if trans {
				ld = k
			}
			g := &Gemm{M: m, LDA: k + r.IntN(3), B: Pack(b, k, n, ld, trans), LDC: n + r.IntN(3), Act: acts[r.IntN(len(acts))]}
			g.A = uniform(r, m*g.LDA)
			var intact func()
			g.C, intact = guarded(t, m*g.LDC, r.IntN(16), float32(7))
			if r.IntN(2) == 0 {
				g.Bias = uniform(r, n)
			}
			if r.IntN(3) == 0 {
				g.LDR = n + r.IntN(3)
				g.Residual = uniform(r, m*g.LDR)
			}
			g.Run(0, g.Units())
			intact()
			got := make([]float32, 0, m*n)
			for i := range m {
				row := g.C[i*g.LDC : (i+1)*g.LDC]
				got = append(got, row[:n]...)
				for _, v := range row[n:] {
					if v != 7 {
						t.Fatalf("m=%d n=%d k=%d: wrote between rows", m, n, k)
					}
				}
			}
			wantClose(t, fmt.Sprintf("m=%d n=%d k=%d act=%d", m, n, k, g.Act.Kind), got, g.reference(b, trans), sumTolerance(k))

			// The same bits whatever the split.
			whole := slices.Clone(g.C)
			clear(g.C)
			for u := range g.Units() {
				g.Run(u, u+1)
			}
			for i := range m {
				if !slices.Equal(g.C[i*g.LDC:i*g.LDC+n], whole[i*g.LDC:i*g.LDC+n]) {
					t.Fatalf("m=%d n=%d k=%d: units one by one differ from all at once", m, n, k)
				}
			}
		}
	})
}

// sumTolerance bounds the error of a float32 sum of k products of values below one: k roundings of a sum that is below
// sqrt(k) with overwhelming probability.
func sumTolerance(k int) float64 { return 2e-7 * (8 + float64(k)*math.Sqrt(float64(k))/8) }

// TestGemmRowsAlone checks that a row's result does not depend on the rows computed with it.
func TestGemmRowsAlone(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		const m, n, k = 21, 77, 700
		g := &Gemm{M: m, A: uniform(r, m*k), LDA: k, B: Pack(uniform(r, k*n), k, n, n, false), C: make([]float32, m*n), LDC: n}
		g.Run(0, g.Units())
		for i := range m {
			row := &Gemm{M: 1, A: g.A[i*k:], LDA: k, B: g.B, C: make([]float32, n), LDC: n}
			row.Run(0, row.Units())
			if !slices.Equal(row.C, g.C[i*n:(i+1)*n]) {
				t.Fatalf("row %d alone differs", i)
			}
		}
	})
}

func TestGemmShortSlice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a short slice went unnoticed")
		}
	}()
	g := &Gemm{M: 4, A: make([]float32, 4*8-1), LDA: 8, B: Pack(make([]float32, 64), 8, 8, 8, false), C: make([]float32, 32), LDC: 8}
	g.Run(0, g.Units())
}

func TestMatMul(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(200) {
			g := &MatMul{Batch: 1 + r.IntN(3), M: 1 + r.IntN(40), N: 1 + r.IntN(70), K: r.IntN(50), TransB: r.IntN(2) == 0}
			g.LDA, g.LDB, g.LDC = g.K, g.N, g.N
			if g.TransB {
				g.LDB = g.K
			}
			g.A, g.B, g.C = uniform(r, g.Batch*g.M*g.K), uniform(r, g.N*g.K), make([]float32, g.Batch*g.M*g.N)
			if r.IntN(2) == 0 {
				g.Alpha = 0.125
			}
			if r.IntN(2) == 0 {
				g.Bias = uniform(r, g.N)
			}
			for i := range g.Batch {
				g.AOffset = append(g.AOffset, i*g.M*g.K)
				g.BOffset = append(g.BOffset, 0)
				g.COffset = append(g.COffset, i*g.M*g.N)
			}
			g.Run(0, g.Units())
			one := &Gemm{M: g.Batch * g.M, A: g.A, LDA: g.K, B: Pack(g.B, g.K, g.N, g.LDB, g.TransB)}
			want := one.reference(g.B, g.TransB)
			for i := range want {
				if g.Alpha != 0 {
					want[i] *= float64(g.Alpha)
				}
				if g.Bias != nil {
					want[i] += float64(g.Bias[i%g.N])
				}
			}
			wantClose(t, fmt.Sprintf("m=%d n=%d k=%d", g.M, g.N, g.K), g.C, want, sumTolerance(g.K))
		}
	})
}

// BenchmarkGemm prints the rate of square products on one core and its share of the core's peak, which is measured in the
// same run.
func BenchmarkGemm(b *testing.B) {
	before := Active()
	defer func() { active = before }()
	for _, isa := range Available() {
		lanes := map[ISA]int{AVX2: 8, AVX512: 16}[isa]
		if lanes == 0 {
			continue
		}
		for _, n := range []int{128, 512, 1024, 2048} {
			b.Run(fmt.Sprintf("%v/%d", isa, n), func(b *testing.B) {
				active = isa
				r := seeded(b)
				g := &Gemm{M: n, A: uniform(r, n*n), LDA: n, B: Pack(uniform(r, n*n), n, n, n, false), C: make([]float32, n*n), LDC: n}
				top := peak.Measure(lanes, 50*time.Millisecond)
				b.ReportAllocs()
				for b.Loop() {
					g.Run(0, g.Units())
				}
				top = max(top, peak.Measure(lanes, 50*time.Millisecond))
				rate := 2 * float64(n) * float64(n) * float64(n) * float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate/1e9, "GFLOP/s")
				b.ReportMetric(100*rate/top, "%peak")
			})
		}
	}
}
