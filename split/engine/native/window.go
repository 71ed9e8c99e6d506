package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// window is the geometry of a sliding window over the spatial dimensions of an N×C×spatial tensor.
type window struct {
	in, kernel, out           []int
	stride, dilation, pad, to []int // pad at the beginning, to at the end
}

// window reads a sliding window's attributes. kernel is the size of the window, from the attribute or from weights.
func (c *call) window(in tensor.Shape, kernel []int) (*window, error) {
	n := len(in) - 2
	if n < 1 {
		return nil, c.errorf("needs batch, channel and spatial dimensions, not %v", in)
	}
	if kernel == nil {
		kernel = c.attrInts("kernel_shape")
	}
	w := &window{in: in[2:], kernel: kernel, out: make([]int, n)}
	ones := func(name string) []int {
		v := c.attrInts(name)
		if v == nil {
			for range n {
				v = append(v, 1)
			}
		}
		return v
	}
	w.stride, w.dilation = ones("strides"), ones("dilations")
	pads := c.attrInts("pads")
	if pads == nil {
		pads = make([]int, 2*n)
	}
	if len(kernel) != n || len(w.stride) != n || len(w.dilation) != n || len(pads) != 2*n {
		return nil, c.errorf("kernel %v, strides, dilations or pads do not fit %d spatial dimensions", kernel, n)
	}
	w.pad, w.to = append([]int{}, pads[:n]...), append([]int{}, pads[n:]...)
	auto := c.attrString("auto_pad", "NOTSET")
	ceil := c.attrInt("ceil_mode", 0) == 1
	for i := range n {
		if kernel[i] < 1 || w.stride[i] < 1 || w.dilation[i] < 1 || w.pad[i] < 0 || w.to[i] < 0 {
			return nil, c.errorf("kernel %v, strides %v, dilations %v and pads %v are not valid", kernel, w.stride, w.dilation, pads)
		}
		reach := (kernel[i]-1)*w.dilation[i] + 1
		switch auto {
		case "SAME_UPPER", "SAME_LOWER":
			w.out[i] = (in[i+2] + w.stride[i] - 1) / w.stride[i]
			need := max(0, (w.out[i]-1)*w.stride[i]+reach-in[i+2])
			w.pad[i] = need / 2
			if auto == "SAME_LOWER" {
				w.pad[i] = need - need/2
			}
			w.to[i] = need - w.pad[i]
			continue
		case "VALID":
			w.pad[i], w.to[i] = 0, 0
		case "NOTSET", "":
		default:
			return nil, c.errorf("auto_pad %q is unknown", auto)
		}
		span := in[i+2] + w.pad[i] + w.to[i] - reach
		if span < 0 {
			return nil, c.errorf("window %v is larger than the padded input %v", kernel, in)
		}
		w.out[i] = span/w.stride[i] + 1
		if ceil && span%w.stride[i] != 0 && w.out[i]*w.stride[i] < in[i+2]+w.pad[i] {
			w.out[i]++ // a last window that starts inside of the input
		}
	}
	return w, nil
}

// size is the number of positions in a window, or of windows, or of input pixels.
func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// taps calls f for every window: o is the window's index, and at holds, for each kernel position in order, the offset of
// the input pixel under it, or -1 where that lies in the padding. at is reused.
func (w *window) taps(f func(o int, at []int)) {
	at := make([]int, size(w.kernel))
	ki := make([]int, len(w.kernel))
	oi := make([]int, len(w.out))
	for o := range size(w.out) {
		unravel(o, w.out, oi)
		for k := range at {
			unravel(k, w.kernel, ki)
			off := 0
			for d := range ki {
				p := oi[d]*w.stride[d] - w.pad[d] + ki[d]*w.dilation[d]
				if p < 0 || p >= w.in[d] {
					off = -1
					break
				}
				off = off*w.in[d] + p
			}
			at[k] = off
		}
		f(o, at)
	}
}

// unravel writes the multi-dimensional index of element i of a tensor with the given sizes.
func unravel(i int, dims, idx []int) {
	for d := len(dims) - 1; d >= 0; d-- {
		idx[d] = i % dims[d]
		i /= dims[d]
	}
}
