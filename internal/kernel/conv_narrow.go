package kernel

// narrowOutputs is the most output channels of a convolution that is computed by kernel columns.
const narrowOutputs = 4

// narrow reports whether a convolution has so few output channels that they would leave most lanes of a vector empty. Its
// kernel columns then count as channels of their own: every input column times every kernel column first, and then the
// sum of what falls on an output pixel.
//
//	z[ix][kw][o] = sum over kh, c: x[iy+kh][ix][c] * w[o][kh][kw][c]
//	y[ox][o]     = sum over kw: z[ox*1+kw][kw][o]
func (s *ConvShape) narrow() bool {
	return s.Groups == 1 && s.OC <= narrowOutputs && s.KW >= 3 && s.StrideW == 1
}

// packNarrow packs weights in the order (OC, KH, KW, C) as a matrix of kernel row and channel by kernel column and output.
func packNarrow(ohwi []float32, s ConvShape) *Packed {
	k, n := s.KH*s.C, s.KW*s.OC
	m := make([]float32, k*n)
	for o := range s.OC {
		for kh := range s.KH {
			for kw := range s.KW {
				for c := range s.C {
					m[(kh*s.C+c)*n+kw*s.OC+o] = ohwi[((o*s.KH+kh)*s.KW+kw)*s.C+c]
				}
			}
		}
	}
	return Pack(m, k, n, n, false)
}

// runNarrow computes output rows lo to hi-1.
func (c *Conv) runNarrow(lo, hi int) {
	v := c.view()
	s := getScratch()
	defer s.free()
	hold(s, 0, c.X)
	n := c.KW * c.OC
	z := grow(&s.z, blockRows*n)
	for u := lo; u < hi; u++ {
		img, oy := u/c.OH, u%c.OH
		// One row of the image as an image of its own, whose kernel is one column wide.
		inner := &s.conv
		*inner = Conv{Weights: c.Weights, X: c.X[img*c.H*c.W*v.xs:], Y: z, XStride: v.xs}
		inner.ConvShape = ConvShape{
			N: 1, H: c.H, W: c.W, C: c.C, OH: 1, OW: c.W, OC: n, KH: c.KH, KW: 1, StrideH: 1, StrideW: 1,
			DilationH: c.DilationH, DilationW: 1, PadTop: c.PadTop - oy*c.StrideH, Groups: 1,
		}
		iv := convView{Conv: inner, xs: v.xs, ys: n, ic: c.C, taps: c.KH, k: c.C, per: v.per}
		y := c.Y[u*c.OW*v.ys:]
		for ox := range c.OW {
			dst := y[ox*v.ys : ox*v.ys+c.OC]
			clear(dst)
			copy(dst, c.Bias)
		}
		for x0 := 0; x0 < c.W; x0 += blockRows {
			x1 := min(x0+blockRows, c.W)
			iv.table(s, x0, x1, 0)
			inner.Y = z
			iv.narrowBlock(s, x0, x1)
			c.spread(y, z, x0, x1, v.ys)
		}
		for ox := range c.OW {
			dst := y[ox*v.ys : ox*v.ys+c.OC]
			if c.Residual != nil {
				Add(dst, dst, c.Residual[(u*c.OW+ox)*v.rs:][:c.OC])
			}
			if v.ys != c.OC {
				c.Act.Apply(dst, dst)
			}
		}
		if v.ys == c.OC {
			c.Act.Apply(y[:c.OW*c.OC], y[:c.OW*c.OC])
		}
	}
}

// narrowBlock computes input columns x0 to x1-1 to the beginning of Y.
func (v *convView) narrowBlock(s *scratch, x0, x1 int) {
	w := v.Weights.groups[0]
	for n := 0; n < w.N; n += w.panel {
		v.panelTiles(s, w, n, min(w.panel, w.N-n), x1-x0)
	}
}

// spread adds the products z of input columns x0 to x1-1 to the output pixels of row y that they fall on, in ascending
// order of kernel columns from the left of the image to the right.
func (c *Conv) spread(y, z []float32, x0, x1, ys int) {
	n := c.KW * c.OC
	for ix := x0; ix < x1; ix++ {
		products := z[(ix-x0)*n:]
		for kw := range c.KW {
			ox := ix + c.PadLeft - kw*c.DilationW
			if uint(ox) >= uint(c.OW) {
				continue
			}
			dst, src := y[ox*ys:ox*ys+c.OC], products[kw*c.OC:]
			for o := range dst {
				dst[o] += src[o]
			}
		}
	}
}
