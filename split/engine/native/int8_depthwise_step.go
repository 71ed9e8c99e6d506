package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// exactFloat is the bound below which float32 holds every integer.
const exactFloat = 1 << 24

// int8Depthwise appends a depthwise QLinearConv: one channel in and out of each group leaves an integer product's lanes
// empty, so that it is computed in float32, whose sums of few 8-bit products are exact integers too.
func (c *compiler) int8Depthwise(p *int8Product, xZero []int32) bool {
	w := c.constant(p.w)
	if w == nil || !isByte(w.DType()) {
		return false
	}
	s, ok := c.int8ConvShape(p, w)
	if !ok || s.Groups != s.C || s.OC != s.C || s.C == 1 {
		return false
	}
	const most = 255 * 255
	bound := s.KH * s.KW * most
	bias := make([]float32, s.OC)
	for i, b := range p.sum0 {
		if b <= -exactFloat || b >= exactFloat || bound+max(int(b), -int(b)) >= exactFloat {
			return false
		}
		bias[i] = float32(b)
	}
	if bound >= exactFloat {
		return false
	}
	x, y := c.toCL(p.x), c.outCL(p.y)
	whole := c.extra(tensor.Float32, c.p.slots[x].shape)
	sums := c.extra(tensor.Float32, c.p.slots[y].shape)
	c.addDequantize(x, whole, 1, append(xZero, 0)[0])
	weights := pack(c.e.packs, w, int8Form("int8 depthwise", p.wZero), func() *kernel.DepthwiseWeights {
		f := make([]float32, w.Len())
		for i, b := range w.Bytes() {
			f[i] = float32(byteValue(b, w.DType()) - channelZero(p.wZero, i/(s.KH*s.KW)))
		}
		return kernel.PackDepthwise(f, s)
	})
	c.add(&convStep{x: whole, y: sums, residual: -1, w: -1, depthwise: &kernel.Depthwise{ConvShape: s, Weights: weights, Bias: bias}},
		stepIO{reads: []int{whole}, writes: []int{sums}})
	r := &requantizeStep{x: sums, y: y, scale: p.scale, zero: p.zero}
	if len(r.scale) == 1 {
		r.scale = make([]float32, s.OC)
		for i := range r.scale {
			r.scale[i] = p.scale[0]
		}
	}
	n := s.N * s.OH * s.OW
	r.task = rowTask{rows: n, n: s.OC, nanos: n * s.OC * cheapPicos / 1000, f: r.rows}
	c.add(r, stepIO{reads: []int{sums}, writes: []int{y}})
	return true
}

// channelZero is the zero point of a channel.
func channelZero(zero []int32, channel int) int32 {
	switch len(zero) {
	case 0:
		return 0
	case 1:
		return zero[0]
	}
	return zero[channel]
}

// requantizeStep scales sums, channel by channel, and rounds them to bytes. It leaves the sums scaled.
type requantizeStep struct {
	x, y  int
	scale []float32 // per channel
	zero  int32
	src   []float32
	dst   []byte
	int8  bool
	task  rowTask
}

func (s *requantizeStep) run(p *program) error {
	s.src, s.dst, s.int8 = p.slots[s.x].f32, p.bytes(s.y), p.slots[s.y].dtype == tensor.Int8
	p.parallel.Run(&s.task)
	return nil
}

func (s *requantizeStep) rows(lo, hi int) {
	n := len(s.scale)
	for i := lo * n; i < hi*n; i += n {
		kernel.Mul(s.src[i:i+n], s.src[i:i+n], s.scale)
	}
	quantizeBytes(s.dst[lo*n:hi*n], s.src[lo*n:hi*n], 1, s.zero, s.int8)
}
