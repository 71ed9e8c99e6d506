// Package simd holds the loops that tensor codecs spend their time in. Each function's doc is the loop that it runs; the
// *_generic.go files are that loop in Go, always compile, and are what the assembly is tested against. Results are the
// same bits on every path. With -tags noasm only the generic loops are built.
package simd
