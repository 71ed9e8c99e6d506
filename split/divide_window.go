package split

import "slices"

// divideConv needs, for rows or columns, the receptive field; for output channels, their weights and all input channels, or
// with groups the channels of the groups.
func divideConv(g *Graph, o *Op, s span, d *dividedOp) error {
	x, w := g.shape(o.Inputs[0]), g.shape(o.Inputs[1])
	switch s.axis {
	case 0:
		d.need[0] = s
		return nil
	case 1:
		return divideChannels(o, x[1], w[0], s, d)
	}
	return divideWindow(g, o, w[2:], s, d)
}

// divideChannels is for the output channels of a convolution from in to out channels.
func divideChannels(o *Op, in, out int, s span, d *dividedOp) error {
	d.need[1] = span{0, s.lo, s.hi}
	if len(o.Inputs) > 2 {
		d.need[2] = span{0, s.lo, s.hi}
	}
	groups := int(o.Int("group", 1))
	if groups == 1 {
		return nil
	}
	each, from := out/groups, in/groups
	if s.lo%each != 0 || s.hi%each != 0 {
		return indivisible("channels %d to %d divide a group of %d", s.lo, s.hi, each)
	}
	d.need[0] = span{1, s.lo / each * from, s.hi / each * from}
	d.attrs = map[string]Attr{"group": int64((s.hi - s.lo) / each)}
	return nil
}

func dividePool(g *Graph, o *Op, s span, d *dividedOp) error {
	if s.axis < 2 {
		d.need[0] = s
		return nil
	}
	return divideWindow(g, o, nil, s, d)
}

// divideWindow is for rows or columns lo to hi-1 of what a sliding window makes: with stride t, dilation e, kernel k and p padding in
// front, they read elements lo*t-p to (hi-1)*t-p+(k-1)*e. What of that lies outside of the picture becomes the part's padding.
func divideWindow(g *Graph, o *Op, kernel []int, s span, d *dividedOp) error {
	x, axis := g.shape(o.Inputs[0]), s.axis-2
	n := len(x) - 2
	var sizes []int64
	for _, k := range kernel {
		sizes = append(sizes, int64(k))
	}
	w, err := windowOf(o, n, sizes)
	if err != nil {
		return err
	}
	if w.auto != "NOTSET" && w.auto != "" {
		return indivisible("its padding is implicit")
	}
	size, pad := x[s.axis], int(w.pads[axis])
	stride, reach := int(w.strides[axis]), int((w.kernel[axis]-1)*w.dilations[axis])+1
	if whole := (size+pad+int(w.pads[axis+n])-reach)/stride + 1; whole != g.shape(o.Outputs[0])[s.axis] || min(w.pads[axis], w.pads[axis+n]) < 0 {
		return indivisible("its last window hangs over, or it crops")
	}
	lo, hi := s.lo*stride-pad, (s.hi-1)*stride-pad+reach
	if hi <= 0 || lo >= size {
		return indivisible("a part would see padding alone")
	}
	d.need[0] = span{s.axis, max(lo, 0), min(hi, size)}
	pads := slices.Clone(w.pads)
	pads[axis], pads[axis+n] = int64(max(-lo, 0)), int64(max(hi-size, 0))
	d.attrs = map[string]Attr{"pads": pads}
	if w.ceil {
		return divideCeil(g, o, &w, d)
	}
	return nil
}

// divideCeil lets a pool that rounds sizes up do the same in parts, where that changes no other axis: rounding down does then.
func divideCeil(g *Graph, o *Op, w *window, d *dividedOp) error {
	x, out := g.shape(o.Inputs[0]), g.shape(o.Outputs[0])
	n := len(x) - 2
	for i := range n {
		reach := int((w.kernel[i]-1)*w.dilations[i]) + 1
		if (x[i+2]+int(w.pads[i]+w.pads[i+n])-reach)/int(w.strides[i])+1 != out[i+2] {
			return indivisible("its last window hangs over")
		}
	}
	d.attrs["ceil_mode"] = int64(0)
	return nil
}
