package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// attentionReference computes one output row in float64.
func attentionReference(a *Attention, batch, head, i int) []float64 {
	kv := head
	if a.KVHeads > 0 {
		kv = head / (a.Heads / a.KVHeads)
	}
	keys, past := a.KVLen, a.Past
	if a.Lengths != nil {
		keys = a.Lengths[batch]
		past = keys - a.QLen
	}
	at := func(x []float32, s Strides, h, row, c int) float64 {
		return float64(x[batch*s.Batch+h*s.Head+row*s.Row+c])
	}
	y, sum := make([]float64, a.VDim), 0.0
	for j := range keys {
		if a.Causal && j > i+past || a.Window > 0 && a.Causal && j <= i+past-a.Window {
			continue
		}
		x := 0.0
		for c := range a.Dim {
			x += at(a.Q, a.QStride, head, i, c) * at(a.K, a.KStride, kv, j, c)
		}
		x *= float64(a.Scale)
		if a.Softcap > 0 {
			x = float64(a.Softcap) * math.Tanh(x/float64(a.Softcap))
		}
		if a.Mask != nil {
			x += at(a.Mask, a.MaskStride, head, i, j)
		}
		w := math.Exp(x)
		sum += w
		for c := range y {
			y[c] += w * at(a.V, a.VStride, kv, j, c)
		}
	}
	for c := range y {
		if sum > 0 {
			y[c] /= sum
		}
	}
	return y
}

func TestAttention(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(60) {
			group := 1 + r.IntN(2)
			a := &Attention{
				Batch: 1 + r.IntN(2), KVHeads: 1 + r.IntN(2), QLen: 1 + r.IntN(100), KVLen: 1 + r.IntN(150), Dim: 1 + r.IntN(40),
				VDim: 1 + r.IntN(40), Scale: 0.5, Causal: r.IntN(2) == 0,
			}
			if r.IntN(3) == 0 {
				a.QLen = 1 + r.IntN(2)
			}
			a.Heads = group * a.KVHeads
			a.Past = max(0, a.KVLen-a.QLen)
			if a.Causal && r.IntN(2) == 0 {
				a.Window = 1 + r.IntN(80)
			}
			if r.IntN(3) == 0 {
				a.Softcap = 3
			}
			if r.IntN(3) == 0 && a.KVLen >= a.QLen {
				for range a.Batch {
					a.Lengths = append(a.Lengths, a.QLen+r.IntN(a.KVLen-a.QLen+1))
				}
			}
			// Rows of all heads side by side for queries and output, heads apart for keys and values.
			a.QStride = Strides{a.QLen * a.Heads * a.Dim, a.Dim, a.Heads * a.Dim}
			a.YStride = Strides{a.QLen * a.Heads * a.VDim, a.VDim, a.Heads * a.VDim}
			a.KStride = Strides{a.KVHeads * a.KVLen * a.Dim, a.KVLen * a.Dim, a.Dim}
			a.VStride = Strides{a.KVHeads * a.KVLen * a.VDim, a.KVLen * a.VDim, a.VDim}
			a.Q, a.K = uniform(r, a.Batch*a.QStride.Batch), uniform(r, a.Batch*a.KStride.Batch)
			a.V = uniform(r, a.Batch*a.VStride.Batch)
			var intact func()
			a.Y, intact = guarded(t, a.Batch*a.YStride.Batch, r.IntN(16), float32(7))
			if r.IntN(2) == 0 {
				a.Mask, a.MaskStride = uniform(r, a.QLen*a.KVLen), Strides{Row: a.KVLen}
				a.Mask[r.IntN(len(a.Mask))] = negInf
			}
			a.Run(0, a.Units())
			intact()
			for batch := range a.Batch {
				for head := range a.Heads {
					for i := range a.QLen {
						at := batch*a.YStride.Batch + head*a.YStride.Head + i*a.YStride.Row
						what := fmt.Sprintf("queries %d keys %d dim %d,%d causal %v window %d row %d", a.QLen, a.KVLen, a.Dim, a.VDim, a.Causal, a.Window, i)
						wantClose(t, what, a.Y[at:at+a.VDim], attentionReference(a, batch, head, i), 1e-5)
					}
				}
			}
			whole := slices.Clone(a.Y)
			for u := range a.Units() {
				a.Run(u, u+1)
			}
			if !slices.Equal(whole, a.Y) {
				t.Fatal("units one by one differ from all at once")
			}
		}
	})
}

func BenchmarkAttention(b *testing.B) {
	for _, q := range []int{1, 256} {
		b.Run(fmt.Sprint(q), func(b *testing.B) {
			const heads, keys, dim = 8, 256, 64
			r := seeded(b)
			a := &Attention{Batch: 1, Heads: heads, QLen: q, KVLen: keys, Dim: dim, VDim: dim, Scale: 0.125}
			a.QStride = Strides{Head: q * dim, Row: dim}
			a.KStride = Strides{Head: keys * dim, Row: dim}
			a.VStride, a.YStride = a.KStride, a.QStride
			a.Q, a.K, a.V, a.Y = uniform(r, heads*q*dim), uniform(r, heads*keys*dim), uniform(r, heads*keys*dim), make([]float32, heads*q*dim)
			b.ReportAllocs()
			for b.Loop() {
				a.Run(0, a.Units())
			}
			b.ReportMetric(4*heads*float64(q)*keys*dim*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
