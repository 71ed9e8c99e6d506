package native

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// Products of 8-bit integers: the four operators that say so, and groups that say it as DequantizeLinear, product,
// QuantizeLinear. Sums are exact 32-bit integers. Scaling to the output is in float32, as ONNX Runtime does it:
// float32(sum) * (scale of a * scale of b / scale of the output), rounded to even.

// integer appends the vectorised step of an integer operator.
func (c *compiler) integer(op *split.Op) bool {
	if op.Domain != onnx {
		return false
	}
	switch op.Type {
	case "Cast":
		return c.cast(op)
	case "QLinearConv":
		return c.qlinear(op, true)
	case "QLinearMatMul":
		return c.qlinear(op, false)
	case "ConvInteger", "MatMulInteger":
		p := int8Product{op: op, x: op.Inputs[0], w: op.Inputs[1], xZero: op.Input(2), y: op.Outputs[0]}
		var ok bool
		if p.wZero, ok = c.zeroPoints(op.Input(3)); !ok || c.p.slots[p.y].shape == nil {
			return false
		}
		return c.int8Product(&p, op.Type == "ConvInteger")
	case "DynamicQuantizeLinear":
		return c.dynamicQuantize(op)
	case "QuantizeLinear":
		return c.quantize(op)
	}
	return false
}

// int8Product is a product of integers that is to become a step.
type int8Product struct {
	op          *split.Op // has the attributes of the window
	x, w        split.ValueID
	xZero       split.ValueID // one zero point, constant or computed; None for 0
	wZero       []int32       // one, or one per output channel, or none
	trans       bool          // w is (N, K)
	y           split.ValueID
	scale, bias []float32 // as in kernel.Int8Output
	sum0        []int32
	zero        int32
	act         kernel.Activation
}

// qlinear appends a QLinearConv or QLinearMatMul whose weights, scales and zero points are constants.
func (c *compiler) qlinear(op *split.Op, conv bool) bool {
	if len(op.Inputs) < 8 || c.p.slots[op.Outputs[0]].shape == nil {
		return false
	}
	p := int8Product{op: op, x: op.Inputs[0], w: op.Inputs[3], xZero: op.Inputs[2], y: op.Outputs[0]}
	xs, ok1 := c.scales(op.Inputs[1])
	ws, ok2 := c.scales(op.Inputs[4])
	ys, ok3 := c.scales(op.Inputs[6])
	xz, ok4 := c.zeroPoints(op.Inputs[2])
	wz, ok5 := c.zeroPoints(op.Inputs[5])
	yz, ok6 := c.zeroPoints(op.Inputs[7])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || len(xs) != 1 || len(ys) != 1 || len(xz) > 1 || len(yz) != 1 {
		return false
	}
	p.scale, p.wZero, p.zero = productScale(xs[0], ws, ys[0]), wz, yz[0]
	if b := op.Input(8); b != split.None {
		t := c.constant(b)
		if t == nil || t.DType() != tensor.Int32 {
			return false
		}
		p.sum0 = tensor.Data[int32](t)
	}
	return conv && c.int8Depthwise(&p, xz) || c.int8Product(&p, conv)
}

// productScale is what a sum is multiplied with.
func productScale(x float32, w []float32, y float32) []float32 {
	s := make([]float32, len(w))
	for i, v := range w {
		s[i] = x * v / y
	}
	return s
}

// scales are the elements of a constant float32 tensor of at most one dimension.
func (c *compiler) scales(v split.ValueID) ([]float32, bool) {
	t := c.constant(v)
	if t == nil || t.DType() != tensor.Float32 || len(t.Shape()) > 1 {
		return nil, false
	}
	return tensor.Data[float32](t), true
}

// zeroPoints are the elements of a constant 8-bit tensor of at most one dimension; none when v is absent.
func (c *compiler) zeroPoints(v split.ValueID) ([]int32, bool) {
	if v == split.None {
		return nil, true
	}
	t := c.constant(v)
	if t == nil || !isByte(t.DType()) || len(t.Shape()) > 1 {
		return nil, false
	}
	z := make([]int32, t.Len())
	for i, b := range t.Bytes() {
		z[i] = byteValue(b, t.DType())
	}
	return z, true
}

// byteValue is the number that a byte of type Uint8 or Int8 stands for.
func byteValue(b byte, d tensor.DType) int32 {
	if d == tensor.Int8 {
		return int32(int8(b))
	}
	return int32(b)
}

// int8Product appends the step of p.
func (c *compiler) int8Product(p *int8Product, conv bool) bool {
	w := c.constant(p.w)
	if w == nil || !isByte(w.DType()) || !isByte(c.p.slots[p.x].dtype) || c.p.slots[p.x].shape == nil {
		return false
	}
	s := &int8Step{y: -1, zero: -1}
	var xZero int32
	if v := p.xZero; v != split.None {
		if z, ok := c.zeroPoints(v); ok && len(z) == 1 {
			xZero = z[0]
		} else if sh := c.p.slots[v].shape; c.constant(v) == nil && sh != nil && size(sh) == 1 && isByte(c.p.slots[v].dtype) {
			s.zero = int(v)
		} else {
			return false
		}
	}
	out := kernel.Int8Output{Scale: p.scale, Bias: p.bias, Sum0: p.sum0, Zero: p.zero, Act: p.act, Signed: c.p.slots[p.y].dtype == tensor.Int8}
	ok := false
	if conv {
		ok = c.int8Conv(s, p, w, xZero, out)
	} else {
		ok = c.int8Gemm(s, p, w, xZero, out)
	}
	if !ok {
		return false
	}
	if s.zero >= 0 {
		c.toPlain(split.ValueID(s.zero))
	}
	c.add(s, stepIO{reads: []int{s.x, s.zero}, writes: []int{s.y}})
	return true
}

