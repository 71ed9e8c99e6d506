package split

import "math"

// flopsPerElement is the work of element-wise ops per output element, a transcendental function counted as the handful of
// multiply-adds of its polynomial.
var flopsPerElement = map[string]int64{
	"Abs": 1, "Add": 1, "And": 1, "BitShift": 1, "BitwiseAnd": 1, "BitwiseNot": 1, "BitwiseOr": 1, "BitwiseXor": 1, "Ceil": 1,
	"Clip": 2, "Div": 1, "Equal": 1, "Floor": 1, "Greater": 1, "GreaterOrEqual": 1, "HardSigmoid": 4, "HardSwish": 5,
	"LeakyRelu": 2, "Less": 1, "LessOrEqual": 1, "Mod": 2, "Mul": 1, "Neg": 1, "Not": 1, "Or": 1, "PRelu": 2, "Reciprocal": 1,
	"Relu": 1, "Round": 1, "Shrink": 2, "Sign": 1, "Sqrt": 1, "Sub": 1, "ThresholdedRelu": 1, "Where": 1, "Xor": 1,
	"Acos": 16, "Acosh": 16, "Asin": 16, "Asinh": 16, "Atan": 16, "Atanh": 16, "Celu": 16, "Cos": 16, "Cosh": 16, "Elu": 16, "Erf": 16,
	"Exp": 16, "Gelu": 20, "Log": 16, "Mish": 40, "Pow": 32, "Selu": 16, "Sigmoid": 16, "Sin": 16, "Sinh": 16, "Softplus": 32,
	"Softsign": 3, "Swish": 17, "Tan": 16, "Tanh": 16, "BatchNormalization": 2, "DequantizeLinear": 2, "QuantizeLinear": 4,
	"QuickGelu": 18, "FastGelu": 20, "BiasGelu": 21,
}

// flopsPerInput is the work of reductions and normalisations per input element.
var flopsPerInput = map[string]int64{
	"ArgMax": 1, "ArgMin": 1, "CumSum": 1, "DynamicQuantizeLinear": 6, "GlobalAveragePool": 1, "GlobalLpPool": 2,
	"GlobalMaxPool": 1, "GroupNormalization": 8, "Hardmax": 1, "InstanceNormalization": 8, "LayerNormalization": 8,
	"LogSoftmax": 20, "LpNormalization": 4, "MeanVarianceNormalization": 8, "RMSNormalization": 4, "ReduceL1": 2,
	"ReduceL2": 2, "ReduceLogSum": 1, "ReduceLogSumExp": 17, "ReduceMax": 1, "ReduceMean": 1, "ReduceMin": 1, "ReduceProd": 1,
	"ReduceSum": 1, "ReduceSumSquare": 2, "SimplifiedLayerNormalization": 4, "SkipLayerNormalization": 9,
	"SkipSimplifiedLayerNormalization": 5, "Softmax": 19,
}

