package kernel

import "unsafe"

// narrowOutputs is the most output channels of a convolution whose vectors hold neighbouring pixels.
const narrowOutputs = 4

// narrow reports whether a convolution has so few output channels that they would leave most lanes of a vector empty. Its vectors then
// hold neighbouring pixels of one channel, from input rows that are turned into planes first. An output element is the same sum in
// the same order as elsewhere.
func (s *ConvShape) narrow() bool {
	return s.Groups == 1 && s.OC <= narrowOutputs && s.KW >= 3 && s.StrideW == 1 && s.PadLeft >= 0
}

const (
	// narrowRows is the output rows of one unit, whose input rows become planes together.
	narrowRows = 8
	// narrowCols is a multiple of the columns that every inner loop does at a time.
	narrowCols = 32
)

// narrowArgs is one call of the inner loop, for one output row in planes:
//
//	y[o][j] = bias[o] + sum over i < kh, k < kw, c < channels: planes[i][c*pitch + k*step + j] * w[i][k][c][o]
//
// The assembly knows the offsets of the fields. Pitch, step, ldy and cols are in bytes; planes may be read as far as cols reach.
type narrowArgs struct {
	planes   *uintptr       // kh addresses; 0
	w        unsafe.Pointer // 8
	y        unsafe.Pointer // 16
	bias     unsafe.Pointer // 24
	kh, kw   uintptr        // 32, 40
	channels uintptr        // 48
	pitch    uintptr        // 56
	step     uintptr        // 64
	ldy      uintptr        // 72
	cols     uintptr        // a multiple of narrowCols; 80
}

// narrowGeneric is the inner loop in plain Go.
func narrowGeneric(a *narrowArgs, outputs int) {
	cols := int(a.cols / 4)
	w := unsafe.Slice((*float32)(a.w), int(a.kh*a.kw*a.channels)*outputs)
	for o, b := range unsafe.Slice((*float32)(a.bias), outputs) {
		y := unsafe.Slice((*float32)(unsafe.Add(a.y, uintptr(o)*a.ldy)), cols)
		for j := range y {
			y[j] = b
		}
		at := o
		for _, plane := range unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(a.planes)), int(a.kh)) {
			for k := range a.kw {
				for c := range a.channels {
					x := unsafe.Slice((*float32)(unsafe.Add(plane, c*a.pitch+k*a.step)), cols)
					for j := range y {
						y[j] += x[j] * w[at]
					}
					at += outputs
				}
			}
		}
	}
}

// narrowView is a narrow Conv with what its units share.
type narrowView struct {
	convView
	pitch  int // elements from one channel of a plane to the next
	cols   int // OW, rounded up
	bias   []float32
	zeros  []float32
	planes []float32 // of a unit's input rows
	out    []float32 // one output row in planes
}

// runNarrow computes units lo to hi-1: narrowRows output rows each.
func (c *Conv) runNarrow(lo, hi int) {
	s := getScratch()
	defer s.free()
	v := narrowView{convView: c.view(), cols: ceilDiv(c.OW, narrowCols) * narrowCols}
	v.pitch = max(v.cols+(c.KW-1)*c.DilationW, c.PadLeft+c.W)
	// An odd number of cache lines, so that the channels of a pixel spread over the cache's sets.
	v.pitch = ceilDiv(v.pitch, 16)*16 | 16
	plane := c.C * v.pitch
	rows := (narrowRows-1)*c.StrideH + (c.KH-1)*c.DilationH + 1
	buf := grow(&s.z, (1+rows)*plane+c.OC*v.cols+c.OC)
	cut := func(n int) []float32 { x := buf[:n]; buf = buf[n:]; return x }
	v.zeros, v.planes, v.out, v.bias = cut(plane), cut(rows*plane), cut(c.OC*v.cols), buf
	clear(v.zeros)
	clear(v.bias)
	copy(v.bias, c.Bias)
	blocks := ceilDiv(c.OH, narrowRows)
	for u := lo; u < hi; u++ {
		oy := u % blocks * narrowRows
		v.rows(s, u/blocks, oy, min(oy+narrowRows, c.OH))
	}
}

// rows computes output rows oy0 to oy1-1 of an image.
func (v *narrowView) rows(s *scratch, img, oy0, oy1 int) {
	plane := v.C * v.pitch
	iy0 := max(oy0*v.StrideH-v.PadTop, 0)
	iy1 := min((oy1-1)*v.StrideH-v.PadTop+(v.KH-1)*v.DilationH+1, v.H)
	for iy := iy0; iy < iy1; iy++ {
		v.fill(v.planes[(iy-iy0)*plane:(iy-iy0+1)*plane], v.X[(img*v.H+iy)*v.W*v.xs:])
	}
	w := v.Weights.groups[0]
	table := grow(&s.rows, v.KH)
	a := &s.narrow
	*a = narrowArgs{
		planes: &table[0], w: unsafe.Pointer(&w.data[0]), y: unsafe.Pointer(&v.out[0]), bias: unsafe.Pointer(&v.bias[0]),
		kh: uintptr(v.KH), kw: uintptr(v.KW), channels: uintptr(v.C), pitch: uintptr(v.pitch) * 4, step: uintptr(v.DilationW) * 4,
		ldy: uintptr(v.cols) * 4, cols: uintptr(v.cols) * 4,
	}
	for oy := oy0; oy < oy1; oy++ {
		for kh := range table {
			table[kh] = address(&v.zeros[0])
			if iy := oy*v.StrideH - v.PadTop + kh*v.DilationH; uint(iy) < uint(v.H) {
				table[kh] = address(&v.planes[(iy-iy0)*plane])
			}
		}
		narrowRow(w.isa, a, v.OC)
		at := (img*v.OH + oy) * v.OW
		y := v.Y[at*v.ys : (at+v.OW-1)*v.ys+v.OC]
		transposeRect(y, v.out, v.OC, v.OW, v.ys, v.cols)
		v.finish(y, at)
	}
}

// fill turns a row of the image into planes with zeros on both sides.
func (v *narrowView) fill(planes, x []float32) {
	for c := range v.C {
		p := planes[c*v.pitch : (c+1)*v.pitch]
		clear(p[:v.PadLeft])
		clear(p[v.PadLeft+v.W:])
	}
	transposeRect(planes[v.PadLeft:], x, v.W, v.C, v.pitch, v.xs)
}

// finish adds the residual to the row of output pixels from at on and applies the activation.
func (v *narrowView) finish(y []float32, at int) {
	if v.ys == v.OC && (v.Residual == nil || v.rs == v.OC) {
		if v.Residual != nil {
			Add(y, y, v.Residual[at*v.OC:at*v.OC+len(y)])
		}
		v.Act.Apply(y, y)
		return
	}
	for ox := range v.OW {
		dst := y[ox*v.ys : ox*v.ys+v.OC]
		if v.Residual != nil {
			Add(dst, dst, v.Residual[(at+ox)*v.rs:][:v.OC])
		}
		v.Act.Apply(dst, dst)
	}
}
