package kernel

import "unsafe"

// Gemm is the task C = act(A × B + Bias + Residual): A is M×K and row-major, B is K×N and packed, C is M×N.
type Gemm struct {
	M    int
	A    []float32 // element (m, k) at A[m*LDA+k]
	LDA  int
	B    *Packed
	C    []float32 // element (m, n) at C[m*LDC+n]
	LDC  int
	Bias []float32 // N elements, or nil
	// Residual is added before the activation: element (m, n) at Residual[m*LDR+n]; nil for none. It may be C itself.
	Residual []float32
	LDR      int
	Act      Activation
}

const (
	// blockRows and blockCols size one unit of a product: its part of A stays in the second-level cache while the panels of
	// B pass by.
	blockRows = 64
	blockCols = 128
	// blockK is how much of K passes before the accumulators go to memory and back.
	blockK = 512
)

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// Units implements pool.Task.
func (g *Gemm) Units() int { return ceilDiv(g.M, blockRows) * ceilDiv(g.B.N, blockCols) }

// Nanos implements pool.Task.
func (g *Gemm) Nanos() int { return productNanos(g.B.isa, g.M, g.B.N, g.B.K) }

// productNanos estimates the time of a float32 product from the instruction set's usual rate.
func productNanos(isa ISA, m, n, k int) int {
	perNano := 1
	switch {
	case isa >= AVX2:
		perNano = 32
	case isa >= NEON:
		perNano = 8
	}
	return m * n * k / perNano
}

// Run implements pool.Task: units lo to hi-1, where a unit is a block of C.
func (g *Gemm) Run(lo, hi int) {
	if g.M == 0 || g.B.N == 0 {
		return
	}
	mBlocks := ceilDiv(g.M, blockRows)
	g.check()
	s := getScratch()
	defer s.free()
	hold(s, 0, g.A)
	for u := lo; u < hi; u++ {
		m0, n0 := u%mBlocks*blockRows, u/mBlocks*blockCols
		g.block(s, m0, min(m0+blockRows, g.M), n0, min(n0+blockCols, g.B.N))
	}
}

// check reads the last element of every operand, so that a short slice is an index panic and not a wild read.
func (g *Gemm) check() {
	n, k := g.B.N, g.B.K
	if k > 0 {
		_ = g.A[(g.M-1)*g.LDA+k-1]
	}
	_ = g.C[(g.M-1)*g.LDC+n-1]
	if g.Bias != nil {
		_ = g.Bias[n-1]
	}
	if g.Residual != nil {
		_ = g.Residual[(g.M-1)*g.LDR+n-1]
	}
}

// block computes rows m0 to m1-1 and columns n0 to n1-1 of C.
func (g *Gemm) block(s *scratch, m0, m1, n0, n1 int) {
	lo, hi, clamped := g.Act.clamp()
	if !clamped {
		lo, hi = negInf, posInf
	}
	k := g.B.K
	per := rowsPerTile(g.B.isa)
	rows := grow(&s.rows, tableSize(m1-m0, per, 1))
	a := &s.tile
	*a = tileArgs{taps: 1, ldc: uintptr(g.LDC) * 4, ldr: uintptr(g.LDR) * 4}
	for k0 := 0; k0 == 0 || k0 < k; k0 += blockK {
		kn := min(blockK, k-k0)
		if kn > 0 {
			for m := m0; m < m1; m++ {
				rows[tableAt(m-m0, per, 1)] = address(&g.A[m*g.LDA+k0])
			}
		}
		first, last := k0 == 0, k0+kn >= k
		a.k = uintptr(kn) * 4
		a.lo, a.hi, a.acc = negInf, posInf, 1
		if first {
			a.acc = 0
		}
		if last {
			a.lo, a.hi = lo, hi
		}
		for n := n0; n < n1; n += g.B.panel {
			panel, width := g.B.panelAt(n)
			a.ldb = uintptr(width) * 4
			a.cols = uintptr(min(width, n1-n))
			if kn > 0 {
				a.b = unsafe.Pointer(&panel[k0*width])
			}
			a.bias = nil
			if first && g.Bias != nil {
				a.bias = unsafe.Pointer(&g.Bias[n])
			}
			a.rows = &rows[0]
			a.c = unsafe.Pointer(&g.C[m0*g.LDC+n])
			if a.residual = nil; last && g.Residual != nil {
				a.residual = unsafe.Pointer(&g.Residual[m0*g.LDR+n])
			}
			tiles(g.B.isa, a, m1-m0, width, g.B.panel)
		}
	}
	switch {
	case clamped:
	case n1-n0 == g.LDC:
		c := g.C[m0*g.LDC : m1*g.LDC]
		g.Act.Apply(c, c)
	default:
		for m := m0; m < m1; m++ {
			c := g.C[m*g.LDC+n0 : m*g.LDC+n1]
			g.Act.Apply(c, c)
		}
	}
}
