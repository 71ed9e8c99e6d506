// Package onnx reads ONNX models into split graphs, and writes any graph or stage back as a valid ONNX model.
//
// The reader takes opsets 1 to MaxOpset and gives every model one modern form, that of opset ModernOpset or newer, so that
// shape inference and engines need to know only that one. What older opsets wrote as attributes and newer ones take as inputs (axes of
// Squeeze, Unsqueeze and reductions, Clip's bounds, Pad's pads, Slice's ranges, TopK's k, Split's sizes, ...) are constant
// inputs; Upsample is Resize; a Softmax of before opset 13, which works on a flattened matrix, is written with Flatten and Reshape
// where that makes a difference; Dropout of an inference model is Identity. Constant ops are constants of the graph, model-local functions
// are inlined, sparse constants are dense, and type conversions on the way are exact. See upgrade.go for the table.
//
// Everything that a file says is checked: see the limits below and the errors of package split. A path of external data
// cannot leave the model's directory.
package onnx
