package kernel

import "unsafe"

// ConvShape is the geometry of a two-dimensional convolution or pooling over NHWC images; one-dimensional ones have H = 1.
// Padding after the last row and column is what OH and OW imply.
type ConvShape struct {
	N, H, W, C           int // input
	OH, OW, OC           int // output
	KH, KW               int
	StrideH, StrideW     int // 1 or more
	DilationH, DilationW int // 1 or more
	PadTop, PadLeft      int
	Groups               int // 1 or more; of C/Groups input and OC/Groups output channels
}

// MACs is the multiply-accumulates of a convolution of this shape.
func (s *ConvShape) MACs() int {
	return s.N * s.OH * s.OW * s.OC * s.KH * s.KW * s.C / max(1, s.Groups)
}

// pointwise reports whether the convolution is a plain product of pixels by weights.
func (s *ConvShape) pointwise() bool {
	return s.KH == 1 && s.KW == 1 && s.StrideH == 1 && s.StrideW == 1 && s.PadTop == 0 && s.PadLeft == 0 &&
		s.OH == s.H && s.OW == s.W
}

// ConvWeights are a convolution's weights, packed: one matrix per group, whose rows are kernel row, kernel column, input
// channel. They are read-only and can be shared.
type ConvWeights struct {
	groups []*Packed
	narrow bool // one panel of as many columns as there are output channels
}

// PackConv packs weights in ONNX's order (OC, C/Groups, KH, KW).
func PackConv(w []float32, s ConvShape) *ConvWeights {
	ic, oc, taps := s.C/s.Groups, s.OC/s.Groups, s.KH*s.KW
	k := ic * taps
	cw := &ConvWeights{groups: make([]*Packed, s.Groups), narrow: s.narrow()}
	for g := range cw.groups {
		src := w[g*oc*k : (g+1)*oc*k]
		if cw.narrow {
			rows := make([]float32, oc*k)
			channelsInner(rows, src, taps, ic)
			cw.groups[g] = &Packed{K: k, N: oc, isa: active, panel: oc, data: make([]float32, k*oc)}
			packPanel(cw.groups[g].data, oc, rows, k, oc, 0, k, true)
			continue
		}
		if taps == 1 {
			cw.groups[g] = Pack(src, k, oc, k, true)
			continue
		}
		// Panel by panel, so that a panel's rows are still in the cache when they are transposed.
		p := new(Packed)
		p.reset(k, oc)
		rows := make([]float32, min(p.panel, oc)*k)
		for n0 := 0; n0 < oc; n0 += p.panel {
			panel, width := p.panelAt(n0)
			n := min(width, oc-n0)
			channelsInner(rows[:n*k], src[n0*k:(n0+n)*k], taps, ic)
			packPanel(panel, width, rows, k, n, 0, k, true)
		}
		cw.groups[g] = p
	}
	return cw
}

// channelsInner reorders output channels' weights from (ic, taps) to (taps, ic).
func channelsInner(dst, src []float32, taps, ic int) {
	k := taps * ic
	for o := 0; o < len(src); o += k {
		to, from := dst[o:o+k], src[o:o+k]
		for c := range ic {
			for t := range taps {
				to[t*ic+c] = from[c*taps+t]
			}
		}
	}
}

// Bytes is the memory that the packed weights hold.
func (w *ConvWeights) Bytes() int64 {
	var n int64
	for _, p := range w.groups {
		n += p.Bytes()
	}
	return n
}

// Conv is the task Y = act(conv(X, Weights) + Bias + Residual) over NHWC images, an indirect product: for each tile of
// output pixels it makes a table of pointers to the input pixels of every kernel position (Dukhan, "The Indirect
// Convolution Algorithm", 2019), and never the matrix of patches. Positions outside of the image point to zeros. Where a
// kernel row's pixels are neighbours in memory, they are one longer position.
type Conv struct {
	ConvShape
	X       []float32
	Weights *ConvWeights
	Y       []float32
	Bias    []float32 // OC elements, or nil
	// Residual has Y's shape and is added before the activation; nil for none. It may be Y itself.
	Residual []float32
	Act      Activation
	// XStride, YStride and RStride are the elements from one pixel to the next of X, Y and Residual; 0 means C, OC and OC.
	// With them a convolution reads or writes some channels of a wider image (a Concat or Split that never moves).
	XStride, YStride, RStride int
}

