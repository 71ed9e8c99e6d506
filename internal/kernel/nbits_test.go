package kernel

import (
	"fmt"
	"testing"
)

func TestNBits(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(100) {
			m, n, k, block := 1+r.IntN(20), 1+r.IntN(70), 1+r.IntN(150), 16<<r.IntN(3)
			blocks := ceilDiv(k, block)
			q, scales := randomBytes(r, n*blocks*block/2), uniform(r, n*blocks)
			var zeros []byte
			if r.IntN(2) == 0 {
				zeros = randomBytes(r, n*((blocks+1)/2))
			}
			g := &NBitsGemm{M: m, LDA: k + r.IntN(3), B: PackNBits(q, scales, zeros, k, n, block), LDC: n}
			g.A = uniform(r, m*g.LDA)
			var intact func()
			g.C, intact = guarded(t, m*n, r.IntN(16), float32(7))
			if r.IntN(2) == 0 {
				g.Bias = uniform(r, n)
			}
			g.Run(0, g.Units())
			intact()
			want := make([]float64, m*n)
			for i := range m {
				for j := range n {
					for l := range k {
						v := int(q[(j*blocks+l/block)*block/2+l%block/2]>>(l%2*4)&15) - 8
						if b := l / block; zeros != nil {
							v += 8 - int(zeros[j*((blocks+1)/2)+b/2]>>(b%2*4)&15)
						}
						want[i*n+j] += float64(g.A[i*g.LDA+l]) * float64(v) * float64(scales[j*blocks+l/block])
					}
					if g.Bias != nil {
						want[i*n+j] += float64(g.Bias[j])
					}
				}
			}
			wantClose(t, fmt.Sprintf("m=%d n=%d k=%d block=%d", m, n, k, block), g.C, want, 16*sumTolerance(k))
		}
	})
}

func BenchmarkNBits(b *testing.B) {
	const n, k = 2048, 2048
	for _, m := range []int{1, 64} {
		b.Run(fmt.Sprint(m), func(b *testing.B) {
			r := seeded(b)
			g := &NBitsGemm{M: m, A: uniform(r, m*k), LDA: k, B: PackNBits(randomBytes(r, n*k/2), uniform(r, n*k/32), nil, k, n, 32), C: make([]float32, m*n), LDC: n}
			for b.Loop() {
				g.Run(0, g.Units())
			}
			b.ReportMetric(2*n*k*float64(m)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