// perColumn reports whether every list of p is one for all or fits n output channels.
func (p *int8Product) perColumn(n int) bool {
	fits := func(k int) bool { return k <= 1 || k == n }
	return fits(len(p.scale)) && fits(len(p.wZero)) && (len(p.bias) == 0 || len(p.bias) == n) && (len(p.sum0) == 0 || len(p.sum0) == n)
}

func (c *compiler) int8Conv(s *int8Step, p *int8Product, w *tensor.Tensor, xZero int32, out kernel.Int8Output) bool {
	shape, ok := c.int8ConvShape(p, w)
	if !ok {
		return false
	}
	s.x = c.toCL(p.x)
	s.y = c.outCL(p.y)
	out.LDC = shape.OC
	weights := pack(c.e.packs, w, int8Form("int8 conv", p.wZero), func() *kernel.Int8ConvWeights {
		return kernel.PackInt8Conv(w.Bytes(), shape, w.DType() == tensor.Uint8, p.wZero)
	})
	s.conv = &kernel.Int8Conv{ConvShape: shape, XSigned: c.p.slots[p.x].dtype == tensor.Int8, XZero: xZero, Weights: weights, Out: out}
	return true
}

// int8ConvShape is the geometry of p, a convolution.
func (c *compiler) int8ConvShape(p *int8Product, w *tensor.Tensor) (kernel.ConvShape, bool) {
	n, ch, h, wd, ok := c.bytesImage(p.x)
	if !ok || n*ch*h*wd == 0 {
		return kernel.ConvShape{}, false
	}
	cl := call{op: p.op, opset: c.g.Opset[p.op.Domain]}
	win, so, err := cl.convWindow(c.p.slots[p.x].shape, w.Shape())
	if err != nil || !so.Equal(c.p.slots[p.y].shape) || size(so) == 0 || !p.perColumn(so[1]) {
		return kernel.ConvShape{}, false
	}
	shape := win.convShape(n, ch, h, wd, so[1])
	shape.Groups = cl.attrInt("group", 1)
	return shape, true
}

func (c *compiler) int8Gemm(s *int8Step, p *int8Product, w *tensor.Tensor, xZero int32, out kernel.Int8Output) bool {
	as, bs := c.p.slots[p.x].shape, w.Shape()
	if len(as) < 1 || len(bs) != 2 {
		return false
	}
	k, n, ld := bs[0], bs[1], bs[1]
	if p.trans {
		k, n, ld = bs[1], bs[0], bs[1]
	}
	m := size(as[:len(as)-1])
	so := append(slices.Clone(as[:len(as)-1]), n)
	if as[len(as)-1] != k || m*k*n == 0 || !so.Equal(c.p.slots[p.y].shape) || !p.perColumn(n) {
		return false
	}
	c.toPlain(p.x)
	s.x = int(p.x)
	s.y = c.outPlain(p.y)
	out.LDC = n
	weights := pack(c.e.packs, w, int8Form(fmt.Sprint("int8 matrix ", p.trans), p.wZero), func() *kernel.PackedInt8 {
		return kernel.PackInt8(w.Bytes(), k, n, ld, p.trans, w.DType() == tensor.Uint8, p.wZero)
	})
	s.gemm = &kernel.Int8Gemm{M: m, LDA: k, ASigned: c.p.slots[p.x].dtype == tensor.Int8, AZero: xZero, B: weights, Out: out}
	return true
}

// int8Form names a packed form that depends on zero points.
func int8Form(form string, zero []int32) string {
	if !slices.ContainsFunc(zero, func(z int32) bool { return z != 0 }) {
		return form
	}
	return fmt.Sprint(form, zero)
}

// int8Step is a product of integers.
type int8Step struct {
	x, y, zero int // zero is the slot of x's zero point, or -1
	gemm       *kernel.Int8Gemm
	conv       *kernel.Int8Conv
}

func (s *int8Step) run(p *program) error {
	var out *kernel.Int8Output
	if s.conv != nil {
		s.conv.X, out = p.bytes(s.x), &s.conv.Out
	} else {
		s.gemm.A, out = p.bytes(s.x), &s.gemm.Out
	}
	switch y := &p.slots[s.y]; y.dtype {
	case tensor.Int32:
		out.Int32 = p.int32s(s.y)
	case tensor.Float32:
		out.Float32 = y.f32
	default:
		out.Bytes = p.bytes(s.y)
	}
	if s.conv != nil {
		if s.zero >= 0 {
			s.conv.XZero = byteValue(p.bytes(s.zero)[0], p.slots[s.zero].dtype)
		}
		p.parallel.Run(s.conv)
		return nil
	}
	if s.zero >= 0 {
		s.gemm.AZero = byteValue(p.bytes(s.zero)[0], p.slots[s.zero].dtype)
	}
	p.parallel.Run(s.gemm)
	return nil
}
