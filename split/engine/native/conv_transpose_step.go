package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// convTranspose appends a ConvTranspose with its epilogue.
func (c *compiler) convTranspose(ops []*split.Op) bool {
	op := ops[0]
	x := op.Inputs[0]
	n, ch, h, w, ok := c.image(x)
	weights := c.constant(op.Inputs[1])
	if !ok || n*ch*h*w == 0 || weights == nil || weights.DType() != tensor.Float32 {
		return false
	}
	e, ok := c.epilogue(ops, 1)
	if !ok || e.residual != split.None || !c.biased(&e, op.Input(2)) {
		return false
	}
	cl := call{op: op, opset: c.g.Opset[op.Domain]}
	ws, xs := weights.Shape(), c.p.slots[x].shape
	if len(ws) != len(xs) || ws[0] != ch {
		return false
	}
	win, err := cl.transposedWindow(xs, ws[2:])
	if err != nil {
		return false
	}
	groups := cl.attrInt("group", 1)
	s := kernel.ConvShape{
		N: n, H: h, W: w, C: ch, OC: ws[1] * groups, Groups: groups, OH: 1, KH: 1, StrideH: 1, DilationH: 1,
	}
	d := len(win.in) - 1
	s.OW, s.KW, s.StrideW, s.DilationW, s.PadLeft = win.in[d], win.kernel[d], win.stride[d], win.dilation[d], win.pad[d]
	if d == 1 {
		s.OH, s.KH, s.StrideH, s.DilationH, s.PadTop = win.in[0], win.kernel[0], win.stride[0], win.dilation[0], win.pad[0]
	}
	if want := (tensor.Shape{n, s.OC, s.OH, s.OW}); d == 1 && !want.Equal(c.p.slots[e.out].shape) {
		return false
	}
	step := &convTransposeStep{x: c.toCL(x), y: c.outCL(e.out)}
	step.task = kernel.ConvTranspose{ConvShape: s, Weights: c.e.packs.convTranspose(weights, s), Bias: e.bias, Act: e.act}
	c.add(step, stepIO{reads: []int{step.x}, writes: []int{step.y}})
	return true
}

// biased adds the constant bias v to an epilogue; None is no bias.
func (c *compiler) biased(e *epilogue, v split.ValueID) bool {
	if v == split.None {
		return true
	}
	t := c.constant(v)
	if t == nil || t.DType() != tensor.Float32 || e.bias != nil && t.Len() != len(e.bias) {
		return false
	}
	bias := tensor.Data[float32](t)
	if e.bias != nil {
		bias = append([]float32{}, bias...)
		kernel.Add(bias, bias, e.bias)
	}
	e.bias = bias
	return true
}

type convTransposeStep struct {
	x, y int
	task kernel.ConvTranspose
}

func (s *convTransposeStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