// convCols is the columns of one unit.
const convCols = 128

// layout is the pixels of a unit, neighbours in one image or the end of one and the beginning of the next, and how many blocks of
// pixels and of a group's columns there are.
func (c *Conv) layout() (pixels, blocks, colBlocks int) {
	all := c.N * c.OH * c.OW
	colBlocks = ceilDiv(c.OC/c.Groups, convCols)
	pixels = unitRows(all, colBlocks*c.Groups)
	return pixels, ceilDiv(all, pixels), colBlocks
}

// Units implements pool.Task.
func (c *Conv) Units() int {
	if c.Weights.narrow {
		return c.N * ceilDiv(c.OH, narrowRows)
	}
	_, blocks, colBlocks := c.layout()
	return blocks * colBlocks * c.Groups
}

// Nanos implements pool.Task.
func (c *Conv) Nanos() int { return productNanos(active, c.MACs(), 1, 1) }

// Run implements pool.Task.
func (c *Conv) Run(lo, hi int) {
	if c.N*c.OH*c.OW*c.OC == 0 {
		return
	}
	if c.Weights.narrow {
		c.runNarrow(lo, hi)
		return
	}
	v := c.view()
	pixels, blocks, colBlocks := c.layout()
	s := getScratch()
	defer s.free()
	hold(s, 0, c.X)
	made := -1
	for u := lo; u < hi; u++ {
		// The table of a block serves all of its column blocks, which come one after the other.
		cb, rest := u%colBlocks, u/colBlocks
		b, g := rest%blocks, rest/blocks
		p0 := b * pixels
		p1 := min(p0+pixels, c.N*c.OH*c.OW)
		if rest != made {
			v.table(s, p0, p1, g)
			made = rest
		}
		n := c.OC / c.Groups
		v.block(s, g, p0, p1, cb*convCols, min((cb+1)*convCols, n))
	}
}

// convView is a Conv with its defaults resolved.
type convView struct {
	*Conv
	xs, ys, rs int
	merged     bool // a kernel row is one tap
	taps, k    int  // taps and channels of one tap
	ic         int
	per        int // rows of a tile
}

func (c *Conv) view() convView {
	v := convView{Conv: c, xs: c.XStride, ys: c.YStride, rs: c.RStride, ic: c.C / c.Groups, per: rowsPerTile(c.Weights.groups[0].isa)}
	if v.xs == 0 {
		v.xs = c.C
	}
	if v.ys == 0 {
		v.ys = c.OC
	}
	if v.rs == 0 {
		v.rs = c.OC
	}
	v.merged = c.Groups == 1 && v.xs == c.C && c.DilationW == 1 && c.KW > 1
	v.taps, v.k = c.KH*c.KW, v.ic
	if v.merged {
		v.taps, v.k = c.KH, c.KW*c.C
	}
	pixels := c.N * c.OH * c.OW
	_ = c.X[(c.N*c.H*c.W-1)*v.xs+c.C-1]
	_ = c.Y[(pixels-1)*v.ys+c.OC-1]
	if c.Bias != nil {
		_ = c.Bias[c.OC-1]
	}
	if c.Residual != nil {
		_ = c.Residual[(pixels-1)*v.rs+c.OC-1]
	}
	return v
}

