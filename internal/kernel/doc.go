// Package kernel holds the inner loops of engine and codecs: matrix products, convolutions, element-wise functions and
// bit-plane moves, each as a generic Go loop that is its documentation and its oracle, and as vector code where the
// processor has it. The choice is made once, at start, from the processor's features; build tag noasm leaves only Go.
//
// Two kinds of entry points:
//
//   - functions on slices (Add, Exp, Softmax, Transpose...) that run on the caller's goroutine;
//   - tasks (Gemm, Conv, Depthwise, Pooling, Attention...): structs that describe one call and cut it into units. The
//     caller keeps the struct, fills its fields and hands it to a pool.Pool, which splits the units over its workers;
//     Run(0, Units()) is the whole call on one goroutine. Nothing is allocated per call.
//
// Results are reproducible: an output element depends on its inputs and on the instruction set, never on the number of
// workers, on how units are split, or on the alignment of a slice. In every float32 product one accumulator per output
// sums k in ascending order, fused multiply-add where the instruction set has it.
//
// Slices given to one call must not overlap unless the function says so; element-wise functions may work in place
// (dst == src). Lengths are the caller's duty: a slice too short panics with an index error before memory is touched
// out of bounds. All matrices are row-major; images are NHWC (channels last).
package kernel
