package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// resizer is one dimension of a Resize.
type resizer struct {
	n, out     int     // input and output size
	scale      float64 // output by input
	lo, hi     float64 // region of interest, for tf_crop_and_resize
	transform  string
	mode, near string
	cubic      float64
	exclude    bool // taps outside of the input get no weight
	antialias  bool
}

// source is the input coordinate of output index x.
func (r *resizer) source(x int) float64 {
	f := float64(x)
	length := r.scale * float64(r.n) // not rounded
	switch r.transform {
	case "align_corners":
		if r.out == 1 {
			return 0
		}
		return f * float64(r.n-1) / (length - 1)
	case "asymmetric":
		return f / r.scale
	case "pytorch_half_pixel":
		if r.out <= 1 {
			return 0
		}
	case "half_pixel_symmetric":
		adjust := float64(r.out) / length
		centre := float64(r.n) / 2
		return centre*(1-adjust) + (f+.5)/r.scale - .5
	case "tf_half_pixel_for_nn":
		return (f + .5) / r.scale
	case "tf_crop_and_resize":
		if r.out > 1 {
			return r.lo*float64(r.n-1) + f*(r.hi-r.lo)*float64(r.n-1)/float64(r.out-1)
		}
		return .5 * (r.lo + r.hi) * float64(r.n-1)
	}
	return (f+.5)/r.scale - .5
}

// taps are the input indices and weights that make output index x. ok is false when x lies outside of the input in
// tf_crop_and_resize, where a constant stands.
func (r *resizer) taps(x int) (idx []int, weights []float64, ok bool) {
	s := r.source(x)
	if r.transform == "tf_crop_and_resize" && (s < 0 || s > float64(r.n-1)) {
		return nil, nil, false
	}
	if r.mode == "nearest" {
		return []int{min(max(r.nearest(s), 0), r.n-1)}, []float64{1}, true
	}
	radius := 1.0
	kernel := func(d float64) float64 { return max(0, 1-math.Abs(d)) }
	if r.mode == "cubic" {
		radius = 2
		kernel = func(d float64) float64 { return cubicWeight(d, r.cubic) }
	}
	shrink := 1.0
	if r.antialias && r.scale < 1 {
		shrink = r.scale
	}
	lo, hi := int(math.Floor(s-radius/shrink))+1, int(math.Ceil(s+radius/shrink))-1
	if hi < lo {
		lo, hi = int(math.Floor(s)), int(math.Floor(s))
	}
	total := 0.0
	for i := lo; i <= hi; i++ {
		w := kernel((float64(i) - s) * shrink)
		if (r.exclude || r.antialias) && (i < 0 || i >= r.n) {
			w = 0
		}
		idx, weights = append(idx, min(max(i, 0), r.n-1)), append(weights, w)
		total += w
	}
	for i := range weights {
		weights[i] /= total
	}
	return idx, weights, true
}

func (r *resizer) nearest(s float64) int {
	switch r.near {
	case "round_prefer_ceil":
		return int(math.Floor(s + .5))
	case "floor":
		return int(math.Floor(s))
	case "ceil":
		return int(math.Ceil(s))
	}
	return int(math.Ceil(s - .5)) // round_prefer_floor
}

// cubicWeight is Keys' convolution kernel with parameter a (1981).
func cubicWeight(d, a float64) float64 {
	switch d = math.Abs(d); {
	case d <= 1:
		return (a+2)*d*d*d - (a+3)*d*d + 1
	case d < 2:
		return a*d*d*d - 5*a*d*d + 8*a*d - 4*a
	}
	return 0
}

