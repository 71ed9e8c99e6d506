package native

import (
	"sort"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalNMS keeps, per batch entry and class, the best boxes that do not overlap a better one by more than a threshold.
func evalNMS(c *call) error {
	boxes, err := c.tensor(0)
	if err != nil {
		return err
	}
	scores, err := c.tensor(1)
	if err != nil {
		return err
	}
	bs, ss := boxes.Shape(), scores.Shape()
	if len(bs) != 3 || len(ss) != 3 || bs[2] != 4 || bs[0] != ss[0] || bs[1] != ss[2] {
		return c.errorf("boxes %v and scores %v do not fit", bs, ss)
	}
	most, err := c.intOr(2, 0)
	if err != nil {
		return err
	}
	overlap, err := c.floatOr(3, 0)
	if err != nil {
		return err
	}
	least, err := c.floatOr(4, 0)
	if err != nil {
		return err
	}
	bv, sv := floats(boxes), floats(scores)
	n := bs[1]
	corner := func(k int) [4]float64 { // y0, x0, y1, x1, ordered
		q := bv[k*4 : k*4+4]
		a := [4]float64{q[0], q[1], q[2], q[3]}
		if c.attrInt("center_point_box", 0) == 1 {
			a = [4]float64{q[1] - q[3]/2, q[0] - q[2]/2, q[1] + q[3]/2, q[0] + q[2]/2}
		}
		return [4]float64{min(a[0], a[2]), min(a[1], a[3]), max(a[0], a[2]), max(a[1], a[3])}
	}
	var picked []int64
	for b := range bs[0] {
		for class := range ss[1] {
			row := sv[(b*ss[1]+class)*n:][:n]
			var order []int
			for i, s := range row {
				if !c.has(4) || s > least {
					order = append(order, i)
				}
			}
			sort.SliceStable(order, func(i, j int) bool { return row[order[i]] > row[order[j]] })
			var kept [][4]float64
			for _, i := range order {
				if len(kept) >= most {
					break
				}
				q := corner(b*n + i)
				free := true
				for _, k := range kept {
					if intersectionOverUnion(q, k) > overlap {
						free = false
						break
					}
				}
				if free {
					kept = append(kept, q)
					picked = append(picked, int64(b), int64(class), int64(i))
				}
			}
		}
	}
	out, err := c.output(0, tensor.Int64, tensor.Shape{len(picked) / 3, 3})
	if err != nil {
		return err
	}
	copy(tensor.Data[int64](out), picked)
	return nil
}

func intersectionOverUnion(a, b [4]float64) float64 {
	h, w := min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
	if h <= 0 || w <= 0 {
		return 0
	}
	area := func(q [4]float64) float64 { return (q[2] - q[0]) * (q[3] - q[1]) }
	return h * w / (area(a) + area(b) - h*w)
}

// evalCol2Im adds the columns of an im2col matrix (batch, channels·block, blocks) back into an image.
func evalCol2Im(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	image, err := c.ints(1)
	if err != nil {
		return err
	}
	block, err := c.ints(2)
	if err != nil {
		return err
	}
	s := x.Shape()
	if len(s) != 3 || len(image) != len(block) || size(block) < 1 || s[1]%size(block) != 0 {
		return c.errorf("columns %v do not fit image %v and block %v", s, image, block)
	}
	ch := s[1] / size(block)
	shape := append(tensor.Shape{s[0], ch}, image...)
	win, err := c.window(shape, block)
	if err != nil {
		return err
	}
	if size(win.out) != s[2] {
		return c.errorf("%d columns, expected %d", s[2], size(win.out))
	}
	out, err := c.output(0, x.DType(), shape)
	if err != nil {
		return err
	}
	v, r, pixels, taps := floats(x), make([]float64, out.Len()), size(image), size(block)
	win.taps(func(o int, at []int) {
		for k := range s[0] * ch {
			for t, p := range at {
				if p >= 0 {
					r[k*pixels+p] += v[(k*taps+t)*s[2]+o]
				}
			}
		}
	})
	setFloats(out, r)
	return nil
}

// evalDeformConv is a convolution whose taps are moved by offsets and weighted by a mask (Dai et al., 2017; Zhu et al., 2019).
func evalDeformConv(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	w, err := c.tensor(1)
	if err != nil {
		return err
	}
	offset, err := c.tensor(2)
	if err != nil {
		return err
	}
	xs, ws, groups := x.Shape(), w.Shape(), c.attrInt("offset_group", 1)
	if len(xs) != 4 {
		return c.unsupported("input %v: only two spatial dimensions", xs)
	}
	win, s, err := c.convWindow(xs, ws)
	if err != nil {
		return err
	}
	taps, outs, pixels := size(win.kernel), size(win.out), size(win.in)
	if groups < 1 || xs[1]%groups != 0 || offset.Len() != xs[0]*groups*taps*2*outs {
		return c.errorf("offset %v does not fit %v in %d groups", offset.Shape(), xs, groups)
	}
	var mask, bias []float64
	if t := c.maybe(3); t != nil {
		if bias = floats(t); len(bias) != s[1] {
			return c.errorf("bias %v does not fit %d channels", t.Shape(), s[1])
		}
	}
	if t := c.maybe(4); t != nil {
		if mask = floats(t); len(mask) != xs[0]*groups*taps*outs {
			return c.errorf("mask %v does not fit", t.Shape())
		}
	}
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	xv, wv, ov, r := floats(x), floats(w), floats(offset), make([]float64, out.Len())
	img := &sampler{dims: xs[2:], mode: "linear", pad: "zeros"}
	conv, ic := c.attrInt("group", 1), ws[1]
	pos := make([]float64, 2)
	for n := range xs[0] {
		for o := range outs {
			oy, ox := o/win.out[1], o%win.out[1]
			for ch := range xs[1] {
				og := ch / (xs[1] / groups)
				for t := range taps {
					ky, kx := t/win.kernel[1], t%win.kernel[1]
					at := ((n*groups+og)*taps + t) * 2 * outs
					pos[0] = img.border(float64(oy*win.stride[0]-win.pad[0]+ky*win.dilation[0])+ov[at+o], float64(xs[2]))
					pos[1] = img.border(float64(ox*win.stride[1]-win.pad[1]+kx*win.dilation[1])+ov[at+outs+o], float64(xs[3]))
					v := img.at(xv[(n*xs[1]+ch)*pixels:(n*xs[1]+ch+1)*pixels], pos)
					if mask != nil {
						v *= mask[((n*groups+og)*taps+t)*outs+o]
					}
					g := ch / ic // the convolution group
					for m := g * (s[1] / conv); m < (g+1)*(s[1]/conv); m++ {
						r[(n*s[1]+m)*outs+o] += v * wv[(m*ic+ch%ic)*taps+t]
					}
				}
			}
		}
	}
	for i := range r {
		if bias != nil {
			r[i] += bias[i/outs%s[1]]
		}
	}
	setFloats(out, r)
	return nil
}
