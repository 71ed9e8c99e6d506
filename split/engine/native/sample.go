package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// sampler reads an image of any number of spatial dimensions at fractional positions.
type sampler struct {
	dims  []int
	mode  string // nearest, linear, cubic
	pad   string // zeros, border, reflection
	align bool
}

// index maps a pixel index that may lie outside to one inside; -1 stands for a zero.
func (s *sampler) index(i, n int) int {
	if i >= 0 && i < n {
		return i
	}
	switch s.pad {
	case "border":
		return min(max(i, 0), n-1)
	case "reflection":
		if s.align {
			return reflectIndex(i, n)
		}
		i = (i%(2*n) + 2*n) % (2 * n)
		return min(i, 2*n-1-i)
	}
	return -1
}

// at is the value of image img at pixel position pos.
func (s *sampler) at(img []float64, pos []float64) float64 {
	type tap struct {
		i int
		w float64
	}
	taps := make([][]tap, len(pos))
	for d, p := range pos {
		n := s.dims[d]
		base := int(math.Floor(p))
		f := p - float64(base)
		switch s.mode {
		case "nearest":
			taps[d] = []tap{{s.index(int(math.RoundToEven(p)), n), 1}}
		case "cubic":
			for k := -1; k <= 2; k++ {
				taps[d] = append(taps[d], tap{s.index(base+k, n), cubicWeight(f-float64(k), -.75)})
			}
		default:
			taps[d] = []tap{{s.index(base, n), 1 - f}, {s.index(base+1, n), f}}
		}
	}
	var sum func(d, off int, w float64) float64
	sum = func(d, off int, w float64) float64 {
		if d == len(taps) {
			return w * img[off]
		}
		r := 0.0
		for _, t := range taps[d] {
			if t.i >= 0 && t.w != 0 {
				r += sum(d+1, off*s.dims[d]+t.i, w*t.w)
			}
		}
		return r
	}
	return sum(0, 0, 1)
}

// evalGridSample samples at normalised positions: -1 and 1 are the image's edges, or the centres of its corner pixels with
// align_corners (Jaderberg et al., "Spatial Transformer Networks", 2015).
func evalGridSample(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	grid, err := c.tensor(1)
	if err != nil {
		return err
	}
	xs, gs := x.Shape(), grid.Shape()
	d := len(xs) - 2
	if d < 1 || len(gs) != len(xs) || gs[len(gs)-1] != d || gs[0] != xs[0] {
		return c.errorf("grid %v does not fit %v", gs, xs)
	}
	mode := c.attrString("mode", "linear")
	mode = map[string]string{"bilinear": "linear", "bicubic": "cubic"}[mode] + map[string]string{"linear": "linear", "cubic": "cubic", "nearest": "nearest"}[mode]
	s := &sampler{dims: xs[2:], mode: mode, pad: c.attrString("padding_mode", "zeros"), align: c.attrInt("align_corners", 0) == 1}
	outDims := gs[1 : len(gs)-1]
	out, err := c.output(0, x.DType(), append(tensor.Shape{xs[0], xs[1]}, outDims...))
	if err != nil {
		return err
	}
	v, g := floats(x), floats(grid)
	pixels, outs := size(xs[2:]), size(outDims)
	r, pos := make([]float64, out.Len()), make([]float64, d)
	for n := range xs[0] {
		for o := range outs {
			for k := range d { // the grid names the last dimension first
				p := g[(n*outs+o)*d+d-1-k]
				size := float64(xs[2+k])
				if s.align {
					pos[k] = (p + 1) / 2 * (size - 1)
				} else {
					pos[k] = ((p+1)*size - 1) / 2
				}
				pos[k] = s.border(pos[k], size)
			}
			for ch := range xs[1] {
				at := n*xs[1] + ch
				r[at*outs+o] = s.at(v[at*pixels:(at+1)*pixels], pos)
			}
		}
	}
	setFloats(out, r)
	return nil
}

