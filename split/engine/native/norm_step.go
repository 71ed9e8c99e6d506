package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/kernel/pool"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// layerNorm appends a LayerNormalization or RMSNormalization over the last dimensions with constant scale and bias.
func (c *compiler) layerNorm(op *split.Op) bool {
	x := op.Inputs[0]
	if !c.isFloat32(x) || op.Output(1) != split.None || op.Output(2) != split.None {
		return false
	}
	s := c.p.slots[x].shape
	axis := int(op.Int("axis", -1))
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis >= len(s) {
		return false
	}
	step := &layerNormStep{x: int(x)}
	step.task = kernel.LayerNorm{
		Rows: size(s[:axis]), Cols: size(s[axis:]), Epsilon: op.Float("epsilon", 1e-5), RMS: op.Type != "LayerNormalization",
	}
	for i, to := range []*[]float32{1: &step.task.Scale, 2: &step.task.Bias} {
		v := op.Input(i)
		if i == 0 || v == split.None {
			continue
		}
		t := c.constant(v)
		if t == nil || t.DType() != tensor.Float32 || t.Len() != step.task.Cols {
			return false
		}
		*to = tensor.Data[float32](t)
	}
	c.toPlain(x)
	step.y = c.outPlain(op.Outputs[0])
	c.add(step, stepIO{reads: []int{step.x}, writes: []int{step.y}})
	return true
}

type layerNormStep struct {
	x, y int
	task kernel.LayerNorm
}

func (s *layerNormStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

// scaled appends x*scale + shift per channel with an activation behind it: a BatchNormalization, or Mul and Add by constants
// of an image, which then round once, whatever layout the image comes in. An InstanceNormalization finds its scale and
// shift from the image.
func (c *compiler) scaled(ops []*split.Op) bool {
	op := ops[0]
	x := op.Inputs[0]
	if op.Type == "Mul" || op.Type == "Add" {
		if c.constant(x) != nil {
			x = op.Input(1)
		}
		if len(ops) == 1 || x == split.None || len(c.p.slots[x].shape) != 4 {
			return false
		}
	}
	n, ch, h, w, ok := c.image(x)
	if !ok || !c.p.slots[x].shape.Equal(c.p.slots[op.Outputs[0]].shape) {
		return false
	}
	a := kernel.Affine{Rows: n * h * w, Cols: ch}
	var norm *kernel.InstanceNorm
	switch op.Type {
	case "BatchNormalization":
		a.Scale, a.Shift = c.batchNorm(op)
		ok = a.Scale != nil
	case "InstanceNormalization":
		norm = &kernel.InstanceNorm{N: n, Pixels: h * w, C: ch, Epsilon: op.Float("epsilon", 1e-5)}
		norm.Scale, norm.Bias = c.channels(op.Inputs[1], ch), c.channels(op.Inputs[2], ch)
		ok = norm.Scale != nil && norm.Bias != nil
	default:
		ok = c.foldAffine(&a.Scale, &a.Shift, op, x, ch)
	}
	cur := op.Outputs[0]
	var act kernel.Activation
	for _, next := range ops[1:] {
		if !ok || act.Kind != kernel.ActNone {
			return false
		}
		if norm == nil && (next.Type == "Mul" || next.Type == "Add") {
			ok = c.foldAffine(&a.Scale, &a.Shift, next, cur, ch)
		} else if act, ok = c.activationOf(next); ok {
			ok = next.Inputs[0] == cur
		}
		cur = next.Outputs[0]
	}
	if !ok {
		return false
	}
	s := &scaledStep{x: c.toCL(x), affine: a, norm: norm}
	s.affine.Act = act
	if norm != nil {
		norm.Act = act
	}
	s.y = c.outCL(cur)
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// channels is constant v as ch float32, or nil.
func (c *compiler) channels(v split.ValueID, ch int) []float32 {
	t := c.constant(v)
	if t == nil || t.DType() != tensor.Float32 || t.Len() != ch {
		return nil
	}
	return tensor.Data[float32](t)
}

// batchNorm is the scale and shift of an inference-mode BatchNormalization with constant statistics, nil when it is none.
func (c *compiler) batchNorm(op *split.Op) (scale, shift []float32) {
	if op.Int("training_mode", 0) != 0 || op.Int("spatial", 1) != 1 || op.Output(1) != split.None || len(op.Inputs) != 5 {
		return nil, nil
	}
	ch := c.p.slots[op.Inputs[0]].shape[1]
	var in [4][]float32
	for i := range in {
		if in[i] = c.channels(op.Inputs[i+1], ch); in[i] == nil {
			return nil, nil
		}
	}
	eps := float64(op.Float("epsilon", 1e-5))
	scale, shift = make([]float32, ch), make([]float32, ch)
	for i := range scale {
		f := float64(in[0][i]) / math.Sqrt(float64(in[3][i])+eps)
		scale[i], shift[i] = float32(f), float32(float64(in[1][i])-float64(in[2][i])*f)
	}
	return scale, shift
}

// foldAffine puts a Mul or Add of value v and a per-channel constant behind scale and shift, nil meaning 1 and 0.
func (c *compiler) foldAffine(scale, shift *[]float32, op *split.Op, v split.ValueID, ch int) bool {
	other := op.Input(1)
	if other == v {
		other = op.Inputs[0]
	}
	t := c.constant(other)
	if other == v || t == nil {
		return false
	}
	k, ok := perChannel(t, c.p.slots[op.Outputs[0]].shape, 1)
	if !ok || len(k) != ch {
		return false
	}
	multiply := func(x []float32) []float32 {
		r := make([]float32, ch)
		kernel.Mul(r, x, k)
		return r
	}
	switch {
	case op.Type == "Mul" && *scale == nil:
		*scale = k
	case op.Type == "Mul":
		*scale = multiply(*scale)
	case *shift == nil:
		*shift = k
	default:
		r := make([]float32, ch)
		kernel.Add(r, *shift, k)
		*shift = r
	}
	if op.Type == "Mul" && *shift != nil {
		*shift = multiply(*shift)
	}
	return true
}

type scaledStep struct {
	x, y   int
	affine kernel.Affine
	norm   *kernel.InstanceNorm // nil: affine
}

func (s *scaledStep) run(p *program) error {
	x, y := p.slots[s.x].f32, p.slots[s.y].f32
	var t pool.Task = &s.affine
	if s.norm != nil {
		s.norm.X, s.norm.Y = x, y
		t = s.norm
	}
	s.affine.X, s.affine.Y = x, y
	p.parallel.Run(t)
	return nil
}

// prelu appends a PRelu with a constant slope per channel.
func (c *compiler) prelu(op *split.Op) bool {
	x := op.Inputs[0]
	n, ch, h, w, ok := c.image(x)
	t := c.constant(op.Inputs[1])
	if !ok || t == nil {
		return false
	}
	slope, ok := perChannel(t, c.p.slots[x].shape, 1)
	if !ok {
		return false
	}
	s := &scaledStep{x: c.toCL(x), affine: kernel.Affine{Rows: n * h * w, Cols: ch, Slope: slope}}
	s.y = c.outCL(op.Outputs[0])
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}
