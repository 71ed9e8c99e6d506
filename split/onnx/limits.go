package onnx

import "github.com/cleave-mesh/cleave/split"

// What a model may ask for. A model within its own file's size is never refused by the byte limits: they bound what a small file
// can make the reader allocate.
const (
	// MaxModelBytes is the largest model file, protobuf's own limit. External data is not counted.
	MaxModelBytes = 1<<31 - 1
	// MaxOps is the most ops of a model, subgraphs and inlined functions included.
	MaxOps = 1 << 20
	// MaxRank is the most dimensions of a tensor.
	MaxRank = split.MaxRank
	// MaxDepth is how deep subgraphs and calls of model-local functions may nest, and types.
	MaxDepth = 64
	// MaxSparseBytes is the largest dense form of a sparse constant.
	MaxSparseBytes = 256 << 20
	// MaxSequence is the most items of a sequence in a test-data file.
	MaxSequence = 1 << 20

	// MaxOpset is the newest opset of the ONNX domain that the reader knows.
	MaxOpset = 26
	// ModernOpset is the oldest opset whose form the reader gives to every model.
	ModernOpset = 21
)
