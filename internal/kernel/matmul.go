package kernel

import "unsafe"

// MatMul is the task C[i] = alpha * A[i] × B[i] for a batch of products whose right side is computed too, and so is not
// packed ahead: A[i] is M×K, B[i] is K×N (or N×K when TransB is set), C[i] is M×N, all row-major.
type MatMul struct {
	Batch, M, N, K int
	A, B, C        []float32
	LDA, LDB, LDC  int
	TransB         bool
	// AOffset, BOffset and COffset hold where each batch's matrix begins, which is how batches broadcast.
	AOffset, BOffset, COffset []int
	Alpha                     float32 // 0 means 1
	// Bias is N elements added to every row after alpha, or nil.
	Bias []float32
	Act  Activation
}

// Units implements pool.Task: one per batch and panel of columns.
func (g *MatMul) Units() int { return g.Batch * ceilDiv(g.N, panelWidth(active)) }

// Nanos implements pool.Task.
func (g *MatMul) Nanos() int { return productNanos(active, g.Batch*g.M, g.N, g.K) + g.Batch*g.N*g.K/4 }

// Run implements pool.Task.
func (g *MatMul) Run(lo, hi int) {
	if g.M == 0 || g.N == 0 {
		return
	}
	width := panelWidth(active)
	perBatch := ceilDiv(g.N, width)
	s := getScratch()
	defer s.free()
	hold(s, 0, g.A)
	for u := lo; u < hi; u++ {
		i := u / perBatch
		g.panel(s, i, u%perBatch*width)
	}
}

// panel computes one panel of columns of product i.
func (g *MatMul) panel(s *scratch, i, n0 int) {
	isa, full := active, panelWidth(active)
	width := full
	if g.N-n0 <= full/2 {
		width = full / 2
	}
	cols := min(width, g.N-n0)
	lo, hi, clamped := g.Act.clamp()
	alpha := g.Alpha
	if alpha == 0 {
		alpha = 1
	}
	inTile := clamped && alpha == 1
	if !inTile {
		lo, hi = negInf, posInf
	}
	a := &s.tile
	*a = tileArgs{
		taps: 1, ldc: uintptr(g.LDC) * 4, k: uintptr(g.K) * 4, cols: uintptr(cols), lo: lo, hi: hi,
	}
	aAt, bAt, cAt := g.AOffset[i], g.BOffset[i], g.COffset[i]
	_ = g.C[cAt+(g.M-1)*g.LDC+g.N-1]
	if g.K > 0 {
		_ = g.A[aAt+(g.M-1)*g.LDA+g.K-1]
		if direct := isa >= AVX512 && !g.TransB && g.M <= 2*tileRows; direct || (!g.TransB && cols == width && g.M <= 2*tileRows) {
			_ = g.B[bAt+(g.K-1)*g.LDB+g.N-1]
			a.b, a.ldb = unsafe.Pointer(&g.B[bAt+n0]), uintptr(g.LDB)*4
		} else {
			panel := grow(&s.f32, g.K*width)
			packPanel(panel, width, g.B[bAt:], g.K, g.N, n0, g.LDB, g.TransB)
			a.b, a.ldb = unsafe.Pointer(&panel[0]), uintptr(width)*4
		}
	}
	if g.Bias != nil && alpha == 1 {
		_ = g.Bias[g.N-1]
		a.bias = unsafe.Pointer(&g.Bias[n0])
	}
	rows := grow(&s.rows, tileRows)
	a.rows = &rows[0]
	per := rowsPerTile(isa)
	for m := 0; m < g.M; m += per {
		n := min(per, g.M-m)
		if g.K > 0 {
			for r := range n {
				rows[r] = address(&g.A[aAt+(m+r)*g.LDA])
			}
		}
		a.c = unsafe.Pointer(&g.C[cAt+m*g.LDC+n0])
		tiles(isa, a, n, width, full)
		if inTile {
			continue
		}
		for r := range n {
			c := g.C[cAt+(m+r)*g.LDC+n0 : cAt+(m+r)*g.LDC+n0+cols]
			if alpha != 1 {
				MulScalar(c, c, alpha)
				if g.Bias != nil {
					Add(c, c, g.Bias[n0:n0+cols])
				}
			}
			g.Act.Apply(c, c)
		}
	}
}
