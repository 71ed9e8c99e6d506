package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func convolutionRules() []opRule {
	return []opRule{
		{"Conv", 2, 3, 1, func(c *opContext) error { return inferConv(c, 1, c.dtype(0)) }},
		{"ConvInteger", 2, 4, 1, func(c *opContext) error { return inferConv(c, 1, tensor.Int32) }},
		{"QLinearConv", 8, 9, 1, func(c *opContext) error { return inferConv(c, 3, c.dtype(7)) }},
		{"ConvTranspose", 2, 3, 1, inferConvTranspose},
		{"DeformConv", 3, 5, 1, func(c *opContext) error { return inferConv(c, 1, c.dtype(0)) }},
		{"MaxPool", 1, 1, 2, inferPool},
		{"AveragePool LpPool", 1, 1, 1, inferPool},
		{"GlobalAveragePool GlobalMaxPool GlobalLpPool", 1, 1, 1, inferGlobalPool},
		{"MaxUnpool", 2, 3, 1, inferMaxUnpool},
		{"MaxRoiPool", 2, 2, 1, inferMaxRoiPool},
		{"BatchNormalization", 5, 5, 5, inferBatchNorm},
		{"InstanceNormalization", 3, 3, 1, inferSameAsInput},
		{"GroupNormalization", 3, 3, 1, inferSameAsInput},
		{"LayerNormalization", 2, 3, 3, inferLayerNorm},
		{"RMSNormalization", 2, 2, 1, inferSameAsInput},
		{"SimplifiedLayerNormalization", 2, 2, 2, inferSimplifiedLayerNorm},
		{"Col2Im", 3, 3, 1, inferCol2Im},
	}
}

// window is the sliding window of a convolution or pooling, per spatial dimension.
type window struct {
	kernel, strides, dilations []int64
	pads                       []int64 // begins, then ends
	auto                       string
	ceil                       bool
}

// windowOf reads the attributes of o for n spatial dimensions; kernel may be known from the weights.
func windowOf(o *Op, n int, kernel []int64) (window, error) {
	w := window{kernel: kernel, auto: o.Str("auto_pad", "NOTSET"), ceil: o.Int("ceil_mode", 0) != 0}
	if k := o.Ints("kernel_shape"); k != nil {
		w.kernel = k
	}
	ones := slices.Repeat([]int64{1}, n)
	w.strides, w.dilations, w.pads = ones, ones, make([]int64, 2*n)
	if s := o.Ints("strides"); s != nil {
		w.strides = s
	}
	if d := o.Ints("dilations"); d != nil {
		w.dilations = d
	}
	if p := o.Ints("pads"); p != nil {
		w.pads = p
	}
	if len(w.kernel) != n || len(w.strides) != n || len(w.dilations) != n || len(w.pads) != 2*n {
		return w, invalid("kernel_shape %v, strides %v, dilations %v and pads %v are not all for %d spatial dimensions", w.kernel, w.strides,
			w.dilations, w.pads, n)
	}
	for i := range n {
		if w.strides[i] < 1 || w.dilations[i] < 1 || w.kernel[i] < 1 && w.kernel[i] != tensor.Unknown ||
			max(w.strides[i], w.dilations[i], w.kernel[i], abs(w.pads[i]), abs(w.pads[i+n])) > math.MaxInt32 {
			return w, invalid("kernel_shape %v, strides %v, dilations %v or pads %v are out of range", w.kernel, w.strides, w.dilations, w.pads)
		}
	}
	return w, nil
}

func abs(x int64) int64 { return max(x, -x) }

// output is the size after the window has slid over size x in spatial dimension i.
func (w *window) output(i int, x dim) (dim, error) {
	if !x.known() || w.kernel[i] < 0 {
		if x.p != "" && w.strides[i] == 1 && (w.auto == "SAME_UPPER" || w.auto == "SAME_LOWER") {
			return x, nil
		}
		return unknownDim, nil
	}
	n := len(w.kernel)
	in, span := int64(x.n), (w.kernel[i]-1)*w.dilations[i]+1
	switch w.auto {
	case "SAME_UPPER", "SAME_LOWER":
		return size(int((in + w.strides[i] - 1) / w.strides[i])), nil
	case "VALID":
		in -= span
	default:
		in += w.pads[i] + w.pads[i+n] - span
	}
	if in < 0 {
		return unknownDim, invalid("its window of %d does not fit into size %d of spatial dimension %d with pads %v", span, x.n, i, w.pads)
	}
	out := in/w.strides[i] + 1
	// A last window that hangs over counts unless it would start in the padding.
	if w.ceil && in%w.strides[i] != 0 && (w.auto == "VALID" || out*w.strides[i] < int64(x.n)+w.pads[i]) {
		out++
	}
	return size(int(out)), nil
}

