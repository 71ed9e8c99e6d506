package kernel

import "unsafe"

// Resize is the task that resamples NHWC images along rows and columns. The caller computes, per output row and column, the
// source positions and weights, which covers every coordinate transformation of ONNX.
type Resize struct {
	N, H, W, C, OH, OW int
	// Y0, Y1 are the two source rows of each output row and FY the weight of Y1; X0, X1 and FX are the same for columns.
	// With FY and FX nil it is a nearest resize from Y0, X0.
	Y0, Y1, X0, X1 []int32
	FY, FX         []float32
	X, Y           []float32
}

// Units implements pool.Task: one per output row.
func (r *Resize) Units() int { return r.N * r.OH }

// Nanos implements pool.Task.
func (r *Resize) Nanos() int { return elementNanos(active, r.N*r.OH*r.OW*r.C, 8) }

// Run implements pool.Task. A linear resize blends two rows of the image and then the pixels of that row.
func (r *Resize) Run(lo, hi int) {
	s := getScratch()
	defer s.free()
	n := r.W * r.C
	for u := lo; u < hi; u++ {
		img, oy := u/r.OH*r.H, u%r.OH
		y := r.Y[u*r.OW*r.C : (u+1)*r.OW*r.C]
		at := (img + int(r.Y0[oy])) * n
		row := r.X[at : at+n]
		if r.FY == nil {
			for ox := range r.OW {
				at := int(r.X0[ox]) * r.C
				copy(y[ox*r.C:(ox+1)*r.C], row[at:at+r.C])
			}
			continue
		}
		if fy := r.FY[oy]; fy != 0 {
			at := (img + int(r.Y1[oy])) * n
			blended := grow(&s.f32, n)
			Sub(blended, r.X[at:at+n], row)
			MulScalar(blended, blended, fy)
			Add(blended, blended, row)
			row = blended
		}
		r.columns(s, y, row)
	}
}

// resizeArgs is one row of a linear resize: y[p][c] = a + f*(b-a) with a = row[x0[p]][c], b = row[x1[p]][c] and f = fx[p]. The
// assembly knows the offsets of the fields.
type resizeArgs struct {
	row, y   unsafe.Pointer // 0, 8
	x0, x1   unsafe.Pointer // 16, 24
	fx       unsafe.Pointer // 32
	pixels   uintptr        // 40
	channels uintptr        // bytes; 48
}

// columns computes one output row from a row of the image.
func (r *Resize) columns(s *scratch, y, row []float32) {
	if len(y) == 0 {
		return
	}
	for ox := range r.OW { // what the inner loop reads
		_, _, _ = row[(int(r.X0[ox])+1)*r.C-1], row[(int(r.X1[ox])+1)*r.C-1], r.FX[ox]
	}
	a := &s.resize
	*a = resizeArgs{
		row: unsafe.Pointer(&row[0]), y: unsafe.Pointer(&y[0]), x0: unsafe.Pointer(&r.X0[0]), x1: unsafe.Pointer(&r.X1[0]),
		fx: unsafe.Pointer(&r.FX[0]), pixels: uintptr(r.OW), channels: uintptr(r.C) * 4,
	}
	resizeRow(active, a)
}

// resizeRowGeneric is the inner loop in plain Go.
func resizeRowGeneric(a *resizeArgs) {
	channels := int(a.channels / 4)
	for p := range a.pixels {
		x0, x1 := *(*int32)(unsafe.Add(a.x0, 4*p)), *(*int32)(unsafe.Add(a.x1, 4*p))
		f := *(*float32)(unsafe.Add(a.fx, 4*p))
		left := unsafe.Slice((*float32)(unsafe.Add(a.row, uintptr(x0)*a.channels)), channels)
		right := unsafe.Slice((*float32)(unsafe.Add(a.row, uintptr(x1)*a.channels)), channels)
		for c, v := range left {
			*(*float32)(unsafe.Add(a.y, p*a.channels+uintptr(c)*4)) = v + f*(right[c]-v)
		}
	}
}