// border moves positions far outside near to the image, so that they fit an int; nearest and linear sampling clamp to the
// border before they interpolate.
func (s *sampler) border(p, n float64) float64 {
	if p != p {
		p = -1e6
	}
	if s.pad == "border" && s.mode != "cubic" {
		return min(max(p, 0), n-1)
	}
	if s.pad == "zeros" {
		return min(max(p, -4), n+4)
	}
	if s.pad == "reflection" && s.mode != "cubic" {
		lo, hi := -.5, n-.5
		if s.align {
			lo, hi = 0, n-1
		}
		if hi > lo {
			q := math.Mod(math.Abs(p-lo), 2*(hi-lo))
			p = lo + min(q, 2*(hi-lo)-q)
		}
		return min(max(p, 0), n-1)
	}
	return min(max(p, -1e6), 1e6)
}

// evalAffineGrid makes the grid that an affine map of the output sees.
func evalAffineGrid(c *call) error {
	theta, err := c.tensor(0)
	if err != nil {
		return err
	}
	want, err := c.ints(1)
	if err != nil {
		return err
	}
	d := len(want) - 2
	if d < 1 || len(theta.Shape()) != 3 || theta.Shape()[1] != d || theta.Shape()[2] != d+1 || theta.Shape()[0] != want[0] {
		return c.errorf("theta %v does not fit size %v", theta.Shape(), want)
	}
	dims := want[2:]
	out, err := c.output(0, theta.DType(), append(append(tensor.Shape{want[0]}, dims...), d))
	if err != nil {
		return err
	}
	t, r, idx := floats(theta), make([]float64, out.Len()), make([]int, d)
	pixels := size(dims)
	base := make([]float64, d+1)
	base[d] = 1
	for n := range want[0] {
		for p := range pixels {
			unravel(p, dims, idx)
			for k, i := range idx { // last dimension first
				size := float64(dims[k])
				v := (2*float64(i)+1)/size - 1
				if c.attrInt("align_corners", 0) == 1 {
					v = 0
					if size > 1 {
						v = 2*float64(i)/(size-1) - 1
					}
				}
				base[d-1-k] = v
			}
			for k := range d {
				for j, b := range base {
					r[(n*pixels+p)*d+k] += t[(n*d+k)*(d+1)+j] * b
				}
			}
		}
	}
	setFloats(out, r)
	return nil
}

// evalRoiAlign pools regions of interest by bilinear samples (He et al., "Mask R-CNN", 2017).
func evalRoiAlign(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	rois, err := c.tensor(1)
	if err != nil {
		return err
	}
	batch, err := c.ints(2)
	if err != nil {
		return err
	}
	xs := x.Shape()
	if len(xs) != 4 || len(rois.Shape()) != 2 || rois.Shape()[1] != 4 || len(batch) != rois.Shape()[0] {
		return c.errorf("regions %v do not fit %v", rois.Shape(), xs)
	}
	oh, ow := c.attrInt("output_height", 1), c.attrInt("output_width", 1)
	ratio, scale := c.attrInt("sampling_ratio", 0), c.attrFloat("spatial_scale", 1)
	half := 0.0
	if c.attrString("coordinate_transformation_mode", "half_pixel") == "half_pixel" {
		half = .5
	}
	if oh < 1 || ow < 1 || ratio < 0 {
		return c.errorf("output %dx%d or sampling ratio %d is not valid", oh, ow, ratio)
	}
	out, err := c.output(0, x.DType(), tensor.Shape{len(batch), xs[1], oh, ow})
	if err != nil {
		return err
	}
	v, f, r := floats(x), floats(rois), make([]float64, out.Len())
	for k, b := range batch {
		if b < 0 || b >= xs[0] {
			return c.errorf("batch index %d is outside of %d", b, xs[0])
		}
		x0, y0 := f[k*4]*scale-half, f[k*4+1]*scale-half
		w, h := f[k*4+2]*scale-half-x0, f[k*4+3]*scale-half-y0
		if half == 0 {
			w, h = max(w, 1), max(h, 1)
		}
		bh, bw := h/float64(oh), w/float64(ow)
		ny, nx := ratio, ratio
		if ratio == 0 {
			ny, nx = max(1, int(math.Ceil(bh))), max(1, int(math.Ceil(bw)))
		}
		if ny > xs[2]*16+16 || nx > xs[3]*16+16 {
			return c.errorf("region %v is far larger than the image", f[k*4:k*4+4])
		}
		for ch := range xs[1] {
			img := v[(b*xs[1]+ch)*xs[2]*xs[3]:]
			for i := range oh {
				for j := range ow {
					sum, top := 0.0, math.Inf(-1)
					for a := range ny {
						for e := range nx {
							py := y0 + bh*(float64(i)+(float64(a)+.5)/float64(ny))
							px := x0 + bw*(float64(j)+(float64(e)+.5)/float64(nx))
							s, m := bilinear(img, xs[2], xs[3], py, px)
							sum += s
							top = max(top, m)
						}
					}
					if c.attrString("mode", "avg") == "avg" {
						top = sum / float64(ny*nx)
					}
					r[((k*xs[1]+ch)*oh+i)*ow+j] = top
				}
			}
		}
	}
	setFloats(out, r)
	return nil
}

