package split

import "strings"

// KnownOp reports whether Cleave knows the operator: its types and shapes can be inferred as far as they do not depend on
// data. Whether an engine can run it is the engine's to say.
func KnownOp(domain, opType string) bool {
	ops, ok := knownOps[domain]
	if !ok {
		return false
	}
	_, ok = ops[opType]
	return ok
}

// knownOps is every operator by domain. ONNX's own are those of opset 1 to 26 (deprecated ones that the reader replaces
// included).
var knownOps = map[string]map[string]struct{}{
	"": set(`
		Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization Bernoulli
		BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip Col2Im
		Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumProd CumSum DFT
		DeformConv DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike
		Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
		GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder
		InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop
		LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix
		Min Mish Mod Mul Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional
		OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN
		RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
		ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize
		ReverseSequence RoiAlign RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceAt
		SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin Sinh
		Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat
		StringNormalizer StringSplit Sub Sum Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu
		Unique Unsqueeze Upsample Where Xor
		SimplifiedLayerNormalization`),
	"com.microsoft": set(`
		Attention BiasGelu BiasSplitGelu ConvTransposeWithDynamicPads DequantizeLinear DynamicQuantizeMatMul EmbedLayerNormalization
		FastGelu FusedConv FusedGemm FusedMatMul Gelu GroupQueryAttention Inverse MatMulInteger16 MatMulIntegerToFloat MatMulNBits
		MultiHeadAttention Pad QAttention QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearGlobalAveragePool
		QLinearLeakyRelu QLinearMul QLinearSigmoid QLinearSoftmax QLinearWhere QuantizeLinear QuickGelu RotaryEmbedding
		SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization Trilu Unique`),
	"ai.onnx.preview.training": set("Adagrad Adam Gradient Momentum"),
}

func set(names string) map[string]struct{} {
	m := map[string]struct{}{}
	for _, name := range strings.Fields(names) {
		m[name] = struct{}{}
	}
	return m
}
