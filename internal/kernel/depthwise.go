package kernel

import "unsafe"

// DepthwiseWeights are the weights of a depthwise convolution in the order (KH, KW, C).
type DepthwiseWeights struct {
	data []float32
}

// PackDepthwise packs weights in ONNX's order (C, 1, KH, KW).
func PackDepthwise(w []float32, s ConvShape) *DepthwiseWeights {
	taps := s.KH * s.KW
	d := &DepthwiseWeights{data: alignedFloats(taps * s.C)}
	for c := range s.C {
		for t := range taps {
			d.data[t*s.C+c] = w[c*taps+t]
		}
	}
	return d
}

// Bytes is the memory that the packed weights hold.
func (w *DepthwiseWeights) Bytes() int64 { return int64(len(w.data)) * 4 }

// Depthwise is the task Y = act(conv(X, Weights) + Bias + Residual) where every channel has a kernel of its own: Groups =
// C = OC. Images are NHWC; a vector holds neighbouring channels of one pixel.
type Depthwise struct {
	ConvShape
	X        []float32
	Weights  *DepthwiseWeights
	Y        []float32
	Bias     []float32 // C elements, or nil
	Residual []float32 // like Y, or nil
	Act      Activation
}

// depthwiseArgs is one call of the inner loop: pixels output pixels of one row that read the same kernel positions.
//
//	y[p][c] = clamp(bias[c] + sum over i < kh, j < kw: x[p*stepX + i*rowX + j*colX + c] * w[i*rowW + j*channels + c])
//
// The assembly knows the offsets of the fields. Strides are in bytes.
type depthwiseArgs struct {
	x        unsafe.Pointer // 0
	w        unsafe.Pointer // 8
	y        unsafe.Pointer // 16
	bias     unsafe.Pointer // 24, never nil
	pixels   uintptr        // 32
	channels uintptr        // 40, bytes
	kh, kw   uintptr        // 48, 56
	stepX    uintptr        // 64
	rowX     uintptr        // 72
	colX     uintptr        // 80
	rowW     uintptr        // 88
	lo, hi   float32        // 96, 100
}

// Units implements pool.Task: one per output row.
func (d *Depthwise) Units() int { return d.N * d.OH }

// Nanos implements pool.Task.
func (d *Depthwise) Nanos() int { return productNanos(active, d.N*d.OH*d.OW*d.C*d.KH*d.KW, 1, 1) * 3 }

// Run implements pool.Task.
func (d *Depthwise) Run(lo, hi int) {
	if d.N*d.OH*d.OW*d.C == 0 {
		return
	}
	_ = d.X[d.N*d.H*d.W*d.C-1]
	_ = d.Y[d.N*d.OH*d.OW*d.C-1]
	_ = d.Weights.data[d.KH*d.KW*d.C-1]
	s := getScratch()
	defer s.free()
	bias := d.Bias
	if bias == nil {
		bias = grow(&s.f32, d.C)
		clear(bias)
	}
	_ = bias[d.C-1]
	for u := lo; u < hi; u++ {
		d.row(s, u/d.OH, u%d.OH, bias)
	}
}

// row computes one output row: its inside in one go, the pixels whose kernel hangs over an edge one by one.
func (d *Depthwise) row(s *scratch, img, oy int, bias []float32) {
	lo, hi, clamped := d.Act.clamp()
	if !clamped || d.Residual != nil {
		lo, hi = negInf, posInf
	}
	out := (img*d.OH + oy) * d.OW * d.C
	iy := oy*d.StrideH - d.PadTop
	kh0, kh1 := clipTaps(iy, d.DilationH, d.KH, d.H)
	a := &s.dw
	*a = depthwiseArgs{
		bias: unsafe.Pointer(&bias[0]), channels: uintptr(d.C) * 4,
		stepX: uintptr(d.StrideW*d.C) * 4, rowX: uintptr(d.DilationH*d.W*d.C) * 4, colX: uintptr(d.DilationW*d.C) * 4,
		rowW: uintptr(d.KW*d.C) * 4, lo: lo, hi: hi,
	}
	for ox := 0; ox < d.OW; {
		ix := ox*d.StrideW - d.PadLeft
		kw0, kw1 := clipTaps(ix, d.DilationW, d.KW, d.W)
		n := 1
		if kw0 == 0 && kw1 == d.KW {
			// The last pixel whose kernel is inside.
			if last := (d.W - 1 - (d.KW-1)*d.DilationW + d.PadLeft) / d.StrideW; last >= ox {
				n = min(last, d.OW-1) - ox + 1
			}
		}
		a.kh, a.kw, a.pixels = uintptr(max(0, kh1-kh0)), uintptr(max(0, kw1-kw0)), uintptr(n)
		a.y = unsafe.Pointer(&d.Y[out+ox*d.C])
		a.x, a.w = unsafe.Pointer(&d.X[0]), unsafe.Pointer(&d.Weights.data[0])
		if a.kh > 0 && a.kw > 0 {
			a.x = unsafe.Pointer(&d.X[((img*d.H+iy+kh0*d.DilationH)*d.W+ix+kw0*d.DilationW)*d.C])
			a.w = unsafe.Pointer(&d.Weights.data[(kh0*d.KW+kw0)*d.C])
		} else {
			a.kh, a.kw = 0, 0
		}
		depthwise(active, a)
		ox += n
	}
	if clamped && d.Residual == nil {
		return
	}
	y := d.Y[out : out+d.OW*d.C]
	if d.Residual != nil {
		Add(y, y, d.Residual[out:out+d.OW*d.C])
	}
	if d.Act.Kind != ActNone {
		d.Act.Apply(y, y)
	}
}

// clipTaps returns the kernel positions lo to hi-1 that lie inside a side of n pixels when the first one is at pixel i.
func clipTaps(i, dilation, taps, n int) (lo, hi int) {
	if i < 0 {
		lo = ceilDiv(-i, dilation)
	}
	hi = taps
	if over := i + (taps-1)*dilation - (n - 1); over > 0 {
		hi = taps - ceilDiv(over, dilation)
	}
	return min(lo, taps), max(hi, 0)
}

// depthwiseGeneric is the inner loop in plain Go.
func depthwiseGeneric(a *depthwiseArgs) {
	channels := int(a.channels / 4)
	bias := unsafe.Slice((*float32)(a.bias), channels)
	for p := range a.pixels {
		y := unsafe.Slice((*float32)(unsafe.Add(a.y, p*a.channels)), channels)
		copy(y, bias)
		for i := range a.kh {
			for j := range a.kw {
				x := unsafe.Slice((*float32)(unsafe.Add(a.x, p*a.stepX+i*a.rowX+j*a.colX)), channels)
				w := unsafe.Slice((*float32)(unsafe.Add(a.w, i*a.rowW+j*a.channels)), channels)
				for c := range y {
					y[c] += x[c] * w[c]
				}
			}
		}
		for c, v := range y {
			y[c] = clampTo(v, a.lo, a.hi)
		}
	}
}