// table fills s.rows with the addresses of output pixels p0 to p1-1 for group g: [tile][tap][row of tile]. With merged taps,
// a kernel row that hangs over the image's left or right edge is copied, padded with zeros, to s.f32.
func (v *convView) table(s *scratch, p0, p1, g int) {
	rows := grow(&s.rows, tableSize(p1-p0, v.per, v.taps))
	// The first k elements stay zero; padded kernel rows follow.
	size := v.k
	if v.merged {
		size *= 1 + (p1-p0)*v.KH
	}
	pad := grow(&s.f32, size)
	clear(pad[:v.k])
	t := convTable{convView: v, rows: rows, zero: address(&pad[0]), pad: pad[v.k:], x: address(&v.X[0])}
	if v.pointwise() {
		t.fill(0, 0, p1-p0, t.x+uintptr(p0*v.xs+g*v.ic)*4, uintptr(v.xs)*4)
		return
	}
	for p := p0; p < p1; {
		ox, oy, img := p%v.OW, p/v.OW%v.OH, p/v.OW/v.OH
		n := min(p1-p, v.OW-ox)
		lo, hi := v.inside(ox, n)
		for i := range n {
			switch {
			case i == lo && hi > lo:
				t.run(p-p0+i, hi-lo, img, oy, ox+i, g*v.ic)
			case i > lo && i < hi: // done with the first of them
			case v.merged:
				t.mergedPixel(rows[tableAt(p-p0+i, v.per, v.taps):], img, oy, ox+i)
			default:
				t.pixel(rows[tableAt(p-p0+i, v.per, v.taps):], img, oy, ox+i, g*v.ic)
			}
		}
		p += n
	}
}

// inside returns which of n output columns from ox on have their whole kernel inside the image's left and right edge: lo to
// hi-1, counted from ox.
func (s *ConvShape) inside(ox, n int) (lo, hi int) {
	lo = min(max(ceilDiv(s.PadLeft, s.StrideW)-ox, 0), n)
	if last := s.W - 1 - (s.KW-1)*s.DilationW + s.PadLeft; last >= 0 {
		hi = min(last/s.StrideW-ox+1, n)
	}
	return lo, max(lo, hi)
}

// convTable is a table under construction.
type convTable struct {
	*convView
	rows []uintptr
	zero uintptr   // address of zeros
	pad  []float32 // free space for padded kernel rows
	x    uintptr   // address of X
}

// run fills the addresses of n neighbouring pixels of one output row that are inside; first is the first one's place in the
// table.
func (t *convTable) run(first, n, img, oy, ox, channel int) {
	iy0, ix0 := oy*t.StrideH-t.PadTop, ox*t.StrideW-t.PadLeft
	step := uintptr(t.StrideW*t.xs) * 4
	kws := t.KW
	if t.merged {
		kws = 1
	}
	for kh := range t.KH {
		iy := iy0 + kh*t.DilationH
		addr, next := t.x+uintptr(((img*t.H+iy)*t.W+ix0)*t.xs+channel)*4, step
		if uint(iy) >= uint(t.H) {
			addr, next = t.zero, 0
		}
		for kw := range kws {
			t.fill(kh*kws+kw, first, n, addr, next)
			if next != 0 {
				addr += uintptr(t.DilationW*t.xs) * 4
			}
		}
	}
}

// fill sets tap's addresses of n rows from first on to addr and what follows it in steps.
func (t *convTable) fill(tap, first, n int, addr, step uintptr) {
	for n > 0 {
		m := min(t.per-first%t.per, n)
		tile := t.rows[tableAt(first, t.per, t.taps)+tap*tileRows:]
		if m == tileRows {
			whole := (*[tileRows]uintptr)(tile)
			whole[0], whole[1], whole[2], whole[3] = addr, addr+step, addr+2*step, addr+3*step
			addr += 4 * step
			whole[4], whole[5], whole[6], whole[7] = addr, addr+step, addr+2*step, addr+3*step
			addr += 4 * step
		} else {
			for i := range tile[:m] {
				tile[i] = addr
				addr += step
			}
		}
		first, n = first+m, n-m
	}
}

