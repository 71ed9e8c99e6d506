package kernel

import (
	"fmt"
	"unsafe"
)

// NBits is a K×N matrix of 4-bit weights in blocks of Block consecutive k, each block with a scale and a zero point per
// column: (q-zero) * scale. It is read-only once packed and can be shared.
//
// Packed, a panel is two vectors of columns; a row of it is one byte for two columns, which are one vector apart.
type NBits struct {
	K, N, Block   int
	isa           ISA
	panel, blocks int
	data          []byte
	scales, zeros []float32 // per panel, block and column
}

// PackNBits packs weights as ONNX's MatMulNBits has them: q is (N, blocks, Block/2) bytes with the lower k in the low half,
// scales is (N, blocks), zeros is (N, (blocks+1)/2) bytes likewise or nil for 8 everywhere. block is even.
func PackNBits(q []byte, scales []float32, zeros []byte, k, n, block int) *NBits {
	if block <= 0 || block%2 != 0 {
		panic(fmt.Sprintf("kernel: blocks of %d weights", block))
	}
	w := &NBits{K: k, N: n, Block: block, isa: active, panel: panelWidth(active), blocks: ceilDiv(k, block)}
	panels, half := ceilDiv(n, w.panel), w.panel/2
	w.data = make([]byte, panels*k*half)
	w.scales, w.zeros = alignedFloats(panels*w.blocks*w.panel), alignedFloats(panels*w.blocks*w.panel)
	for j := range n {
		p, c := j/w.panel, j%w.panel
		for b := range w.blocks {
			at := (p*w.blocks+b)*w.panel + c
			w.scales[at] = scales[j*w.blocks+b]
			w.zeros[at] = 8
			if zeros != nil {
				w.zeros[at] = float32(zeros[j*((w.blocks+1)/2)+b/2] >> (b % 2 * 4) & 15)
			}
		}
		for i := range k {
			v := q[(j*w.blocks+i/block)*(block/2)+i%block/2] >> (i % 2 * 4) & 15
			w.data[(p*k+i)*half+c%half] |= v << (c / half * 4)
		}
	}
	return w
}

// Bytes is the memory that w holds.
func (w *NBits) Bytes() int64 { return int64(len(w.data)) + 4*int64(len(w.scales)+len(w.zeros)) }

// NBitsGemm is the task C = act(A × B + Bias): A is M×K float32, B is 4-bit weights.
type NBitsGemm struct {
	M    int
	A    []float32 // element (m, k) at A[m*LDA+k]
	LDA  int
	B    *NBits
	C    []float32 // element (m, n) at C[m*LDC+n]
	LDC  int
	Bias []float32 // N elements, or nil
	Act  Activation
}

// nbitsArgs is one call of the inner loop, for up to tileRows rows by one panel of columns:
//
//	C[r][j] = sum over k: A[r][k] * (B[k][j]-zeros[k/block][j]) * scales[k/block][j]
//
// The assembly knows the offsets of the fields.
type nbitsArgs struct {
	rows   *uintptr       // tileRows addresses to float32; 0
	b      unsafe.Pointer // 8
	c      unsafe.Pointer // tileRows × panel float32; 16
	scales unsafe.Pointer // 24
	zeros  unsafe.Pointer // 32
	k      uintptr        // 40
	block  uintptr        // 48
}

// Units implements pool.Task: one per panel.
func (g *NBitsGemm) Units() int { return ceilDiv(g.B.N, g.B.panel) }

// Nanos implements pool.Task.
func (g *NBitsGemm) Nanos() int { return productNanos(g.B.isa, g.M+3, g.B.N, g.B.K) }

// Run implements pool.Task.
func (g *NBitsGemm) Run(lo, hi int) {
	b := g.B
	if g.M == 0 || b.N == 0 {
		return
	}
	if b.K > 0 {
		_ = g.A[(g.M-1)*g.LDA+b.K-1]
	}
	s := getScratch()
	defer s.free()
	hold(s, 0, g.A)
	tile := grow(&s.f32, tileRows*b.panel)
	rows := grow(&s.rows, tileRows)
	a := &s.nbits
	*a = nbitsArgs{rows: &rows[0], c: unsafe.Pointer(&tile[0]), k: uintptr(b.K), block: uintptr(b.Block)}
	for p := lo; p < hi; p++ {
		if b.K > 0 {
			a.b = unsafe.Pointer(&b.data[p*b.K*b.panel/2])
			a.scales, a.zeros = unsafe.Pointer(&b.scales[p*b.blocks*b.panel]), unsafe.Pointer(&b.zeros[p*b.blocks*b.panel])
		}
		n0 := p * b.panel
		cols := min(b.panel, b.N-n0)
		for m := 0; m < g.M; m += tileRows {
			n := min(tileRows, g.M-m)
			if b.K > 0 {
				for r := range n {
					rows[r] = address(&g.A[(m+r)*g.LDA])
				}
			}
			nbitsTile(b.isa, a, n, b.panel)
			for r := range n {
				c := g.C[(m+r)*g.LDC+n0 : (m+r)*g.LDC+n0+cols]
				copy(c, tile[r*b.panel:])
				if g.Bias != nil {
					Add(c, c, g.Bias[n0:n0+cols])
				}
				if g.Act.Kind != ActNone {
					g.Act.Apply(c, c)
				}
			}
		}
	}
}

// nbitsTileGeneric is the inner loop in plain Go.
func nbitsTileGeneric(a *nbitsArgs, rows, panel int) {
	k, block, half := int(a.k), int(a.block), panel/2
	data := unsafe.Slice((*byte)(a.b), k*half)
	blocks := ceilDiv(k, block)
	scales, zeros := unsafe.Slice((*float32)(a.scales), blocks*panel), unsafe.Slice((*float32)(a.zeros), blocks*panel)
	pointers := unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(a.rows)), tileRows)
	c := unsafe.Slice((*float32)(a.c), tileRows*panel)
	clear(c[:rows*panel])
	for i := range k {
		at := i / block * panel
		for j := range panel {
			q := data[i*half+j%half] >> (j / half * 4) & 15
			w := (float32(q) - zeros[at+j]) * scales[at+j]
			for r := range rows {
				c[r*panel+j] += *(*float32)(unsafe.Add(pointers[r], 4*i)) * w
			}
		}
	}
}
