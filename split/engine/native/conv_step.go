package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/kernel/pool"
	"github.com/cleave-mesh/cleave/split"
)

// conv appends a convolution with its epilogue: depthwise, or an indirect product.
func (c *compiler) conv(ops []*split.Op) bool {
	op := ops[0]
	x := op.Inputs[0]
	n, ch, h, w, ok := c.image(x)
	wv := op.Inputs[1]
	if _, few := c.deferred[wv]; !ok || n*ch*h*w == 0 || !c.isFloat32(wv) || !few && c.constant(wv) == nil {
		return false
	}
	e, ok := c.epilogue(ops, 1)
	if !ok {
		return false
	}
	if !c.biased(&e, op.Input(2)) {
		return false
	}
	cl := call{op: op, opset: c.g.Opset[op.Domain]}
	win, out, err := cl.convWindow(c.p.slots[x].shape, c.p.slots[wv].shape)
	if err != nil || !out.Equal(c.p.slots[e.out].shape) {
		return false
	}
	s := win.convShape(n, ch, h, w, out[1])
	s.Groups = cl.attrInt("group", 1)
	step := &convStep{x: c.toCL(x), residual: -1, w: -1}
	if e.residual != split.None {
		step.residual = c.toCL(e.residual)
	}
	if depthwise := s.Groups == ch && s.OC == ch && ch > 1; depthwise {
		step.depthwise = &kernel.Depthwise{ConvShape: s, Weights: c.e.packs.depthwise(c.constant(wv), s), Bias: e.bias, Act: e.act}
	} else {
		step.dense = &kernel.Conv{ConvShape: s, Bias: e.bias, Act: e.act}
		if few := c.bytesOver(wv, 0); few != nil {
			step.compact = c.e.packs.compactConv(few, s)
			step.w = c.addExpand(step.compact.Size(), step.compact.NewExpand())
		} else {
			step.dense.Weights = c.e.packs.conv(c.constant(wv), s)
		}
	}
	step.y = c.outCL(e.out)
	c.add(step, stepIO{reads: []int{step.x, step.residual, step.w}, writes: []int{step.y}})
	return true
}

// convShape is the window in the form that kernels take; one spatial dimension becomes a row.
func (w *window) convShape(n, ch, h, wd, oc int) kernel.ConvShape {
	s := kernel.ConvShape{N: n, H: h, W: wd, C: ch, OC: oc, OH: 1, KH: 1, StrideH: 1, DilationH: 1, Groups: 1}
	d := len(w.in) - 1
	s.OW, s.KW, s.StrideW, s.DilationW, s.PadLeft = w.out[d], w.kernel[d], w.stride[d], w.dilation[d], w.pad[d]
	if d == 1 {
		s.OH, s.KH, s.StrideH, s.DilationH, s.PadTop = w.out[0], w.kernel[0], w.stride[0], w.dilation[0], w.pad[0]
	}
	return s
}

type convStep struct {
	x, y, residual int
	dense          *kernel.Conv
	depthwise      *kernel.Depthwise
	// compact is the weights when slot w holds them expanded.
	compact *kernel.CompactConv
	w       int
}

func (s *convStep) run(p *program) error {
	var r []float32
	if s.residual >= 0 {
		r = p.slots[s.residual].f32
	}
	if s.compact != nil && s.dense.Weights == nil {
		s.dense.Weights = s.compact.Over(p.slots[s.w].f32)
	}
	var t pool.Task
	if s.depthwise != nil {
		s.depthwise.X, s.depthwise.Y, s.depthwise.Residual = p.slots[s.x].f32, p.slots[s.y].f32, r
		t = s.depthwise
	} else {
		s.dense.X, s.dense.Y, s.dense.Residual = p.slots[s.x].f32, p.slots[s.y].f32, r
		t = s.dense
	}
	p.parallel.Run(t)
	return nil
}