// inferConv is the rule of convolutions whose weights are input w.
func inferConv(c *opContext, w int, dt tensor.DType) error {
	x, weights := c.dims(0), c.dims(w)
	if c.o.Type == "Conv" {
		var err error
		if dt, err = c.sameDType(0, 3); err != nil {
			return err
		}
	}
	switch {
	case x == nil && weights == nil:
		c.out(0, dt, nil)
		return nil
	case x == nil:
		x = unknownDims(len(weights))
	case weights == nil:
		c.out(0, dt, unknownDims(len(x)))
		return nil
	}
	if len(x) != len(weights) || len(x) < 3 {
		return invalid("input %s and weights %s do not have the same rank of at least 3", x.shape(), weights.shape())
	}
	group := c.o.Int("group", 1)
	if group < 1 || x[1].known() && weights[1].known() && int64(x[1].n) != int64(weights[1].n)*group {
		return invalid("input %s has %d channels, but weights %s in %d groups need %d", x.shape(), x[1].n, weights.shape(), group,
			int64(weights[1].n)*group)
	}
	if weights[0].known() && int64(weights[0].n)%group != 0 {
		return invalid("%d output channels do not divide into %d groups", weights[0].n, group)
	}
	kernel := make([]int64, len(x)-2)
	for i := range kernel {
		kernel[i] = int64(weights[i+2].n)
	}
	if k := c.o.Ints("kernel_shape"); k != nil && weights.known() && !slices.Equal(k, kernel) {
		return invalid("kernel_shape %v is not that of the weights %s", k, weights.shape())
	}
	win, err := windowOf(c.o, len(kernel), kernel)
	if err != nil {
		return err
	}
	out := dims{x[0], weights[0]}
	for i := range kernel {
		d, err := win.output(i, x[i+2])
		if err != nil {
			return err
		}
		out = append(out, d)
	}
	c.out(0, dt, out)
	return nil
}

func inferConvTranspose(c *opContext) error {
	dt, err := c.sameDType(0, 3)
	if err != nil {
		return err
	}
	x, weights := c.dims(0), c.dims(1)
	if x == nil || weights == nil {
		c.out(0, dt, nil)
		return nil
	}
	if len(x) != len(weights) || len(x) < 3 {
		return invalid("input %s and weights %s do not have the same rank of at least 3", x.shape(), weights.shape())
	}
	if x[1].known() && weights[0].known() && x[1].n != weights[0].n {
		return invalid("input %s has %d channels, but weights %s need %d", x.shape(), x[1].n, weights.shape(), weights[0].n)
	}
	n := len(x) - 2
	kernel := make([]int64, n)
	for i := range kernel {
		kernel[i] = int64(weights[i+2].n)
	}
	win, err := windowOf(c.o, n, kernel)
	if err != nil {
		return err
	}
	group := max(c.o.Int("group", 1), 1)
	channels := unknownDim
	if weights[1].known() {
		channels = size(weights[1].n * int(min(group, math.MaxInt32)))
	}
	extra, fixed := c.o.Ints("output_padding"), c.o.Ints("output_shape")
	if fixed != nil && len(fixed) == n+2 {
		fixed = fixed[2:]
	}
	if extra != nil && len(extra) != n || fixed != nil && len(fixed) != n {
		return invalid("output_padding %v or output_shape %v is not for %d spatial dimensions", extra, fixed, n)
	}
	out := dims{x[0], channels}
	for i := range n {
		add := int64(0)
		if extra != nil {
			add = extra[i]
		}
		switch {
		case fixed != nil:
			if fixed[i] < 0 || fixed[i] > math.MaxInt32 {
				return invalid("output_shape %v is out of range", fixed)
			}
			out = append(out, size(int(fixed[i])))
		case !x[i+2].known() || win.kernel[i] < 0:
			out = append(out, unknownDim)
		case win.auto == "SAME_UPPER" || win.auto == "SAME_LOWER":
			out = append(out, size(int(int64(x[i+2].n)*win.strides[i])))
		default:
			size64 := win.strides[i]*int64(x[i+2].n-1) + add + (win.kernel[i]-1)*win.dilations[i] + 1
			if win.auto == "NOTSET" {
				size64 -= win.pads[i] + win.pads[i+n]
			}
			if size64 < 0 {
				return invalid("pads %v leave nothing of spatial dimension %d", win.pads, i)
			}
			out = append(out, size(int(size64)))
		}
	}
	c.out(0, dt, out)
	return nil
}