// resizers are the dimensions of a Resize with their sizes and scales.
func (c *call) resizers(s tensor.Shape) ([]resizer, error) {
	rank := len(s)
	axes := c.attrInts("axes")
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	axes, err := c.axes(axes, rank)
	if err != nil {
		return nil, err
	}
	rs := make([]resizer, rank)
	for i := range rs {
		rs[i] = resizer{
			n: s[i], out: s[i], scale: 1, hi: 1,
			transform: c.attrString("coordinate_transformation_mode", "half_pixel"),
			mode:      c.attrString("mode", "nearest"), near: c.attrString("nearest_mode", "round_prefer_floor"),
			cubic: c.attrFloat("cubic_coeff_a", -.75), exclude: c.attrInt("exclude_outside", 0) == 1,
			antialias: c.attrInt("antialias", 0) == 1,
		}
	}
	if roi := c.maybe(1); roi != nil && roi.Len() == 2*len(axes) {
		f := floats(roi)
		for i, a := range axes {
			rs[a].lo, rs[a].hi = f[i], f[i+len(axes)]
		}
	}
	if t := c.maybe(2); t != nil && t.Len() > 0 {
		f := floats(t)
		if len(f) != len(axes) {
			return nil, c.errorf("%d scales for %d axes", len(f), len(axes))
		}
		for i, a := range axes {
			r := &rs[a]
			if !(f[i] > 0) || math.IsInf(f[i], 0) {
				return nil, c.errorf("scale %g is not valid", f[i])
			}
			span := 1.0
			if r.transform == "tf_crop_and_resize" {
				span = r.hi - r.lo
			}
			r.scale, r.out = f[i], int(math.Floor(float64(r.n)*span*f[i]))
		}
		return rs, nil
	}
	sizes, err := c.ints(3)
	if err != nil {
		return nil, err
	}
	if len(sizes) != len(axes) {
		return nil, c.errorf("%d sizes for %d axes", len(sizes), len(axes))
	}
	policy := c.attrString("keep_aspect_ratio_policy", "stretch")
	common := math.NaN()
	for i, a := range axes {
		if sizes[i] < 1 || s[a] < 1 {
			return nil, c.errorf("size %d of %v is not valid", sizes[i], s)
		}
		v := float64(sizes[i]) / float64(s[a])
		rs[a].out, rs[a].scale = sizes[i], v
		if common != common || policy == "not_larger" && v < common || policy == "not_smaller" && v > common {
			common = v
		}
	}
	if policy != "stretch" {
		for _, a := range axes {
			rs[a].scale, rs[a].out = common, int(math.Floor(common*float64(s[a])+.5))
		}
	}
	return rs, nil
}

func evalResize(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	rs, err := c.resizers(t.Shape())
	if err != nil {
		return err
	}
	s := make(tensor.Shape, len(rs))
	for i, r := range rs {
		s[i] = r.out
	}
	out, err := c.output(0, t.DType(), s)
	if err != nil {
		return err
	}
	v, cur := floats(t), t.Shape().Clone()
	outside := c.attrFloat("extrapolation_value", 0)
	cropped := make([][]bool, len(rs)) // output indices that lie outside of the input
	for d := range rs {                // one dimension after the other: the kernels are separable
		r := &rs[d]
		cropped[d] = make([]bool, r.out)
		if r.out == r.n && r.scale == 1 && r.transform != "tf_crop_and_resize" {
			continue
		}
		outer, n, inner := blocks(cur, d)
		next := make([]float64, outer*r.out*inner)
		for x := range r.out {
			idx, w, ok := r.taps(x)
			cropped[d][x] = !ok
			for o := range outer {
				dst := next[(o*r.out+x)*inner : (o*r.out+x+1)*inner]
				for k, i := range idx {
					src := v[(o*n+i)*inner : (o*n+i+1)*inner]
					for j := range dst {
						dst[j] += w[k] * src[j]
					}
				}
			}
		}
		v, cur[d] = next, r.out
	}
	idx := make([]int, len(s))
	for o := range v {
		unravel(o, s, idx)
		for d, i := range idx {
			if cropped[d][i] {
				v[o] = outside
			}
		}
	}
	setFloats(out, v)
	return nil
}
