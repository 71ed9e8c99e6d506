package kernel

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

// Run implements pool.Task.
func (r *Resize) Run(lo, hi int) {
	for u := lo; u < hi; u++ {
		img, oy := u/r.OH*r.H, u%r.OH
		y := r.Y[u*r.OW*r.C : (u+1)*r.OW*r.C]
		top := r.X[(img+int(r.Y0[oy]))*r.W*r.C:]
		if r.FY == nil {
			for ox := range r.OW {
				at := int(r.X0[ox]) * r.C
				copy(y[ox*r.C:(ox+1)*r.C], top[at:at+r.C])
			}
			continue
		}
		bottom := r.X[(img+int(r.Y1[oy]))*r.W*r.C:]
		fy := r.FY[oy]
		for ox := range r.OW {
			left, right, fx := int(r.X0[ox])*r.C, int(r.X1[ox])*r.C, r.FX[ox]
			blend(y[ox*r.C:(ox+1)*r.C], top[left:left+r.C], top[right:right+r.C], bottom[left:left+r.C],
				bottom[right:right+r.C], fy, fx)
		}
	}
}

// blend mixes four pixels: a and b left and right of the upper row, c and d of the lower one.
func blend(y, a, b, c, d []float32, fy, fx float32) {
	b, c, d = b[:len(a)], c[:len(a)], d[:len(a)]
	wa, wb, wc, wd := (1-fy)*(1-fx), (1-fy)*fx, fy*(1-fx), fy*fx
	for i := range y[:len(a)] {
		y[i] = wa*a[i] + wb*b[i] + wc*c[i] + wd*d[i]
	}
}