func inferPool(c *opContext) error {
	x := c.dims(0)
	set := func(d dims) {
		c.out(0, c.dtype(0), d)
		c.out(1, tensor.Int64, d)
	}
	if x == nil {
		set(nil)
		return nil
	}
	if len(x) < 3 {
		return invalid("input %s needs a rank of at least 3", x.shape())
	}
	win, err := windowOf(c.o, len(x)-2, nil)
	if err != nil {
		return err
	}
	out := slices.Clone(x[:2])
	for i, d := range x[2:] {
		y, err := win.output(i, d)
		if err != nil {
			return err
		}
		out = append(out, y)
	}
	set(out)
	return nil
}

func inferGlobalPool(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if len(x) < 2 {
		return invalid("input %s needs a rank of at least 2", x.shape())
	}
	out := slices.Clone(x)
	for i := 2; i < len(out); i++ {
		out[i] = size(1)
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferMaxUnpool(c *opContext) error {
	x := c.dims(0)
	if c.has(2) {
		c.out(0, c.dtype(0), c.shapeInput(2))
		return nil
	}
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if len(x) < 3 {
		return invalid("input %s needs a rank of at least 3", x.shape())
	}
	n := len(x) - 2
	win, err := windowOf(c.o, n, nil)
	if err != nil {
		return err
	}
	out := slices.Clone(x)
	for i := range n {
		if out[i+2].known() {
			out[i+2] = size(max(int((int64(x[i+2].n)-1)*win.strides[i]+win.kernel[i]-win.pads[i]-win.pads[i+n]), 0))
		}
	}
	c.out(0, c.dtype(0), out)
	return nil
}

func inferMaxRoiPool(c *opContext) error {
	out := unknownDims(4)
	if rois := c.dims(1); len(rois) == 2 {
		out[0] = rois[0]
	}
	if x := c.dims(0); len(x) == 4 {
		out[1] = x[1]
	}
	pooled := c.o.Ints("pooled_shape")
	if len(pooled) != 2 || pooled[0] < 0 || pooled[1] < 0 {
		return invalid("pooled_shape %v is not two sizes", pooled)
	}
	out[2], out[3] = size(int(pooled[0])), size(int(pooled[1]))
	c.out(0, c.dtype(0), out)
	return nil
}

func inferBatchNorm(c *opContext) error {
	x := c.dims(0)
	for i := 1; i < 5; i++ {
		if p := c.dims(i); p != nil && (len(p) != 1 || len(x) > 1 && p[0].known() && x[1].known() && p[0].n != x[1].n) {
			return invalid("input %d has shape %s, but input %s needs one number per channel", i, p.shape(), x.shape())
		}
	}
	c.out(0, c.dtype(0), x)
	for i := 1; i < len(c.o.Outputs); i++ {
		c.out(i, c.dtype(3), c.dims(3))
	}
	return nil
}

func inferLayerNorm(c *opContext) error {
	x := c.dims(0)
	c.out(0, c.dtype(0), x)
	var stats dims
	if x != nil {
		axis, err := axisOf(c.o.Int("axis", -1), len(x))
		if err != nil {
			return err
		}
		stats = slices.Clone(x)
		for i := axis; i < len(stats); i++ {
			stats[i] = size(1)
		}
	}
	c.out(1, tensor.Float32, stats)
	c.out(2, tensor.Float32, stats)
	return nil
}

// inferSimplifiedLayerNorm is RMS normalisation as ONNX Runtime writes it.
func inferSimplifiedLayerNorm(c *opContext) error { return inferLayerNorm(c) }

func inferCol2Im(c *opContext) error {
	image, _ := c.ints(1)
	block, _ := c.ints(2)
	x := c.dims(0)
	if x == nil || image == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if len(x) != 3 {
		return invalid("input %s is not of rank 3", x.shape())
	}
	out := dims{x[0], unknownDim}
	n := int64(1)
	for _, b := range block {
		n *= max(b, 1)
	}
	if x[1].known() && block != nil && n > 0 {
		out[1] = size(x[1].n / int(n))
	}
	for _, d := range image {
		if d < 0 {
			return invalid("image_shape %v is out of range", image)
		}
		out = append(out, size(int(d)))
	}
	c.out(0, c.dtype(0), out)
	return nil
}
