package split

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// divideRule says what a span, along an axis, of an op's one result needs. It may change d's spans, which all are whole before.
type divideRule func(g *Graph, o *Op, s span, d *dividedOp) error

// mapped are the ops whose results are made element by element from inputs that stretch to the result's shape.
const mapped = "Relu LeakyRelu PRelu Clip Sigmoid Tanh HardSigmoid HardSwish Elu Selu Celu Softplus Softsign Gelu QuickGelu FastGelu Mish Swish " +
	"ThresholdedRelu Erf Exp Log Neg Abs Sqrt Reciprocal Floor Ceil Round Sign Sin Cos Not IsNaN Identity Cast " +
	"Add Sub Mul Div Pow Mod Min Max Sum Mean And Or Xor Equal Less Greater LessOrEqual GreaterOrEqual Where"

var divideRules = func() map[string]divideRule {
	rules := map[string]divideRule{
		"Conv": divideConv, "MaxPool": dividePool, "AveragePool": dividePool, "LpPool": dividePool,
		"GlobalAveragePool": divideGlobalPool, "GlobalMaxPool": divideGlobalPool,
		"BatchNormalization": divideChannelNorm, "InstanceNormalization": divideChannelNorm,
		"LayerNormalization": divideLastAxes, "RMSNormalization": divideLastAxes,
		"Softmax": divideAlong, "LogSoftmax": divideAlong,
		"QuantizeLinear": divideQuantize, "DequantizeLinear": divideQuantize,
		"Gemm": divideGemm, "MatMul": divideMatMul,
		"Transpose": divideTranspose, "Reshape": divideReshape, "Flatten": divideReshape, "Squeeze": divideReshape, "Unsqueeze": divideReshape,
		"Concat": divideConcat, "Pad": dividePad, "Slice": divideSlice, "Resize": divideResize,
	}
	for _, name := range strings.Fields(mapped) {
		rules[name] = divideMapped
	}
	return rules
}()

// divideOp finds what span s of o's result needs of its inputs.
func (g *Graph) divideOp(o *Op, s span) (*dividedOp, error) {
	rule := divideRules[o.Type]
	if rule == nil || o.Domain != "" && !(o.Domain == microsoft && activations[o.Type]) {
		return nil, fmt.Errorf("%w: there is no rule for the operator", ErrNotDivisible)
	}
	for _, v := range slices.Concat(o.Inputs, o.Outputs[:1]) {
		if v != None && (g.Values[v].Shape == nil || !g.Values[v].Shape.Known()) {
			return nil, fmt.Errorf("%w: the shape of %q is not known", ErrNotDivisible, g.Values[v].Name)
		}
	}
	d := &dividedOp{need: slices.Repeat([]span{whole}, len(o.Inputs)), made: s}
	return d, rule(g, o, s, d)
}

func (g *Graph) shape(v ValueID) tensor.Shape { return g.Values[v].Shape }

// indivisible is an error that wraps ErrNotDivisible.
func indivisible(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotDivisible, fmt.Sprintf(format, args...))
}

// stretch is what of input v an op needs that stretches it to its result of shape out.
func (g *Graph) stretch(v ValueID, out tensor.Shape, s span) span {
	if v == None {
		return whole
	}
	in := g.shape(v)
	axis := s.axis - (len(out) - len(in))
	if axis < 0 || in[axis] == 1 {
		return whole
	}
	return span{axis, s.lo, s.hi}
}

func divideMapped(g *Graph, o *Op, s span, d *dividedOp) error {
	for i, v := range o.Inputs {
		d.need[i] = g.stretch(v, g.shape(o.Outputs[0]), s)
	}
	return nil
}

// divideChannelNorm is for norms with parameters per channel; an InstanceNormalization needs whole images.
func divideChannelNorm(_ *Graph, o *Op, s span, d *dividedOp) error {
	if o.Type == "InstanceNormalization" && s.axis > 1 {
		return indivisible("it averages along axis %d", s.axis)
	}
	d.need[0] = s
	for i := 1; i < len(d.need) && s.axis == 1; i++ {
		d.need[i] = span{0, s.lo, s.hi}
	}
	return nil
}

// divideAlong is for ops that mix the elements along one axis.
func divideAlong(g *Graph, o *Op, s span, d *dividedOp) error {
	axis := int(o.Int("axis", -1))
	if axis < 0 {
		axis += len(g.shape(o.Outputs[0]))
	}
	if axis == s.axis {
		return indivisible("it mixes the elements along axis %d", axis)
	}
	d.need[0] = s
	return nil
}

// divideLastAxes is for norms over the last axes.
func divideLastAxes(g *Graph, o *Op, s span, d *dividedOp) error {
	axis := int(o.Int("axis", -1))
	if axis < 0 {
		axis += len(g.shape(o.Outputs[0]))
	}
	if s.axis >= axis {
		return indivisible("it mixes the elements along axis %d", s.axis)
	}
	d.need[0] = s
	return nil
}

func divideQuantize(g *Graph, o *Op, s span, d *dividedOp) error {
	if o.Int("block_size", 0) != 0 {
		return indivisible("its scales are of blocks")
	}
	axis := int(o.Int("axis", 1))
	if axis < 0 {
		axis += len(g.shape(o.Outputs[0]))
	}
	d.need[0] = s
	for i := 1; i < len(o.Inputs); i++ {
		if v := o.Inputs[i]; v != None && len(g.shape(v)) == 1 && g.shape(v)[0] > 1 && axis == s.axis {
			d.need[i] = span{0, s.lo, s.hi}
		}
	}
	return nil
}

func divideGemm(g *Graph, o *Op, s span, d *dividedOp) error {
	a, b := 0, 1
	if o.Int("transA", 0) != 0 {
		a = 1
	}
	if o.Int("transB", 0) != 0 {
		b = 0
	}
	if s.axis == 0 {
		d.need[0] = span{a, s.lo, s.hi}
	} else {
		d.need[1] = span{b, s.lo, s.hi}
	}
	if len(o.Inputs) > 2 {
		d.need[2] = g.stretch(o.Inputs[2], g.shape(o.Outputs[0]), s)
	}
	return nil
}

func divideMatMul(g *Graph, o *Op, s span, d *dividedOp) error {
	a, b, out := g.shape(o.Inputs[0]), g.shape(o.Inputs[1]), g.shape(o.Outputs[0])
	if len(a) < 2 || len(b) < 2 {
		return indivisible("a factor is a vector")
	}
	switch len(out) - s.axis {
	case 1:
		d.need[1] = span{len(b) - 1, s.lo, s.hi}
	case 2:
		d.need[0] = span{len(a) - 2, s.lo, s.hi}
	default:
		d.need[0], d.need[1] = g.stretch(o.Inputs[0], out, s), g.stretch(o.Inputs[1], out, s)
	}
	return nil
}

// divideGlobalPool is for pools over whole images.
func divideGlobalPool(_ *Graph, _ *Op, s span, d *dividedOp) error {
	if s.axis > 1 {
		return indivisible("it pools all of the picture")
	}
	d.need[0] = s
	return nil
}
