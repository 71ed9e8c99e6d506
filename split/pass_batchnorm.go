package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// foldBatchNorm puts a BatchNormalization of constants into the weights and bias of the Conv, ConvTranspose or Gemm that
// alone feeds it: with s = scale/sqrt(variance+epsilon), W becomes s*W and b becomes s*(b-mean)+bias (Jacob et al. 2018,
// section 3.2). The arithmetic is in float64, rounded once.
func (c *canonicalizer) foldBatchNorm() bool {
	changed := false
	for i := range c.g.Ops {
		bn := &c.g.Ops[i]
		if !bn.Is("BatchNormalization") || len(bn.Outputs) != 1 || bn.Int("training_mode", 0) != 0 {
			continue
		}
		var p [4][]float32
		ok := true
		for j := range p {
			t := c.constant(bn.Inputs[j+1])
			ok = ok && t != nil && t.DType() == tensor.Float32
			if ok {
				p[j] = tensor.Data[float32](t)
			}
		}
		linear := c.producer(bn.Inputs[0])
		if !ok || linear == nil || c.only(bn.Inputs[0]) == nil {
			continue
		}
		epsilon := float64(bn.Float("epsilon", 1e-5))
		scale, shift := make([]float64, len(p[0])), make([]float64, len(p[0]))
		for j := range scale {
			if j >= len(p[1]) || j >= len(p[2]) || j >= len(p[3]) {
				ok = false
				break
			}
			scale[j] = float64(p[0][j]) / math.Sqrt(float64(p[3][j])+epsilon)
			shift[j] = float64(p[1][j]) - float64(p[2][j])*scale[j]
		}
		if ok && c.scaleLinear(linear, scale, shift) {
			c.takePlace(linear, bn)
			changed = true
		}
	}
	return changed
}

// foldScaleAndBias puts a Mul, Add, Sub or Div by a constant per channel into the weights and bias of the Conv,
// ConvTranspose or BatchNormalization that alone feeds it.
func (c *canonicalizer) foldScaleAndBias() bool {
	changed := false
	for i := range c.g.Ops {
		o := &c.g.Ops[i]
		if o.Domain != "" || len(o.Inputs) != 2 || o.Type != "Mul" && o.Type != "Add" && o.Type != "Sub" && o.Type != "Div" {
			continue
		}
		x, k := 0, 1
		if c.constant(o.Inputs[0]) != nil && (o.Type == "Mul" || o.Type == "Add") {
			x, k = 1, 0
		}
		factor := c.constant(o.Inputs[k])
		conv := c.producer(o.Inputs[x])
		if factor == nil || factor.DType() != tensor.Float32 || conv == nil || c.only(o.Inputs[x]) == nil {
			continue
		}
		if !conv.Is("Conv") && !conv.Is("ConvTranspose") && !conv.Is("BatchNormalization") {
			continue
		}
		channels := c.outputChannels(conv)
		values := perChannel(factor, len(c.dims(o.Inputs[x])), channels)
		if values == nil {
			continue
		}
		scale, shift := slices.Repeat([]float64{1}, channels), make([]float64, channels)
		for j := range channels {
			switch v := float64(values[j]); o.Type {
			case "Mul":
				scale[j] = v
			case "Div":
				scale[j] = 1 / v
			case "Add":
				shift[j] = v
			case "Sub":
				shift[j] = -v
			}
		}
		if c.scaleLinear(conv, scale, shift) {
			c.takePlace(conv, o)
			changed = true
		}
	}
	return changed
}

// outputChannels is the channels that a convolution computes; 0 when they are not known.
func (c *canonicalizer) outputChannels(conv *Op) int {
	w := c.dims(conv.Input(1))
	if conv.Type == "BatchNormalization" && w.known() && len(w) == 1 {
		return w[0].n
	}
	if !w.known() || len(w) < 3 {
		return 0
	}
	if conv.Type == "ConvTranspose" {
		return w[1].n * int(conv.Int("group", 1))
	}
	return w[0].n
}

// perChannel is the values of t, which stretches to N x channels x ... of this rank, for each channel; nil when they differ
// elsewhere.
func perChannel(t *tensor.Tensor, rank, channels int) []float32 {
	s := t.Shape()
	if rank < 3 || len(s) > rank || channels == 0 {
		return nil
	}
	n := 1
	for i, d := range s {
		if d == 1 {
			continue
		}
		if i != len(s)-(rank-1) || d != channels {
			return nil
		}
		n = d
	}
	data := tensor.Data[float32](t)
	if n == 1 {
		return slices.Repeat(data[:1], channels)
	}
	return data
}

