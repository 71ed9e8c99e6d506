package kernel

import "unsafe"

// ConvTranspose is the task Y = act(convT(X, Weights) + Bias) over NHWC images that are not empty: the gradient of a convolution, which spreads
// each input pixel over the output. Its shape has the input in H, W and C and the output in OH, OW and OC; padding is what
// the output lacks at its beginning.
//
// Output pixels whose row and column leave the same remainder by the strides read the same kernel positions: such a phase
// is a convolution of its own with stride 1, and an indirect product.
type ConvTranspose struct {
	ConvShape
	X       []float32
	Weights *ConvTransposeWeights
	Y       []float32
	Bias    []float32 // OC elements, or nil
	Act     Activation
}

// ConvTransposeWeights are the weights packed per group and phase. They are read-only and can be shared.
type ConvTransposeWeights struct {
	phases []transposePhase // StrideH*StrideW of them, rows first
}

// transposePhase is the kernel positions of the output pixels (i*StrideH+r, j*StrideW+c) for one (r, c), and their weights.
type transposePhase struct {
	taps   []transposeTap
	groups []*Packed // rows are tap, input channel
}

// transposeTap is a kernel position: it reads input pixel (i+dy, j+dx).
type transposeTap struct{ dy, dx, kh, kw int }

// phaseTaps lists one dimension's kernel positions that reach output remainder r, with their input offsets: output
// i*stride+r gets input i+d when (i+d)*stride + k*dilation - pad = i*stride+r.
func phaseTaps(r, kernel, stride, dilation, pad int) (ks, ds []int) {
	for k := range kernel {
		if at := r + pad - k*dilation; at%stride == 0 {
			ks, ds = append(ks, k), append(ds, at/stride)
		}
	}
	return ks, ds
}

// PackConvTranspose packs weights in ONNX's order (C, OC/Groups, KH, KW).
func PackConvTranspose(w []float32, s ConvShape) *ConvTransposeWeights {
	ic, oc := s.C/s.Groups, s.OC/s.Groups
	cw := &ConvTransposeWeights{}
	for r := range s.StrideH {
		khs, dys := phaseTaps(r, s.KH, s.StrideH, s.DilationH, s.PadTop)
		for c := range s.StrideW {
			kws, dxs := phaseTaps(c, s.KW, s.StrideW, s.DilationW, s.PadLeft)
			var p transposePhase
			for i, kh := range khs {
				for j, kw := range kws {
					p.taps = append(p.taps, transposeTap{dys[i], dxs[j], kh, kw})
				}
			}
			m := make([]float32, len(p.taps)*ic*oc)
			for g := range s.Groups {
				for t, tap := range p.taps {
					for i := range ic {
						for o := range oc {
							m[(t*ic+i)*oc+o] = w[(((g*ic+i)*oc+o)*s.KH+tap.kh)*s.KW+tap.kw]
						}
					}
				}
				p.groups = append(p.groups, Pack(m, len(p.taps)*ic, oc, oc, false))
			}
			cw.phases = append(cw.phases, p)
		}
	}
	return cw
}

// Bytes is the memory that the packed weights hold.
func (w *ConvTransposeWeights) Bytes() int64 {
	var n int64
	for _, p := range w.phases {
		for _, g := range p.groups {
			n += g.Bytes()
		}
	}
	return n
}

// Units implements pool.Task: one per output row.
func (c *ConvTranspose) Units() int { return c.N * c.OH }

// Nanos implements pool.Task.
func (c *ConvTranspose) Nanos() int {
	return productNanos(active, c.N*c.H*c.W*c.KH*c.KW, c.C/c.Groups, c.OC) + c.N*c.OH*c.OW
}

// Run implements pool.Task.
func (c *ConvTranspose) Run(lo, hi int) {
	if c.N*c.OH*c.OW*c.OC == 0 {
		return
	}
	if c.N*c.H*c.W*c.C == 0 {
		return
	}
	_ = c.X[c.N*c.H*c.W*c.C-1]
	_ = c.Y[c.N*c.OH*c.OW*c.OC-1]
	if c.Bias != nil {
		_ = c.Bias[c.OC-1]
	}
	s := getScratch()
	defer s.free()
	hold(s, 0, c.X)
	zero := grow(&s.f32, c.C)
	clear(zero)
	for u := lo; u < hi; u++ {
		for r := range min(c.StrideW, c.OW) {
			p := &c.Weights.phases[u%c.OH%c.StrideH*c.StrideW+r]
			for g := range c.Groups {
				c.row(s, p, u/c.OH, u%c.OH, r, g, zero)
			}
		}
		if _, _, clamped := c.Act.clamp(); !clamped {
			y := c.Y[u*c.OW*c.OC : (u+1)*c.OW*c.OC]
			c.Act.Apply(y, y)
		}
	}
}

// row computes the pixels r, r+StrideW... of output row oy and the channels of group g.
func (c *ConvTranspose) row(s *scratch, p *transposePhase, img, oy, r, g int, zero []float32) {
	ic, oc := c.C/c.Groups, c.OC/c.Groups
	w := p.groups[g]
	pixels, taps := ceilDiv(c.OW-r, c.StrideW), len(p.taps)
	per := rowsPerTile(w.isa)
	rows := grow(&s.rows, tableSize(pixels, per, max(1, taps)))
	none := address(unsafe.SliceData(zero))
	for t, tap := range p.taps {
		iy := oy/c.StrideH + tap.dy
		addr := address(&c.X[0]) + uintptr(((img*c.H+iy)*c.W+tap.dx)*c.C+g*ic)*4
		at := t * tileRows
		for j := range pixels {
			i := at + tableAt(j, per, taps)
			rows[i] = none
			if uint(iy) < uint(c.H) && uint(j+tap.dx) < uint(c.W) {
				rows[i] = addr
			}
			addr += uintptr(c.C) * 4
		}
	}
	lo, hi, clamped := c.Act.clamp()
	if !clamped {
		lo, hi = negInf, posInf
	}
	a := &s.tile
	*a = tileArgs{ldc: uintptr(c.StrideW*c.OC) * 4, taps: uintptr(taps), k: uintptr(ic) * 4, lo: lo, hi: hi}
	base := (img*c.OH+oy)*c.OW + r
	for n := 0; n < oc; n += w.panel {
		panel, width := w.panelAt(n)
		a.b, a.ldb, a.cols = unsafe.Pointer(unsafe.SliceData(panel)), uintptr(width)*4, uintptr(min(width, oc-n))
		if c.Bias != nil {
			a.bias = unsafe.Pointer(&c.Bias[g*oc+n])
		}
		a.rows = &rows[0]
		a.c = unsafe.Pointer(&c.Y[base*c.OC+g*oc+n])
		tiles(w.isa, a, pixels, width, w.panel)
	}
}