// bilinear is the interpolated value at (y, x), 0 beyond one pixel outside, and the largest weighted tap.
func bilinear(img []float64, h, w int, y, x float64) (sum, top float64) {
	if y < -1 || y > float64(h) || x < -1 || x > float64(w) {
		return 0, 0
	}
	y, x = max(y, 0), max(x, 0)
	y0, x0 := min(int(y), h-1), min(int(x), w-1)
	y1, x1 := min(y0+1, h-1), min(x0+1, w-1)
	fy, fx := y-float64(y0), x-float64(x0)
	if y0 >= h-1 {
		fy = 0
	}
	if x0 >= w-1 {
		fx = 0
	}
	a, b := (1-fy)*(1-fx)*img[y0*w+x0], (1-fy)*fx*img[y0*w+x1]
	d, e := fy*(1-fx)*img[y1*w+x0], fy*fx*img[y1*w+x1]
	return a + b + d + e, max(a, b, d, e)
}

// evalMaxRoiPool takes the maximum over each cell of a region (Girshick, "Fast R-CNN", 2015).
func evalMaxRoiPool(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	rois, err := c.tensor(1)
	if err != nil {
		return err
	}
	xs, pooled, scale := x.Shape(), c.attrInts("pooled_shape"), c.attrFloat("spatial_scale", 1)
	if len(xs) != 4 || len(pooled) != 2 || len(rois.Shape()) != 2 || rois.Shape()[1] != 5 {
		return c.errorf("regions %v or pooled_shape %v do not fit %v", rois.Shape(), pooled, xs)
	}
	n := rois.Shape()[0]
	out, err := c.output(0, x.DType(), tensor.Shape{n, xs[1], pooled[0], pooled[1]})
	if err != nil {
		return err
	}
	v, f, r := floats(x), floats(rois), make([]float64, out.Len())
	o := 0
	for k := range n {
		q := f[k*5:]
		b := int(q[0])
		if b < 0 || b >= xs[0] {
			return c.errorf("batch index %d is outside of %d", b, xs[0])
		}
		x0, y0 := math.Round(q[1]*scale), math.Round(q[2]*scale)
		bw := max(math.Round(q[3]*scale)-x0+1, 1) / float64(pooled[1])
		bh := max(math.Round(q[4]*scale)-y0+1, 1) / float64(pooled[0])
		for ch := range xs[1] {
			img := v[(b*xs[1]+ch)*xs[2]*xs[3]:]
			for i := range pooled[0] {
				for j := range pooled[1] {
					ya, yb := clampInt(math.Floor(float64(i)*bh)+y0, xs[2]), clampInt(math.Ceil(float64(i+1)*bh)+y0, xs[2])
					xa, xb := clampInt(math.Floor(float64(j)*bw)+x0, xs[3]), clampInt(math.Ceil(float64(j+1)*bw)+x0, xs[3])
					top := math.Inf(-1)
					for y := ya; y < yb; y++ {
						for z := xa; z < xb; z++ {
							top = max(top, img[y*xs[3]+z])
						}
					}
					if math.IsInf(top, -1) {
						top = 0
					}
					r[o] = top
					o++
				}
			}
		}
	}
	setFloats(out, r)
	return nil
}

func clampInt(v float64, n int) int { return int(min(max(v, 0), float64(n))) }
