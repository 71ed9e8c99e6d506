package kernel

import "fmt"

// Packed is a K×N float32 matrix in the order that a product's inner loop reads it: panels of a few vectors of columns,
// each panel K rows one after the other, the last panel padded with zeros. It is read-only once packed and can be shared.
type Packed struct {
	K, N  int
	isa   ISA
	panel int // columns of a full panel
	data  []float32
}

// panelWidth is the columns of a panel: two vectors.
func panelWidth(isa ISA) int {
	switch {
	case isa >= AVX512:
		return 32
	case isa >= AVX2:
		return 16
	}
	return 8
}

// Pack packs the K×N matrix b, whose element (k, n) is b[k*ld+n], or b[n*ld+k] when trans is set (an ONNX Gemm with transB,
// a convolution's OI weights). It panics when b is too short.
func Pack(b []float32, k, n, ld int, trans bool) *Packed {
	p := new(Packed)
	p.Repack(b, k, n, ld, trans)
	return p
}

// Repack is Pack into p, reusing its memory when it is large enough.
func (p *Packed) Repack(b []float32, k, n, ld int, trans bool) {
	p.reset(k, n)
	for n0 := 0; n0 < n; n0 += p.panel {
		panel, width := p.panelAt(n0)
		packPanel(panel, width, b, k, n, n0, ld, trans)
	}
}

// reset sizes p for a K×N matrix and the active instruction set.
func (p *Packed) reset(k, n int) {
	if k < 0 || n < 0 {
		panic(fmt.Sprintf("kernel: matrix of %d by %d", k, n))
	}
	p.K, p.N, p.isa, p.panel = k, n, active, panelWidth(active)
	size := PackedSize(k, n)
	if cap(p.data) < size {
		p.data = alignedFloats(size)
	}
	p.data = p.data[:size]
}

// PackedSize is how many float32 a packed K×N matrix holds, padding included.
func PackedSize(k, n int) int {
	w := panelWidth(active)
	full := n / w * w
	rest := n - full
	switch {
	case rest == 0:
	case rest <= w/2:
		full += w / 2
	default:
		full += w
	}
	return k * full
}

// Bytes is the memory that p holds.
func (p *Packed) Bytes() int64 { return int64(len(p.data)) * 4 }

// panelAt returns the panel that begins at column n0, a multiple of p.panel, and its width: half of p.panel for a last one
// of few columns.
func (p *Packed) panelAt(n0 int) (data []float32, width int) {
	width = p.panel
	if p.N-n0 <= width/2 {
		width /= 2
	}
	return p.data[n0*p.K : n0*p.K+width*p.K], width
}

// packPanel fills one panel of width columns from column n0 on, zeros beyond column n-1.
func packPanel(panel []float32, width int, b []float32, k, n, n0, ld int, trans bool) {
	cols := min(width, n-n0)
	if !trans {
		for i := range k {
			row := panel[i*width : i*width+width]
			copy(row, b[i*ld+n0:i*ld+n0+cols])
			clear(row[cols:])
		}
		return
	}
	if cols < width {
		clear(panel[:k*width])
	}
	if k > 0 {
		transposeRect(panel, b[n0*ld:], cols, k, width, ld)
	}
}
