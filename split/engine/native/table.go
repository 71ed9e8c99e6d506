package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/split"
)

// entry is one operator of the table: what it is called and how it is computed.
type entry struct {
	domain, name string
	eval         func(*call) error
	// shares is set when an output may share its buffer with an input.
	shares bool
	// alias is set when output 0 is input 0 with another shape, so that nothing needs to be computed.
	alias bool
}

const (
	onnx      = ""
	microsoft = "com.microsoft"
	training  = "ai.onnx.preview.training"
)

// table lists every operator that this backend has. docs/operators.md is generated from a run of the suite over it.
func table() []entry {
	return []entry{
		// element-wise
		{domain: onnx, name: "Add", eval: evalArithmetic},
		{domain: onnx, name: "Sub", eval: evalArithmetic},
		{domain: onnx, name: "Mul", eval: evalArithmetic},
		{domain: onnx, name: "Div", eval: evalArithmetic},
		{domain: onnx, name: "PRelu", eval: evalArithmetic},
		{domain: onnx, name: "Max", eval: evalVariadic},
		{domain: onnx, name: "Min", eval: evalVariadic},
		{domain: onnx, name: "Sum", eval: evalVariadic},
		{domain: onnx, name: "Mean", eval: evalVariadic},
		{domain: onnx, name: "Pow", eval: evalPow},
		{domain: onnx, name: "Mod", eval: evalMod},
		{domain: onnx, name: "Equal", eval: evalCompare},
		{domain: onnx, name: "Greater", eval: evalCompare},
		{domain: onnx, name: "GreaterOrEqual", eval: evalCompare},
		{domain: onnx, name: "Less", eval: evalCompare},
		{domain: onnx, name: "LessOrEqual", eval: evalCompare},
		{domain: onnx, name: "And", eval: evalLogical},
		{domain: onnx, name: "Or", eval: evalLogical},
		{domain: onnx, name: "Xor", eval: evalLogical},
		{domain: onnx, name: "Not", eval: evalNot},
		{domain: onnx, name: "BitShift", eval: evalBitwise},
		{domain: onnx, name: "BitwiseAnd", eval: evalBitwise},
		{domain: onnx, name: "BitwiseOr", eval: evalBitwise},
		{domain: onnx, name: "BitwiseXor", eval: evalBitwise},
		{domain: onnx, name: "BitwiseNot", eval: evalBitwiseNot},
		{domain: onnx, name: "Where", eval: evalWhere},
		{domain: onnx, name: "Clip", eval: evalClip},
		{domain: onnx, name: "Abs", eval: evalSigned},
		{domain: onnx, name: "Neg", eval: evalSigned},
		{domain: onnx, name: "Relu", eval: evalSigned},
		{domain: onnx, name: "Sign", eval: evalSigned},
		{domain: onnx, name: "IsInf", eval: evalIsX},
		{domain: onnx, name: "IsNaN", eval: evalIsX},
		{domain: onnx, name: "Acos", eval: evalUnary},
		{domain: onnx, name: "Acosh", eval: evalUnary},
		{domain: onnx, name: "Asin", eval: evalUnary},
		{domain: onnx, name: "Asinh", eval: evalUnary},
		{domain: onnx, name: "Atan", eval: evalUnary},
		{domain: onnx, name: "Atanh", eval: evalUnary},
		{domain: onnx, name: "Ceil", eval: evalUnary},
		{domain: onnx, name: "Celu", eval: evalUnary},
		{domain: onnx, name: "Cos", eval: evalUnary},
		{domain: onnx, name: "Cosh", eval: evalUnary},
		{domain: onnx, name: "Elu", eval: evalUnary},
		{domain: onnx, name: "Erf", eval: evalUnary},
		{domain: onnx, name: "Exp", eval: evalUnary},
		{domain: onnx, name: "Floor", eval: evalUnary},
		{domain: onnx, name: "Gelu", eval: evalUnary},
		{domain: onnx, name: "HardSigmoid", eval: evalUnary},
		{domain: onnx, name: "HardSwish", eval: evalUnary},
		{domain: onnx, name: "LeakyRelu", eval: evalUnary},
		{domain: onnx, name: "Log", eval: evalUnary},
		{domain: onnx, name: "Mish", eval: evalUnary},
		{domain: onnx, name: "Reciprocal", eval: evalUnary},
		{domain: onnx, name: "Round", eval: evalUnary},
		{domain: onnx, name: "Selu", eval: evalUnary},
		{domain: onnx, name: "Shrink", eval: evalUnary},
		{domain: onnx, name: "Sigmoid", eval: evalUnary},
		{domain: onnx, name: "Sin", eval: evalUnary},
		{domain: onnx, name: "Sinh", eval: evalUnary},
		{domain: onnx, name: "Softplus", eval: evalUnary},
		{domain: onnx, name: "Softsign", eval: evalUnary},
		{domain: onnx, name: "Sqrt", eval: evalUnary},
		{domain: onnx, name: "Swish", eval: evalUnary},
		{domain: onnx, name: "Tan", eval: evalUnary},
		{domain: onnx, name: "Tanh", eval: evalUnary},
		{domain: onnx, name: "ThresholdedRelu", eval: evalUnary},
		{domain: microsoft, name: "Gelu", eval: evalUnary},
		{domain: microsoft, name: "FastGelu", eval: evalUnary},
		{domain: microsoft, name: "QuickGelu", eval: evalUnary},
		{domain: microsoft, name: "BiasGelu", eval: evalBiasGelu},

		// shape and movement
		{domain: onnx, name: "Identity", eval: evalIdentity, shares: true, alias: true},
		{domain: onnx, name: "Reshape", eval: evalReshape, shares: true, alias: true},
		{domain: onnx, name: "Flatten", eval: evalFlatten, shares: true, alias: true},
		{domain: onnx, name: "Squeeze", eval: evalSqueeze, shares: true, alias: true},
		{domain: onnx, name: "Unsqueeze", eval: evalUnsqueeze, shares: true, alias: true},
		{domain: onnx, name: "Shape", eval: evalShape},
		{domain: onnx, name: "Size", eval: evalSize},
		{domain: onnx, name: "Transpose", eval: evalTranspose},
		{domain: onnx, name: "Concat", eval: evalConcat},
		{domain: onnx, name: "Split", eval: evalSplit},
		{domain: onnx, name: "Slice", eval: evalSlice},
		{domain: onnx, name: "Expand", eval: evalExpand},
		{domain: onnx, name: "Tile", eval: evalTile},
		{domain: onnx, name: "DepthToSpace", eval: evalDepthToSpace},
		{domain: onnx, name: "SpaceToDepth", eval: evalSpaceToDepth},
		{domain: onnx, name: "Gather", eval: evalGather},
		{domain: onnx, name: "GatherElements", eval: evalGatherElements},
		{domain: onnx, name: "GatherND", eval: evalGatherND},
		{domain: onnx, name: "Scatter", eval: evalScatterElements},
		{domain: onnx, name: "ScatterElements", eval: evalScatterElements},
		{domain: onnx, name: "ScatterND", eval: evalScatterND},
		{domain: onnx, name: "TensorScatter", eval: evalTensorScatter},
		{domain: onnx, name: "Compress", eval: evalCompress},
		{domain: onnx, name: "ReverseSequence", eval: evalReverseSequence},
		{domain: onnx, name: "Constant", eval: evalConstant, shares: true},
		{domain: onnx, name: "ConstantOfShape", eval: evalConstantOfShape},
		{domain: onnx, name: "Range", eval: evalRange},
		{domain: onnx, name: "EyeLike", eval: evalEyeLike},
		{domain: onnx, name: "OneHot", eval: evalOneHot},
		{domain: onnx, name: "NonZero", eval: evalNonZero},
		{domain: onnx, name: "Trilu", eval: evalTrilu},
		{domain: onnx, name: "Unique", eval: evalUnique},
		{domain: onnx, name: "TopK", eval: evalTopK},
		{domain: onnx, name: "CumSum", eval: evalCumSum},

		// reductions
		{domain: onnx, name: "ReduceSum", eval: evalReduce, shares: true},
		{domain: onnx, name: "ReduceMean", eval: evalReduce, shares: true},
		{domain: onnx, name: "ReduceProd", eval: evalReduce},
		{domain: onnx, name: "ReduceMax", eval: evalReduce, shares: true},
		{domain: onnx, name: "ReduceMin", eval: evalReduce, shares: true},
		{domain: onnx, name: "ReduceL1", eval: evalReduce},
		{domain: onnx, name: "ReduceL2", eval: evalReduce},
		{domain: onnx, name: "ReduceSumSquare", eval: evalReduce},
		{domain: onnx, name: "ReduceLogSum", eval: evalReduce},
		{domain: onnx, name: "ReduceLogSumExp", eval: evalReduce},
		{domain: onnx, name: "ArgMax", eval: evalArg},
		{domain: onnx, name: "ArgMin", eval: evalArg},
		{domain: onnx, name: "Softmax", eval: evalSoftmax},
		{domain: onnx, name: "LogSoftmax", eval: evalSoftmax},
		{domain: onnx, name: "Hardmax", eval: evalSoftmax},

		// products, convolutions and pooling
		{domain: onnx, name: "MatMul", eval: evalMatMul},
		{domain: onnx, name: "Gemm", eval: evalGemm},
		{domain: onnx, name: "Det", eval: evalDet},
		{domain: onnx, name: "Conv", eval: evalConv},
		{domain: onnx, name: "ConvTranspose", eval: evalConvTranspose},
		{domain: onnx, name: "AveragePool", eval: evalPool},
		{domain: onnx, name: "MaxPool", eval: evalPool},
		{domain: onnx, name: "LpPool", eval: evalPool},
		{domain: onnx, name: "GlobalAveragePool", eval: evalGlobalPool},
		{domain: onnx, name: "GlobalMaxPool", eval: evalGlobalPool},
		{domain: onnx, name: "GlobalLpPool", eval: evalGlobalPool},
		{domain: onnx, name: "MaxUnpool", eval: evalMaxUnpool},
		{domain: onnx, name: "Einsum", eval: evalEinsum},
		{domain: onnx, name: "MaxRoiPool", eval: evalMaxRoiPool},
		{domain: onnx, name: "Col2Im", eval: evalCol2Im},
		{domain: onnx, name: "DeformConv", eval: evalDeformConv},
		{domain: microsoft, name: "FusedMatMul", eval: evalMatMul},

		// normalisation
		{domain: onnx, name: "BatchNormalization", eval: evalBatchNorm},
		{domain: onnx, name: "InstanceNormalization", eval: evalInstanceNorm},
		{domain: onnx, name: "GroupNormalization", eval: evalGroupNorm},
		{domain: onnx, name: "LayerNormalization", eval: evalLayerNorm},
		{domain: onnx, name: "RMSNormalization", eval: evalLayerNorm},
		{domain: onnx, name: "SimplifiedLayerNormalization", eval: evalLayerNorm},
		{domain: onnx, name: "LpNormalization", eval: evalLpNorm},
		{domain: onnx, name: "LRN", eval: evalLRN},
		{domain: onnx, name: "MeanVarianceNormalization", eval: evalMeanVariance},
		{domain: microsoft, name: "SimplifiedLayerNormalization", eval: evalLayerNorm},
		{domain: microsoft, name: "SkipLayerNormalization", eval: evalSkipLayerNorm},
		{domain: microsoft, name: "SkipSimplifiedLayerNormalization", eval: evalSkipLayerNorm},

		// resampling and padding
		{domain: onnx, name: "Resize", eval: evalResize},
		{domain: onnx, name: "GridSample", eval: evalGridSample},
		{domain: onnx, name: "AffineGrid", eval: evalAffineGrid},
		{domain: onnx, name: "RoiAlign", eval: evalRoiAlign},
		{domain: onnx, name: "Pad", eval: evalPad},
		{domain: onnx, name: "CenterCropPad", eval: evalCenterCropPad},

		// types and quantisation
		{domain: onnx, name: "Cast", eval: evalCast},
		{domain: onnx, name: "CastLike", eval: evalCast},
		{domain: onnx, name: "QuantizeLinear", eval: evalQuantize},
		{domain: onnx, name: "DequantizeLinear", eval: evalDequantize},
		{domain: onnx, name: "DynamicQuantizeLinear", eval: evalDynamicQuantize},
		{domain: onnx, name: "MatMulInteger", eval: evalMatMulInteger},
		{domain: onnx, name: "ConvInteger", eval: evalConvInteger},
		{domain: onnx, name: "QLinearMatMul", eval: evalQLinearMatMul},
		{domain: onnx, name: "QLinearConv", eval: evalQLinearConv},

		// recurrence
		{domain: onnx, name: "RNN", eval: evalRNN},
		{domain: onnx, name: "GRU", eval: evalGRU},
		{domain: onnx, name: "LSTM", eval: evalLSTM},

		// control flow, sequences and optionals
		{domain: onnx, name: "If", eval: evalIf, shares: true},
		{domain: onnx, name: "Loop", eval: evalLoop, shares: true},
		{domain: onnx, name: "Scan", eval: evalScan, shares: true},
		{domain: onnx, name: "SequenceMap", eval: evalSequenceMap, shares: true},
		{domain: onnx, name: "SequenceEmpty", eval: evalSequenceEmpty},
		{domain: onnx, name: "SequenceConstruct", eval: evalSequenceConstruct},
		{domain: onnx, name: "SequenceAt", eval: evalSequenceAt, shares: true},
		{domain: onnx, name: "SequenceErase", eval: evalSequenceErase, shares: true},
		{domain: onnx, name: "SequenceInsert", eval: evalSequenceInsert, shares: true},
		{domain: onnx, name: "SequenceLength", eval: evalSequenceLength},
		{domain: onnx, name: "SplitToSequence", eval: evalSplitToSequence},
		{domain: onnx, name: "ConcatFromSequence", eval: evalConcatFromSequence},
		{domain: onnx, name: "Optional", eval: evalOptional, shares: true},
		{domain: onnx, name: "OptionalGetElement", eval: evalOptionalGetElement, shares: true},
		{domain: onnx, name: "OptionalHasElement", eval: evalOptionalHasElement},

		// random
		{domain: onnx, name: "RandomNormal", eval: evalRandom},
		{domain: onnx, name: "RandomNormalLike", eval: evalRandom},
		{domain: onnx, name: "RandomUniform", eval: evalRandom},
		{domain: onnx, name: "RandomUniformLike", eval: evalRandom},
		{domain: onnx, name: "Bernoulli", eval: evalBernoulli},
		{domain: onnx, name: "Multinomial", eval: evalMultinomial},
		{domain: onnx, name: "Dropout", eval: evalDropout, shares: true},

		// signals
		{domain: onnx, name: "HannWindow", eval: evalWindow},
		{domain: onnx, name: "HammingWindow", eval: evalWindow},
		{domain: onnx, name: "BlackmanWindow", eval: evalWindow},
		{domain: onnx, name: "DFT", eval: evalDFT},
		{domain: onnx, name: "STFT", eval: evalSTFT},
		{domain: onnx, name: "MelWeightMatrix", eval: evalMelWeights},

		// text
		{domain: onnx, name: "StringNormalizer", eval: evalStringNormalizer},
		{domain: onnx, name: "StringConcat", eval: evalStringConcat},
		{domain: onnx, name: "StringSplit", eval: evalStringSplit},
		{domain: onnx, name: "RegexFullMatch", eval: evalRegexFullMatch},
		{domain: onnx, name: "TfIdfVectorizer", eval: evalTfIdf},

		// detection, losses and training
		{domain: onnx, name: "NonMaxSuppression", eval: evalNMS},
		{domain: onnx, name: "NegativeLogLikelihoodLoss", eval: evalLoss},
		{domain: onnx, name: "SoftmaxCrossEntropyLoss", eval: evalLoss},
		{domain: training, name: "Adagrad", eval: evalAdagrad},
		{domain: training, name: "Adam", eval: evalAdam},
		{domain: training, name: "Momentum", eval: evalMomentum},

		// language models
		{domain: onnx, name: "Attention", eval: evalAttention},
		{domain: onnx, name: "RotaryEmbedding", eval: evalRotary},
		{domain: microsoft, name: "RotaryEmbedding", eval: evalRotary},
		{domain: microsoft, name: "MultiHeadAttention", eval: evalMultiHead},
		{domain: microsoft, name: "GroupQueryAttention", eval: evalGroupQuery},
		{domain: microsoft, name: "MatMulNBits", eval: evalMatMulNBits},
		{domain: split.DomainFused, name: "Attention", eval: evalFusedAttention},
	}
}

// operators indexes the table by domain and name.
var operators = func() map[[2]string]*entry {
	m := map[[2]string]*entry{}
	for _, e := range table() {
		m[[2]string{e.domain, e.name}] = &e
	}
	return m
}()

// lookup is the entry of an op, or nil. "ai.onnx" is another name of ONNX's own domain.
func lookup(domain, name string) *entry {
	if domain == "ai.onnx" {
		domain = onnx
	}
	return operators[[2]string{domain, name}]
}

// Operators are the names of all operators, with the domain in front of those that are not ONNX's own, ascending.
func Operators() []string {
	var names []string
	for _, e := range table() {
		name := e.name
		if e.domain != onnx {
			name = e.domain + "." + name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
