package native

import (
	"unsafe"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// asInt8 views bytes as the signed integers that they hold.
func asInt8(b []byte) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

func quantizeBytes(dst []byte, src []float32, scale float32, zero int32, signed bool) {
	if signed {
		kernel.QuantizeInt8(asInt8(dst), src, scale, int8(zero))
		return
	}
	kernel.QuantizeUint8(dst, src, scale, uint8(zero))
}

// oneScale is the scale and zero point of a QuantizeLinear or DequantizeLinear that has one constant one for all elements.
// zero is 0 when it is absent.
func (c *compiler) oneScale(op *split.Op) (scale float32, zero int32, ok bool) {
	if op.Int("block_size", 0) != 0 {
		return 0, 0, false
	}
	s, ok := c.scales(op.Input(1))
	if !ok || len(s) != 1 {
		return 0, 0, false
	}
	z, ok := c.zeroPoints(op.Input(2))
	if !ok || len(z) > 1 {
		return 0, 0, false
	}
	return s[0], append(z, 0)[0], true
}

// quantize appends a QuantizeLinear to bytes with one constant scale, in the layout that it finds.
func (c *compiler) quantize(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	scale, zero, ok := c.oneScale(op)
	if !ok || !c.isFloat32(x) || !isByte(c.p.slots[y].dtype) || c.p.slots[y].shape == nil {
		return false
	}
	in, cl := c.follow(x)
	s := &quantizeStep{x: in[0], y: c.out(y, cl), signed: c.p.slots[y].dtype == tensor.Int8, scale: scale, zero: zero}
	s.plan(c.elements(s.y))
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

type quantizeStep struct {
	x, y   int
	signed bool
	scale  float32
	zero   int32
	src    []float32
	dst    []byte
	task   spans
}

func (s *quantizeStep) plan(n int) {
	s.task = spans{n: n, nanos: n * cheapPicos / 1000, f: func(lo, hi int) { quantizeBytes(s.dst[lo:hi], s.src[lo:hi], s.scale, s.zero, s.signed) }}
}

func (s *quantizeStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.bytes(s.y)
	p.parallel.Run(&s.task)
	return nil
}

// dequantize appends a DequantizeLinear of computed bytes with one constant scale, in the layout that it finds.
func (c *compiler) dequantize(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	scale, zero, ok := c.oneScale(op)
	if !ok || !isByte(c.p.slots[x].dtype) || c.p.slots[x].shape == nil || c.constant(x) != nil {
		return false
	}
	in, cl := c.follow(x)
	c.addDequantize(in[0], c.out(y, cl), scale, zero)
	return true
}

// addDequantize appends the step that writes (x-zero)*scale.
func (c *compiler) addDequantize(x, y int, scale float32, zero int32) {
	s := &dequantizeStep{x: x, y: y}
	n, signed := c.elements(y), c.p.slots[x].dtype == tensor.Int8
	s.task = spans{n: n, nanos: n * cheapPicos / 1000, f: func(lo, hi int) {
		if signed {
			kernel.DequantizeInt8(s.dst[lo:hi], asInt8(s.src[lo:hi]), scale, int8(zero))
			return
		}
		kernel.DequantizeUint8(s.dst[lo:hi], s.src[lo:hi], scale, uint8(zero))
	}}
	c.add(s, stepIO{reads: []int{x}, writes: []int{y}})
}

type dequantizeStep struct {
	x, y int
	src  []byte
	dst  []float32
	task spans
}

func (s *dequantizeStep) run(p *program) error {
	s.src, s.dst = p.bytes(s.x), p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

// dynamicQuantize appends a DynamicQuantizeLinear, whose scale and zero point are outputs.
func (c *compiler) dynamicQuantize(op *split.Op) bool {
	x := op.Inputs[0]
	if len(op.Outputs) != 3 || !c.isFloat32(x) {
		return false
	}
	c.toPlain(x)
	s := &dynamicQuantizeStep{}
	s.x = int(x)
	for i, v := range op.Outputs {
		if v == split.None || c.p.slots[v].shape == nil {
			return false
		}
		*[]*int{&s.y, &s.scaleAt, &s.zeroAt}[i] = c.outPlain(v)
	}
	s.plan(c.elements(s.y))
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y, s.scaleAt, s.zeroAt}})
	return true
}

type dynamicQuantizeStep struct {
	quantizeStep
	scaleAt, zeroAt int
}

func (s *dynamicQuantizeStep) run(p *program) error {
	x := p.slots[s.x].f32
	lo, hi := min(kernel.MinOf(x), 0), max(kernel.MaxOf(x), 0)
	scale, zero := dynamicScale(lo, hi)
	p.slots[s.scaleAt].f32[0], p.bytes(s.zeroAt)[0] = scale, zero
	s.scale, s.zero = scale, int32(zero)
	if scale == 0 {
		y := p.bytes(s.y)
		for i := range y {
			y[i] = zero
		}
		return nil
	}
	return s.quantizeStep.run(p)
}
