package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalConv is Conv, in any number of spatial dimensions.
func evalConv(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	w, err := c.tensor(1)
	if err != nil {
		return err
	}
	if x.DType() != w.DType() || !isFloat(x.DType()) {
		return c.errorf("input %s and weights %s do not fit", x, w)
	}
	win, s, err := c.convWindow(x.Shape(), w.Shape())
	if err != nil {
		return err
	}
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	var bias []float64
	if b := c.maybe(2); b != nil {
		if bias = floats(b); len(bias) != s[1] {
			return c.errorf("bias %v does not fit %d channels", b.Shape(), s[1])
		}
	}
	r := convolve(floats(x), x.Shape(), floats(w), w.Shape(), win, c.attrInt("group", 1))
	if bias != nil {
		n := size(win.out)
		for i := range r {
			r[i] += bias[i/n%s[1]]
		}
	}
	setFloats(out, r)
	return nil
}

// convWindow is a convolution's window and output shape.
func (c *call) convWindow(x, w tensor.Shape) (*window, tensor.Shape, error) {
	group := c.attrInt("group", 1)
	if len(w) != len(x) || len(x) < 3 || group < 1 || w[1]*group != x[1] || w[0]%group != 0 {
		return nil, nil, c.errorf("input %v and weights %v in %d groups do not fit", x, w, group)
	}
	win, err := c.window(x, w[2:])
	if err != nil {
		return nil, nil, err
	}
	return win, append(tensor.Shape{x[0], w[0]}, win.out...), nil
}

// convolve sums in the order channel, kernel position. It is the definition, not a fast way.
func convolve(x []float64, xs tensor.Shape, w []float64, ws tensor.Shape, win *window, group int) []float64 {
	pixels, outs, taps := size(win.in), size(win.out), size(win.kernel)
	oc, ic := ws[0], ws[1]
	r := make([]float64, xs[0]*oc*outs)
	win.taps(func(o int, at []int) {
		for n := range xs[0] {
			for m := range oc {
				g := m / (oc / group)
				sum := 0.0
				for ch := range ic {
					src := x[(n*xs[1]+g*ic+ch)*pixels:]
					k := w[(m*ic+ch)*taps:]
					for t, p := range at {
						if p >= 0 {
							sum += src[p] * k[t]
						}
					}
				}
				r[(n*oc+m)*outs+o] = sum
			}
		}
	})
	return r
}

// evalConvTranspose scatters each input pixel through the kernel: the gradient of Conv.
func evalConvTranspose(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	w, err := c.tensor(1)
	if err != nil {
		return err
	}
	xs, ws, group := x.Shape(), w.Shape(), c.attrInt("group", 1)
	if len(xs) < 3 || len(ws) != len(xs) || ws[0] != xs[1] || group < 1 || ws[0]%group != 0 || !isFloat(x.DType()) {
		return c.errorf("input %s and weights %s in %d groups do not fit", x, w, group)
	}
	win, err := c.transposedWindow(xs, ws[2:])
	if err != nil {
		return err
	}
	oc := ws[1] * group
	s := append(tensor.Shape{xs[0], oc}, win.in...)
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	pixels, outs, taps := size(win.in), size(win.out), size(win.kernel)
	r := make([]float64, xs[0]*oc*pixels)
	if b := c.maybe(2); b != nil {
		bias := floats(b)
		if len(bias) != oc {
			return c.errorf("bias %v does not fit %d channels", b.Shape(), oc)
		}
		for i := range r {
			r[i] = bias[i/pixels%oc]
		}
	}
	xf, wf := floats(x), floats(w)
	win.taps(func(o int, at []int) {
		for n := range xs[0] {
			for ch := range xs[1] {
				v := xf[(n*xs[1]+ch)*outs+o]
				g := ch / (xs[1] / group)
				for m := range ws[1] {
					dst := r[(n*oc+g*ws[1]+m)*pixels:]
					k := wf[(ch*ws[1]+m)*taps:]
					for t, p := range at {
						if p >= 0 {
							dst[p] += v * k[t]
						}
					}
				}
			}
		}
	})
	setFloats(out, r)
	return nil
}

// transposedWindow is the window of the convolution whose gradient a ConvTranspose is: its input is our output.
func (c *call) transposedWindow(x tensor.Shape, kernel []int) (*window, error) {
	n := len(x) - 2
	w := &window{out: x[2:], kernel: kernel, in: make([]int, n), pad: make([]int, n), to: make([]int, n)}
	fill := func(name string, def int) ([]int, error) {
		v := c.attrInts(name)
		if v == nil {
			for range n {
				v = append(v, def)
			}
		}
		if len(v) != n {
			return nil, c.errorf("%s %v do not fit %d spatial dimensions", name, v, n)
		}
		return v, nil
	}
	var extra []int
	var err error
	if w.stride, err = fill("strides", 1); err != nil {
		return nil, err
	}
	if w.dilation, err = fill("dilations", 1); err != nil {
		return nil, err
	}
	if extra, err = fill("output_padding", 0); err != nil {
		return nil, err
	}
	pads, want := c.attrInts("pads"), c.attrInts("output_shape")
	if pads == nil {
		pads = make([]int, 2*n)
	}
	if len(want) > n {
		want = want[len(want)-n:]
	}
	if len(pads) != 2*n || want != nil && len(want) != n {
		return nil, c.errorf("pads or output_shape do not fit %d spatial dimensions", n)
	}
	auto := c.attrString("auto_pad", "NOTSET")
	for i := range n {
		if w.stride[i] < 1 || w.dilation[i] < 1 || extra[i] < 0 {
			return nil, c.errorf("strides %v, dilations %v or output_padding %v are not valid", w.stride, w.dilation, extra)
		}
		full := w.stride[i]*(x[i+2]-1) + extra[i] + (kernel[i]-1)*w.dilation[i] + 1
		switch {
		case want != nil:
			w.in[i] = want[i]
		case auto == "SAME_UPPER" || auto == "SAME_LOWER":
			w.in[i] = x[i+2] * w.stride[i]
		default:
			if auto != "VALID" {
				w.pad[i], w.to[i] = pads[i], pads[i+n]
			}
			w.in[i] = full - w.pad[i] - w.to[i]
			if w.in[i] < 0 {
				return nil, c.errorf("pads %v are larger than the output", pads)
			}
			continue
		}
		total := max(0, full-w.in[i])
		w.pad[i] = total / 2
		if auto == "SAME_LOWER" || want != nil && auto != "SAME_UPPER" {
			w.pad[i] = total - total/2
		}
		w.to[i] = total - w.pad[i]
	}
	return w, nil
}
