package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalPool is AveragePool, MaxPool and LpPool; MaxPool may also give the flat index of each maximum.
func evalPool(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	xs := x.Shape()
	win, err := c.window(xs, nil)
	if err != nil {
		return err
	}
	s := append(tensor.Shape{xs[0], xs[1]}, win.out...)
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	var index []int64
	if c.op.Type == "MaxPool" && c.want(1) {
		idx, err := c.output(1, tensor.Int64, s)
		if err != nil {
			return err
		}
		index = tensor.Data[int64](idx)
	}
	pixels, outs := size(win.in), size(win.out)
	xf, r := floats(x), make([]float64, out.Len())
	includePad, p := c.attrInt("count_include_pad", 0) == 1, float64(c.attrInt("p", 2))
	oi := make([]int, len(win.out))
	columnMajor := c.attrInt("storage_order", 0) == 1
	win.taps(func(o int, at []int) {
		inside := 0 // kernel positions that lie in the input or, when asked for, its padding
		for _, a := range at {
			if a >= 0 {
				inside++
			}
		}
		if includePad {
			unravel(o, win.out, oi)
			inside = win.padded(oi)
		}
		for ch := range xs[0] * xs[1] {
			src := xf[ch*pixels : (ch+1)*pixels]
			var v float64
			switch c.op.Type {
			case "MaxPool":
				v = math.Inf(-1)
				best := -1
				for _, a := range at {
					if a >= 0 && (best < 0 || src[a] > v) {
						v, best = src[a], a
					}
				}
				if index != nil {
					if columnMajor {
						best = transposedIndex(best, win.in)
					}
					index[ch*outs+o] = int64(ch*pixels + best)
				}
			case "AveragePool":
				for _, a := range at {
					if a >= 0 {
						v += src[a]
					}
				}
				v /= float64(max(inside, 1))
			default: // LpPool
				for _, a := range at {
					if a >= 0 {
						v += math.Pow(math.Abs(src[a]), p)
					}
				}
				v = math.Pow(v, 1/p)
			}
			r[ch*outs+o] = v
		}
	})
	setFloats(out, r)
	return nil
}

// padded counts the positions of the window at oi that lie within the input or its declared padding, which excludes what
// ceil_mode adds.
func (w *window) padded(oi []int) int {
	n := 1
	for d, o := range oi {
		in := 0
		for k := range w.kernel[d] {
			if p := o*w.stride[d] - w.pad[d] + k*w.dilation[d]; p < w.in[d]+w.to[d] {
				in++
			}
		}
		n *= in
	}
	return n
}

// transposedIndex turns a row-major index into the column-major one.
func transposedIndex(i int, dims []int) int {
	idx := make([]int, len(dims))
	unravel(i, dims, idx)
	r := 0
	for d := len(dims) - 1; d >= 0; d-- {
		r = r*dims[d] + idx[d]
	}
	return r
}

// evalGlobalPool reduces all spatial dimensions to 1.
func evalGlobalPool(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	xs := x.Shape()
	if len(xs) < 2 {
		return c.errorf("needs batch and channel dimensions, not %v", xs)
	}
	s := xs.Clone()
	for i := 2; i < len(s); i++ {
		s[i] = 1
	}
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	n := size(xs[2:])
	if n == 0 {
		return c.errorf("has no elements to pool: %v", xs)
	}
	xf, r := floats(x), make([]float64, out.Len())
	p := float64(c.attrInt("p", 2))
	for i := range r {
		src := xf[i*n : (i+1)*n]
		acc := 0.0
		switch c.op.Type {
		case "GlobalAveragePool":
			for _, v := range src {
				acc += v
			}
			acc /= float64(n)
		case "GlobalMaxPool":
			acc = math.Inf(-1)
			for _, v := range src {
				acc = max(acc, v)
			}
		default: // GlobalLpPool
			for _, v := range src {
				acc += math.Pow(math.Abs(v), p)
			}
			acc = math.Pow(acc, 1/p)
		}
		r[i] = acc
	}
	setFloats(out, r)
	return nil
}

// evalMaxUnpool puts each value back where MaxPool found it, in an output of zeros.
func evalMaxUnpool(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	idx, err := c.ints(1)
	if err != nil {
		return err
	}
	xs := x.Shape()
	n := len(xs) - 2
	kernel, stride, pads := c.attrInts("kernel_shape"), c.attrInts("strides"), c.attrInts("pads")
	if stride == nil {
		for range n {
			stride = append(stride, 1)
		}
	}
	if pads == nil {
		pads = make([]int, 2*max(n, 0))
	}
	if n < 1 || len(kernel) != n || len(stride) != n || len(pads) != 2*n || len(idx) != x.Len() {
		return c.errorf("kernel, strides, pads or indices do not fit %v", xs)
	}
	natural := xs[:2].Clone()
	for i := range n {
		natural = append(natural, (xs[i+2]-1)*stride[i]-pads[i]-pads[i+n]+kernel[i])
	}
	want, err := c.intsOr(2, natural)
	if err != nil {
		return err
	}
	if len(want) != len(xs) {
		return c.errorf("output shape %v does not fit %v", want, xs)
	}
	out, err := c.output(0, x.DType(), want)
	if err != nil {
		return err
	}
	clear(out.Bytes())
	at := make([]int, len(xs))
	return c.moves(out, func(m mover) {
		for k, i := range idx {
			unravel(i, natural, at)
			o := 0
			for d, p := range at {
				o = o*want[d] + p
			}
			if o >= 0 && o < out.Len() {
				m.move(out, o, x, k, 1)
			}
		}
	})
}
