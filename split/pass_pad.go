package split

import (
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// explicitPads writes auto_pad of convolutions and pools as pads, where the sizes are known.
func (c *canonicalizer) explicitPads() bool {
	changed := false
	for i := range c.g.Ops {
		o := &c.g.Ops[i]
		auto := o.Str("auto_pad", "")
		if o.Domain != "" || auto == "" {
			continue
		}
		var kernel []int64
		switch o.Type {
		case "Conv", "ConvInteger":
			kernel = c.kernel(o.Input(1))
		case "QLinearConv":
			kernel = c.kernel(o.Input(3))
		case "MaxPool", "AveragePool", "LpPool":
		default:
			continue
		}
		if pads, ok := c.padsOf(o, auto, kernel); ok {
			o.Attrs = maps.Clone(o.Attrs)
			delete(o.Attrs, "auto_pad")
			if pads != nil {
				o.Attrs["pads"] = pads
			}
			changed = true
		}
	}
	return changed
}

// kernel is the window of weights w, M x C/group x kernel.
func (c *canonicalizer) kernel(w ValueID) []int64 {
	d := c.dims(w)
	if len(d) < 3 {
		return nil
	}
	kernel := make([]int64, len(d)-2)
	for i := range kernel {
		kernel[i] = int64(d[i+2].n)
	}
	return kernel
}

// padsOf is the pads that auto_pad means for o; nil when they are those that o states.
func (c *canonicalizer) padsOf(o *Op, auto string, kernel []int64) ([]int64, bool) {
	x := c.dims(o.Inputs[0])
	if auto == "NOTSET" {
		return nil, true
	}
	if len(x) < 3 {
		return nil, false
	}
	n := len(x) - 2
	w, err := windowOf(o, n, kernel)
	if err != nil {
		return nil, false
	}
	pads := make([]int64, 2*n)
	if auto == "VALID" {
		return pads, true
	}
	for i := range n {
		if !x[i+2].known() || w.kernel[i] < 0 {
			return nil, false
		}
		in := int64(x[i+2].n)
		out := (in + w.strides[i] - 1) / w.strides[i]
		total := max((out-1)*w.strides[i]+(w.kernel[i]-1)*w.dilations[i]+1-in, 0)
		pads[i], pads[i+n] = total/2, total-total/2
		if auto == "SAME_LOWER" {
			pads[i], pads[i+n] = pads[i+n], pads[i]
		}
	}
	return pads, true
}

// foldPads moves a Pad of zeros around the spatial dimensions into the one convolution that reads it.
func (c *canonicalizer) foldPads() bool {
	changed := false
	for i := range c.g.Ops {
		pad := &c.g.Ops[i]
		if !pad.Is("Pad") || pad.Str("mode", "constant") != "constant" || len(pad.Outputs) == 0 {
			continue
		}
		conv := c.only(pad.Outputs[0])
		if conv == nil || !conv.Is("Conv") || conv.Inputs[0] != pad.Outputs[0] || slices.Contains(conv.Inputs[1:], pad.Outputs[0]) {
			continue
		}
		if auto := conv.Str("auto_pad", "NOTSET"); auto != "NOTSET" && auto != "VALID" || !c.zeroPad(pad) {
			continue
		}
		x := c.dims(pad.Inputs[0])
		extra, ok := c.ints(pad.Input(1))
		if !ok || pad.Input(3) != None || len(extra) != 2*len(x) || len(x) < 3 ||
			slices.ContainsFunc(extra, func(p int64) bool { return p < 0 }) || extra[0]+extra[1]+extra[len(x)]+extra[len(x)+1] != 0 {
			continue
		}
		n := len(x) - 2
		pads := make([]int64, 2*n)
		copy(pads, conv.Ints("pads"))
		for i := range n {
			pads[i] += extra[i+2]
			pads[i+n] += extra[i+2+len(x)]
		}
		conv.Attrs = maps.Clone(conv.Attrs)
		if conv.Attrs == nil {
			conv.Attrs = map[string]Attr{}
		}
		delete(conv.Attrs, "auto_pad")
		conv.Attrs["pads"] = pads
		conv.Inputs[0] = pad.Inputs[0]
		pad.Type, changed = "", true
	}
	return changed
}

// zeroPad reports whether a Pad's value is zero.
func (c *canonicalizer) zeroPad(o *Op) bool {
	if o.Input(2) == None {
		return true
	}
	t := c.constant(o.Input(2))
	if t == nil || t.DType() == tensor.String {
		return false
	}
	return !slices.ContainsFunc(t.Bytes(), func(b byte) bool { return b != 0 })
}
