// Package kernel holds the inner loops of engine and codecs: matrix products, convolutions, element-wise functions and
// bit-plane moves, each as a generic Go loop that is its documentation and its oracle, and as vector code where the
// processor has it. The choice is made once, at start, from the processor's features; build tag noasm leaves only Go.
package kernel
