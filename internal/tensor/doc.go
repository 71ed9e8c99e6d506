// Package tensor holds the dense tensors that every room of Cleave passes around: an element type, a shape and one
// contiguous row-major buffer.
//
// A Tensor is a plain value with no behaviour beyond access: it does not compute. Elements are stored little-endian in
// the machine's natural width; 4-bit and 2-bit types are packed low bits first, as ONNX packs them. Buffers that this
// package allocates are aligned to 64 bytes, so that kernels may use aligned loads.
package tensor