// flops counts o's arithmetic; -1 when it depends on a shape that is not known.
func (g *Graph) flops(o *Op) int64 {
	if per, ok := flopsPerElement[o.Type]; ok {
		return scale(per, g.elements(o.Output(0)))
	}
	if per, ok := flopsPerInput[o.Type]; ok {
		return scale(per, g.elements(o.Input(0)))
	}
	switch o.Type {
	case "Conv", "ConvInteger", "QLinearConv":
		w := 1
		if o.Type == "QLinearConv" {
			w = 3
		}
		return scale(scale(2, g.perFilter(o.Input(w))), g.elements(o.Output(0)))
	case "ConvTranspose":
		return scale(scale(2, g.perFilter(o.Input(1))), g.elements(o.Input(0)))
	case "DeformConv":
		return scale(scale(4, g.perFilter(o.Input(1))), g.elements(o.Output(0)))
	case "Gemm":
		k := 1
		if o.Int("transA", 0) != 0 {
			k = 0
		}
		return scale(2*g.dim(o.Input(0), k), g.elements(o.Output(0)))
	case "MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "DynamicQuantizeMatMul", "MatMulIntegerToFloat":
		axis := -1
		if o.Int("transA", 0) != 0 {
			axis = -2
		}
		return scale(2*g.dim(o.Input(0), axis), g.elements(o.Output(0)))
	case "MatMulNBits":
		return scale(scale(2, o.Int("K", 1)), g.elements(o.Output(0)))
	case "MaxPool", "AveragePool", "LpPool":
		window := int64(1)
		for _, k := range o.Ints("kernel_shape") {
			window = scale(window, k)
		}
		return scale(window, g.elements(o.Output(0)))
	case "LRN":
		return scale(min(2*max(o.Int("size", 1), 0), 1<<32)+34, g.elements(o.Output(0)))
	case "Max", "Min", "Sum", "Mean":
		return scale(int64(len(o.Inputs)), g.elements(o.Output(0)))
	case "Resize", "Upsample", "GridSample", "RoiAlign", "AffineGrid":
		if o.Str("mode", "nearest") == "nearest" && o.Type != "GridSample" && o.Type != "RoiAlign" {
			return 0
		}
		return scale(8, g.elements(o.Output(0)))
	case "LSTM", "GRU", "RNN":
		return g.recurrentFLOPs(o)
	case "Attention", "MultiHeadAttention", "GroupQueryAttention":
		return g.attentionFLOPs(o)
	case "If":
		return max(g.graphFLOPs(o.Graph("then_branch")), g.graphFLOPs(o.Graph("else_branch")))
	case "Loop", "Scan":
		return g.graphFLOPs(o.Graph("body"))
	}
	return 0
}

// graphFLOPs is the work of a whole subgraph.
func (g *Graph) graphFLOPs(sub *Graph) int64 {
	var sum int64
	if sub != nil {
		for i := range sub.Ops {
			sum = addKnown(sum, sub.flops(&sub.Ops[i]))
		}
	}
	return sum
}

// perFilter is the multiply-adds per output element of a convolution with weights w, M x C/group x kernel: all sizes but the first.
func (g *Graph) perFilter(w ValueID) int64 {
	if w == None || len(g.Values[w].Shape) < 2 {
		return -1
	}
	n := int64(1)
	for _, d := range g.Values[w].Shape[1:] {
		if d < 0 {
			return -1
		}
		n = scale(n, int64(d))
	}
	return n
}

// recurrentFLOPs is a recurrent op's work: X is T x B x I, W directions x gates*hidden x I.
func (g *Graph) recurrentFLOPs(o *Op) int64 {
	x, w := o.Input(0), o.Input(1)
	hidden := g.dim(o.Input(2), 2)
	perStep := scale(g.dim(w, 0)*2, g.dim(w, 1))
	if hidden < 0 || perStep < 0 {
		return -1
	}
	return scale(scale(perStep, max(g.dim(w, 2), 0)+hidden), scale(g.dim(x, 0), g.dim(x, 1)))
}

// attentionFLOPs is two products per query, key pair; keys that a cache brings are counted when the present key's shape is known.
func (g *Graph) attentionFLOPs(o *Op) int64 {
	q, k := o.Input(0), o.Input(1)
	keys := g.dim(k, -2)
	if present := o.Output(1); present != None && g.dim(present, -2) > 0 {
		keys = g.dim(present, -2)
	}
	if keys < 0 {
		return -1
	}
	return scale(scale(4, keys), g.elements(q))
}

// elements is the size of v; -1 when it is not known, 0 for None.
func (g *Graph) elements(v ValueID) int64 {
	if v == None {
		return 0
	}
	val := &g.Values[v]
	if val.Kind != TensorKind || val.Shape == nil {
		return -1
	}
	n, err := val.Shape.Elements()
	if err != nil {
		return -1
	}
	return int64(n)
}

// dim is one size of v, counted from the end when axis is negative; -1 when it is not known.
func (g *Graph) dim(v ValueID, axis int) int64 {
	if v == None {
		return -1
	}
	s := g.Values[v].Shape
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis >= len(s) {
		return -1
	}
	return int64(s[axis])
}

// scale is a*b, at most the largest int64, or -1 when either is negative.
func scale(a, b int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	if a != 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}
