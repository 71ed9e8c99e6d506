// Package onnx reads ONNX models into split graphs, and writes any graph or stage back as a valid ONNX model.
package onnx
