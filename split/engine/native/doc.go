// Package native is the embedded backend: pure Go with assembly kernels, one static binary, no C.
package native