// scaleLinear makes an op with constant float32 weights compute scale*y+shift, per output channel, where it computed y. It reports
// false and changes nothing when it cannot.
func (c *canonicalizer) scaleLinear(o *Op, scale, shift []float64) bool {
	if o.Is("BatchNormalization") {
		return c.scaleBatchNorm(o, scale, shift)
	}
	if !o.Is("Conv") && !o.Is("ConvTranspose") && !o.Is("Gemm") {
		return false
	}
	w, b := c.constant(o.Input(1)), c.constant(o.Input(2))
	if w == nil || w.DType() != tensor.Float32 || o.Input(2) != None && (b == nil || b.DType() != tensor.Float32) {
		return false
	}
	s := w.Shape()
	n := len(scale)
	// channel is the output channel of element i of the weights.
	var channel func(i int) int
	switch {
	case o.Type == "Conv" && len(s) > 2 && s[0] == n:
		inner := w.Len() / max(n, 1)
		channel = func(i int) int { return i / inner }
	case o.Type == "ConvTranspose" && len(s) > 2 && s[1]*int(o.Int("group", 1)) == n:
		window, perGroup := 1, s[0]/max(int(o.Int("group", 1)), 1)
		for _, d := range s[2:] {
			window *= d
		}
		channel = func(i int) int { return i/window/s[1]/perGroup*s[1] + i/window%s[1] }
	case o.Type == "Gemm" && len(s) == 2 && o.Float("alpha", 1) == 1 && o.Float("beta", 1) == 1:
		if o.Int("transB", 0) != 0 && s[0] == n {
			channel = func(i int) int { return i / s[1] }
		} else if o.Int("transB", 0) == 0 && s[1] == n {
			channel = func(i int) int { return i % s[1] }
		}
	}
	if channel == nil || w.Len() == 0 || b != nil && b.Len() != 1 && (b.Len() != n || b.Shape()[len(b.Shape())-1] != n) {
		return false
	}
	if slices.ContainsFunc(scale, func(x float64) bool { return x != 1 }) {
		scaled, err := tensor.New(tensor.Float32, s)
		if err != nil {
			return false
		}
		from, to := tensor.Data[float32](w), tensor.Data[float32](scaled)
		for i, x := range from {
			to[i] = float32(float64(x) * scale[channel(i)])
		}
		o.Inputs[1] = c.newConst(o.Inputs[1], "scaled", scaled)
	}
	bias, err := tensor.New(tensor.Float32, tensor.Shape{n})
	if err != nil {
		return false
	}
	for j := range n {
		old := 0.0
		if b != nil {
			old = float64(tensor.Data[float32](b)[j%b.Len()])
		}
		tensor.Data[float32](bias)[j] = float32(old*scale[j] + shift[j])
	}
	from := o.Inputs[1]
	for len(o.Inputs) < 3 {
		o.Inputs = append(o.Inputs, None)
	}
	if o.Inputs[2] != None {
		from = o.Inputs[2]
	}
	o.Inputs[2] = c.newConst(from, "bias", bias)
	return true
}

// takePlace makes first compute what second computed, and removes second, the one reader of first.
func (c *canonicalizer) takePlace(first, second *Op) {
	c.g.Values[second.Outputs[0]].Producer = c.g.Values[first.Outputs[0]].Producer
	first.Outputs[0] = second.Outputs[0]
	second.Type = ""
}

// scaleBatchNorm is scaleLinear of a BatchNormalization: its own scale and bias take the factors.
func (c *canonicalizer) scaleBatchNorm(o *Op, scale, shift []float64) bool {
	gain, bias := c.constant(o.Inputs[1]), c.constant(o.Inputs[2])
	if len(o.Outputs) != 1 || gain == nil || bias == nil || gain.DType() != tensor.Float32 || bias.DType() != tensor.Float32 ||
		gain.Len() != len(scale) || bias.Len() != len(scale) {
		return false
	}
	newGain, newBias := gain.Clone(), bias.Clone()
	for j := range scale {
		tensor.Data[float32](newGain)[j] = float32(float64(tensor.Data[float32](gain)[j]) * scale[j])
		tensor.Data[float32](newBias)[j] = float32(float64(tensor.Data[float32](bias)[j])*scale[j] + shift[j])
	}
	o.Inputs[1], o.Inputs[2] = c.newConst(o.Inputs[1], "scaled", newGain), c.newConst(o.Inputs[2], "bias", newBias)
	return true
}