// pixel fills one pixel's addresses, one per kernel position; channel is the first one of the group.
func (t *convTable) pixel(at []uintptr, img, oy, ox, channel int) {
	iy0, ix0 := oy*t.StrideH-t.PadTop, ox*t.StrideW-t.PadLeft
	i := 0
	for kh := range t.KH {
		iy := iy0 + kh*t.DilationH
		row := t.x + uintptr((img*t.H+iy)*t.W*t.xs+channel)*4
		inside := uint(iy) < uint(t.H)
		for kw := range t.KW {
			at[i] = t.zero
			if ix := ix0 + kw*t.DilationW; inside && uint(ix) < uint(t.W) {
				at[i] = row + uintptr(ix*t.xs)*4
			}
			i += tileRows
		}
	}
}

// mergedPixel fills one pixel's addresses, one per kernel row.
func (t *convTable) mergedPixel(at []uintptr, img, oy, ox int) {
	iy0, ix0 := oy*t.StrideH-t.PadTop, ox*t.StrideW-t.PadLeft
	whole := ix0 >= 0 && ix0+t.KW <= t.W
	first, last := max(ix0, 0), min(ix0+t.KW, t.W)
	for kh := range t.KH {
		iy := iy0 + kh*t.DilationH
		row := (img*t.H + iy) * t.W
		switch {
		case uint(iy) >= uint(t.H) || first >= last:
			at[kh*tileRows] = t.zero
		case whole:
			at[kh*tileRows] = t.x + uintptr((row+ix0)*t.C)*4
		default:
			dst := t.pad[:t.k]
			t.pad = t.pad[t.k:]
			padTap(dst, t.X[(row+first)*t.C:(row+last)*t.C], (first-ix0)*t.C)
			at[kh*tileRows] = address(&dst[0])
		}
	}
}

// padTap copies x to dst from element from on and clears the rest of it.
func padTap(dst, x []float32, from int) {
	const short = 16 // elements that a loop has done before a call has begun
	if len(dst) > short {
		clear(dst[:from])
		copy(dst[from:], x)
		clear(dst[from+len(x):])
		return
	}
	for i := range dst {
		v := float32(0)
		if j := i - from; uint(j) < uint(len(x)) {
			v = x[j]
		}
		dst[i] = v
	}
}

// block computes output pixels p0 to p1-1 and columns n0 to n1-1 of group g from the table of those pixels.
func (v *convView) block(s *scratch, g, p0, p1, n0, n1 int) {
	lo, hi, clamped := v.Act.clamp()
	if !clamped {
		lo, hi = negInf, posInf
	}
	w := v.Weights.groups[g]
	base := g * (v.OC / v.Groups)
	a := &s.tile
	*a = tileArgs{
		ldc: uintptr(v.ys) * 4, ldr: uintptr(v.rs) * 4, taps: uintptr(v.taps), k: uintptr(v.k) * 4, lo: lo, hi: hi,
	}
	for n := n0; n < n1; n += w.panel {
		panel, width := w.panelAt(n)
		a.b, a.ldb, a.cols = unsafe.Pointer(unsafe.SliceData(panel)), uintptr(width)*4, uintptr(min(width, n1-n))
		if v.Bias != nil {
			a.bias = unsafe.Pointer(&v.Bias[base+n])
		}
		a.rows = &s.rows[0]
		a.c = unsafe.Pointer(&v.Y[p0*v.ys+base+n])
		if v.Residual != nil {
			a.residual = unsafe.Pointer(&v.Residual[p0*v.rs+base+n])
		}
		tiles(w.isa, a, p1-p0, width, w.panel)
	}
	switch {
	case clamped:
	case n1-n0 == v.ys:
		y := v.Y[p0*v.ys : p1*v.ys]
		v.Act.Apply(y, y)
	default:
		for p := p0; p < p1; p++ {
			y := v.Y[p*v.ys+base+n0 : p*v.ys+base+n1]
			v.Act.Apply(y, y)
		}
	}
}
