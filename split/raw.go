package split

// mixing are the ops after which the inputs are no longer there element by element: each output combines many inputs with
// weights, or forgets most of them.
var mixing = map[string]bool{
	"Conv": true, "ConvInteger": true, "QLinearConv": true, "ConvTranspose": true, "DeformConv": true,
	"Gemm": true, "MatMul": true, "MatMulInteger": true, "QLinearMatMul": true, "MatMulNBits": true, "FusedMatMul": true, "Einsum": true,
	"MaxPool": true, "AveragePool": true, "LpPool": true, "GlobalAveragePool": true, "GlobalMaxPool": true, "GlobalLpPool": true,
	"RNN": true, "GRU": true, "LSTM": true, "Attention": true, "MultiHeadAttention": true, "GroupQueryAttention": true,
	"DFT": true, "STFT": true,
}

// Raw tells, for each value, whether it still is raw data: an input of the graph, or computed from one by nothing but ops that
// move elements or map them one by one. A rule such as "the picture never leaves the camera" has to hold for all of them: a
// transposed or rescaled picture is the picture.
func (g *Graph) Raw() []bool {
	raw := make([]bool, len(g.Values))
	for _, v := range g.Inputs {
		raw[v] = true
	}
	for i := range g.Ops {
		op := &g.Ops[i]
		if mixing[op.Type] {
			continue
		}
		touched := false
		for _, ins := range [][]ValueID{op.Inputs, op.Captures} {
			for _, v := range ins {
				touched = touched || v != None && raw[v]
			}
		}
		for _, v := range op.Outputs {
			if v != None {
				raw[v] = touched
			}
		}
	}
	return raw
}
