package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// qdq appends a group that says an integer product in other words: DequantizeLinear of both operands, the product with its
// bias and activation, and perhaps QuantizeLinear of the result. Sums are exact, where the words round each operand.
func (c *compiler) qdq(ops []*split.Op) bool {
	made := map[split.ValueID]*split.Op{}
	for len(ops) > 0 && ops[0].Is("DequantizeLinear") {
		made[ops[0].Outputs[0]] = ops[0]
		ops = ops[1:]
	}
	if len(ops) == 0 || ops[0].Domain != onnx {
		return false
	}
	anchor := ops[0]
	conv := anchor.Type == "Conv"
	if !conv && anchor.Type != "MatMul" && anchor.Type != "Gemm" {
		return false
	}
	dx, dw := made[anchor.Inputs[0]], made[anchor.Inputs[1]]
	if dx == nil || dw == nil || anchor.Int("transA", 0) != 0 || anchor.Float("alpha", 1) != 1 || anchor.Float("beta", 1) != 1 {
		return false
	}
	var last *split.Op
	if q := ops[len(ops)-1]; q.Is("QuantizeLinear") {
		last, ops = q, ops[:len(ops)-1]
	}
	p := int8Product{op: anchor, x: dx.Inputs[0], w: dw.Inputs[0], xZero: dx.Input(2), trans: anchor.Int("transB", 0) == 1}
	xs, _, ok := c.oneScale(dx)
	if !ok || !c.isFloat32(anchor.Outputs[0]) {
		return false
	}
	channel := 1
	if !conv {
		channel = len(c.p.slots[anchor.Outputs[0]].shape) - 1
	}
	ws, ok := c.columnScales(&p, dw, conv)
	if !ok || channel < 1 {
		return false
	}
	e, ok := c.epilogue(ops, channel)
	if !ok || e.residual != split.None || !c.qdqBias(&e, anchor, channel, made) {
		return false
	}
	p.bias, p.act, p.y = e.bias, e.act, e.out
	ys := float32(1)
	if last != nil {
		if ys, p.zero, ok = c.oneScale(last); !ok || !c.scaledOutput(&p, ys) || !isByte(c.p.slots[last.Outputs[0]].dtype) {
			return false
		}
		p.y = last.Outputs[0]
	}
	p.scale = productScale(xs, ws, ys)
	if w := c.constant(p.w); conv && w != nil && len(w.Shape()) > 1 && w.Shape()[1] == 1 && w.Shape()[0] > 1 {
		return false // depthwise: see int8Depthwise; the float32 steps are as good here
	}
	return c.int8Product(&p, conv)
}

// columnScales are the scales of the weights that dw dequantises, one or one per column of the product; p gets the zero
// points.
func (c *compiler) columnScales(p *int8Product, dw *split.Op, conv bool) ([]float32, bool) {
	w := c.constant(p.w)
	if w == nil || dw.Int("block_size", 0) != 0 {
		return nil, false
	}
	ws, ok := c.scales(dw.Inputs[1])
	if !ok {
		return nil, false
	}
	if p.wZero, ok = c.zeroPoints(dw.Input(2)); !ok {
		return nil, false
	}
	axis, want := int(dw.Int("axis", 1)), 0
	if axis < 0 {
		axis += len(w.Shape())
	}
	if !conv && !p.trans {
		want = len(w.Shape()) - 1
	}
	return ws, len(ws) == 1 || axis == want
}

// qdqBias joins the bias of a Conv or Gemm, a constant or a DequantizeLinear of one, to e's.
func (c *compiler) qdqBias(e *epilogue, anchor *split.Op, channel int, made map[split.ValueID]*split.Op) bool {
	v := anchor.Input(2)
	if v == split.None {
		return true
	}
	if op := made[v]; op != nil && c.constant(v) == nil && !c.foldWeights(op) {
		return false
	}
	t := c.constant(v)
	if t == nil {
		return false
	}
	shape := c.p.slots[anchor.Outputs[0]].shape
	if anchor.Type == "Conv" {
		shape = tensor.Shape{1, shape[channel]} // a bias of one dimension is per channel
	}
	bias, ok := perChannel(t, shape, 1)
	if !ok || e.bias != nil {
		return false
	}
	e.bias = bias
	return true
}

// scaledOutput turns bias and activation of p into units of an output of the given scale. It reports false for an
// activation that does not scale.
func (c *compiler) scaledOutput(p *int8Product, scale float32) bool {
	switch p.act.Kind {
	case kernel.ActNone, kernel.ActRelu:
	case kernel.ActClip:
		p.act.A, p.act.B = p.act.A/scale, p.act.B/scale
	default:
		return false
	}
	bias := make([]float32, len(p.bias))
	for i, b := range p.bias {
		bias[i] = b / scale
	}
	if p.bias != nil {
		p.bias = bias
	}
	return scale > 0
}
