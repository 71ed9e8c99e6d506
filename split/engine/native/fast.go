package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// fast appends the vectorised step of ops that belong to one group, each the only reader of the one before, and reports
// true; or appends nothing and reports false when there is none for these ops, types or shapes. The choice depends on the
// group alone, never on the stage around it.
func (c *compiler) fast(ops []*split.Op) bool {
	first := ops[0]
	if len(ops) == 1 && (c.integer(first) || c.pair(first) || c.gather(first)) {
		return true
	}
	for _, op := range ops {
		for _, v := range op.Outputs {
			if v != split.None && !c.isFloat32(v) {
				return false
			}
		}
	}
	switch first.Domain {
	case onnx:
	case split.DomainFused:
		return len(ops) == 1 && c.attention(first)
	case microsoft:
		return first.Type == "MatMulNBits" && c.matMulNBits(ops)
	default:
		return false
	}
	switch first.Type {
	case "Conv":
		return c.conv(ops)
	case "Gemm", "MatMul":
		return c.product(ops)
	case "ConvTranspose":
		return c.convTranspose(ops)
	case "BatchNormalization", "InstanceNormalization":
		return c.scaled(ops)
	case "Add", "Mul":
		return c.scaled(ops) || c.binary(ops)
	case "Sub", "Div", "Max", "Min":
		return c.binary(ops)
	}
	if len(ops) > 1 {
		return false
	}
	switch first.Type {
	case "MaxPool", "AveragePool":
		return c.pooling(first)
	case "GlobalAveragePool", "GlobalMaxPool":
		return c.globalPooling(first)
	case "Concat":
		return c.concat(first)
	case "Transpose":
		return c.transpose(first)
	case "Softmax", "LogSoftmax":
		return c.softmax(first)
	case "Pad":
		return c.pad(first)
	case "LayerNormalization", "RMSNormalization":
		return c.layerNorm(first)
	case "Resize":
		return c.resize(first)
	case "PRelu":
		return c.prelu(first)
	case "ReduceMean", "ReduceSum", "ReduceMax":
		return c.reduce(first)
	case "Slice", "Split":
		return c.slices(first)
	case "ScatterND":
		return c.scatterRows(first)
	case "LSTM", "GRU":
		return c.recurrent(first)
	case "LRN":
		return c.lrn(first)
	case "DequantizeLinear":
		return c.dequantize(first)
	}
	return c.activation(first)
}

// constant is the value of a constant, or nil.
func (c *compiler) constant(v split.ValueID) *tensor.Tensor {
	if v == split.None {
		return nil
	}
	if d, ok := c.deferred[v]; ok {
		delete(c.deferred, v)
		c.fold(d.op)
	}
	if t := c.folded[v]; t != nil {
		return t
	}
	return c.g.Values[v].Const
}

// scalar is the one element of a constant input of any numeric type.
func (c *compiler) scalar(v split.ValueID) (float32, bool) {
	t := c.constant(v)
	if t == nil || t.Len() != 1 || t.DType() == tensor.String {
		return 0, false
	}
	return float32(floats(t)[0]), true
}

// activationOf is the kernel's form of an element-wise op on its first input.
func (c *compiler) activationOf(op *split.Op) (kernel.Activation, bool) {
	act := func(k kernel.ActKind, ab ...float32) (kernel.Activation, bool) {
		a := kernel.Activation{Kind: k}
		if len(ab) > 0 {
			a.A = ab[0]
		}
		if len(ab) > 1 {
			a.B = ab[1]
		}
		return a, true
	}
	switch op.Type {
	case "Relu":
		return act(kernel.ActRelu)
	case "Sigmoid":
		return act(kernel.ActSigmoid)
	case "Tanh":
		return act(kernel.ActTanh)
	case "HardSwish":
		return act(kernel.ActHardSwish)
	case "Softplus":
		return act(kernel.ActSoftplus)
	case "Mish":
		return act(kernel.ActMish)
	case "LeakyRelu":
		return act(kernel.ActLeakyRelu, op.Float("alpha", .01))
	case "Elu":
		return act(kernel.ActElu, op.Float("alpha", 1))
	case "HardSigmoid":
		return act(kernel.ActHardSigmoid, op.Float("alpha", .2), op.Float("beta", .5))
	case "Selu":
		return act(kernel.ActSelu, op.Float("alpha", 1.67326319217681884765625), op.Float("gamma", 1.05070102214813232421875))
	case "Swish":
		return act(kernel.ActSiLU, op.Float("alpha", 1))
	case "Gelu":
		if op.Str("approximate", "none") == "tanh" {
			return act(kernel.ActGELUTanh)
		}
		return act(kernel.ActGELU)
	case "Clip":
		lo, hi, ok := c.clipBounds(op)
		if ok {
			return act(kernel.ActClip, lo, hi)
		}
	}
	return kernel.Activation{}, false
}

