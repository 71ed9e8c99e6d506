package kernel

// Int8ConvWeights are a convolution's weights of 8-bit integers, packed: one matrix per group.
type Int8ConvWeights struct {
	groups []*PackedInt8
}

// PackInt8Conv packs weights in ONNX's order (OC, C/Groups, KH, KW). zero holds one zero point, or one per output channel,
// or none.
func PackInt8Conv(w []byte, s ConvShape, unsigned bool, zero []int32) *Int8ConvWeights {
	ic, oc, taps := s.C/s.Groups, s.OC/s.Groups, s.KH*s.KW
	k := ic * taps
	ohwi := make([]byte, oc*k)
	cw := &Int8ConvWeights{groups: make([]*PackedInt8, s.Groups)}
	for g := range cw.groups {
		src := w[g*oc*k : (g+1)*oc*k]
		for o := range oc {
			for c := range ic {
				for t := range taps {
					ohwi[o*k+t*ic+c] = src[o*k+c*taps+t]
				}
			}
		}
		z := zero
		if len(zero) > 1 {
			z = zero[g*oc : (g+1)*oc]
		}
		cw.groups[g] = PackInt8(ohwi, k, oc, k, true, unsigned, z)
	}
	return cw
}

// Bytes is the memory that the packed weights hold.
func (w *Int8ConvWeights) Bytes() int64 {
	var n int64
	for _, p := range w.groups {
		n += p.Bytes()
	}
	return n
}

// Int8Conv is the task that convolves NHWC images of bytes with 8-bit weights. The patches of one block of output pixels
// are gathered as bytes, XZero where they hang over an edge, and multiplied while they are in the cache.
type Int8Conv struct {
	ConvShape
	X       []byte
	XSigned bool
	XZero   int32
	Weights *Int8ConvWeights
	Out     Int8Output // LDC is set by Run's caller: OC for a dense image; scales and biases are per output channel
}

// Units implements pool.Task.
func (c *Int8Conv) Units() int { return ceilDiv(c.N*c.OH*c.OW, blockRows) * c.Groups }

// Nanos implements pool.Task.
func (c *Int8Conv) Nanos() int { return int8Nanos(active, c.MACs()) }

// Run implements pool.Task.
func (c *Int8Conv) Run(lo, hi int) {
	pixels := c.N * c.OH * c.OW
	if pixels*c.OC == 0 {
		return
	}
	_ = c.X[c.N*c.H*c.W*c.C-1]
	blocks, oc := ceilDiv(pixels, blockRows), c.OC/c.Groups
	zero := c.XZero
	if c.XSigned {
		zero += 128
	}
	s := getScratch()
	defer s.free()
	hold(s, 0, c.X)
	for u := lo; u < hi; u++ {
		g, p0 := u/blocks, u%blocks*blockRows
		p1 := min(p0+blockRows, pixels)
		c.gather(s, p0, p1, g, uint8(zero))
		int8Block(s, c.Weights.groups[g], &c.Out, p0, p1, 0, oc, g*oc, zero)
	}
}

// gather points s.rows to the patches of output pixels p0 to p1-1.
func (c *Int8Conv) gather(s *scratch, p0, p1, g int, zero uint8) {
	rows := grow(&s.rows, ceilDiv(p1-p0, tileRows)*tileRows)
	ic := c.C / c.Groups
	if c.pointwise() && !c.XSigned && ic%4 == 0 {
		for p := p0; p < p1; p++ {
			rows[p-p0] = address(&c.X[p*c.C+g*ic])
		}
		return
	}
	k := ic * c.KH * c.KW
	width := c.Weights.groups[g].groups * 4
	buf := grow(&s.u8, (p1-p0)*width+1)
	for p := p0; p < p1; p++ {
		dst := buf[(p-p0)*width : (p-p0+1)*width]
		rows[p-p0] = address(&buf[(p-p0)*width])
		clear(dst[k:])
		ox, oy, img := p%c.OW, p/c.OW%c.OH, p/c.OW/c.OH
		at := 0
		for kh := range c.KH {
			iy := oy*c.StrideH - c.PadTop + kh*c.DilationH
			for kw := range c.KW {
				ix := ox*c.StrideW - c.PadLeft + kw*c.DilationW
				tap := dst[at : at+ic]
				at += ic
				if uint(iy) >= uint(c.H) || uint(ix) >= uint(c.W) {
					for i := range tap {
						tap[i] = zero
					}
					continue
				}
				src := ((img*c.H+iy)*c.W+ix)*c.C + g*ic
				toUnsigned(tap, c.X[src:src+ic], c.XSigned)
			}
		}
	}
}
