// Package split is the model as a graph: ops, the values between them, what each costs, and where the graph may be cut.
//
// A Graph is ONNX's model of computation without its file format (package onnx reads and writes that). It is built once,
// specialised to concrete input shapes, canonicalised, and from then on only read. Canonicalisation happens on the whole
// graph before any cut: rewrites that change rounding (constant folding, batch-norm folding) are done there, and ops
// that an engine will fuse are marked as one Group. A Group is atomic: no cut divides it. That is why a model cut anywhere
// computes, bit for bit, what the uncut model computes.
//
// A set of groups that is convex (no path leaves it and comes back) can be extracted as a Stage: a self-contained Graph
// that one machine executes.
package split