const maxFloat32 = 0x1p127 * (1 + (1 - 0x1p-23))

// clipBounds are Clip's bounds when they are constants.
func (c *compiler) clipBounds(op *split.Op) (lo, hi float32, ok bool) {
	lo, hi = op.Float("min", -maxFloat32), op.Float("max", maxFloat32)
	if v := op.Input(1); v != split.None {
		if lo, ok = c.scalar(v); !ok {
			return 0, 0, false
		}
	}
	if v := op.Input(2); v != split.None {
		if hi, ok = c.scalar(v); !ok {
			return 0, 0, false
		}
	}
	return lo, hi, true
}

// epilogue is what a product does to its result before storing it.
type epilogue struct {
	bias     []float32     // per channel, or nil
	residual split.ValueID // added before the activation; None for none
	act      kernel.Activation
	out      split.ValueID
}

// epilogue reads the ops that follow a product. ok is false when they are more than a kernel can fuse.
// channel is the dimension of the product's output along which a bias varies.
func (c *compiler) epilogue(ops []*split.Op, channel int) (e epilogue, ok bool) {
	cur := ops[0].Outputs[0]
	e.residual = split.None
	shape := c.p.slots[cur].shape
	for i := 1; i < len(ops); i++ {
		op := ops[i]
		if e.act.Kind != kernel.ActNone || len(op.Outputs) != 1 || !slices.Contains(op.Inputs, cur) {
			return e, false
		}
		switch op.Type {
		case "Add":
			other := op.Inputs[0]
			if other == cur {
				other = op.Inputs[1]
			}
			if other == cur || !c.isFloat32(other) {
				return e, false
			}
			if t := c.constant(other); t != nil {
				b, ok := perChannel(t, shape, channel)
				if !ok || e.residual != split.None || e.bias != nil {
					return e, false
				}
				e.bias = b
			} else if e.residual == split.None && c.p.slots[other].shape.Equal(shape) {
				e.residual = other
			} else {
				return e, false
			}
		default:
			if op.Inputs[0] != cur {
				return e, false
			}
			if e.act, ok = c.activationOf(op); !ok {
				return e, false
			}
		}
		cur = op.Outputs[0]
	}
	e.out = cur
	return e, true
}

// perChannel is constant t as one number per channel of a tensor of the given shape.
func perChannel(t *tensor.Tensor, shape tensor.Shape, channel int) ([]float32, bool) {
	if t.DType() != tensor.Float32 {
		return nil, false
	}
	d := tensor.Data[float32](t)
	n := shape[channel]
	if len(d) == 1 {
		return slices.Repeat(d, n), true
	}
	off := len(shape) - len(t.Shape())
	for i, s := range t.Shape() {
		if i+off != channel && s != 1 || i+off == channel && s != n {
			return nil, false
		}
	}
	return d, off >= 0
}

// spans is a task over n elements, cut into units of a fixed size. f computes elements lo to hi-1.
type spans struct {
	n     int
	nanos int // of all elements
	f     func(lo, hi int)
}

// spanElements is the number of elements of one unit.
const spanElements = 4096

// Units implements pool.Task.
func (s *spans) Units() int { return (s.n + spanElements - 1) / spanElements }

// Nanos implements pool.Task.
func (s *spans) Nanos() int { return s.nanos }

// Run implements pool.Task.
func (s *spans) Run(lo, hi int) { s.f(lo*spanElements, min(hi*spanElements, s.n)) }
