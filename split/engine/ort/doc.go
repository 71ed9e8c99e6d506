// Package ort is the ONNX Runtime backend. It loads the library at run time where it is found; in builds without cgo it
// reports that it is absent.
package ort
