// Package placement turns what a node knows of a model and of the mesh into a planner's problem, and the problem's numbers
// into a frame that all nodes of a plan share. It is pure: measurements come in as numbers.
//
// Planner and session speak of pieces, values, nodes and codings by index. A Frame says what each index means, so that
// messages between nodes need nothing but indices. It is content-addressed: equal frames have equal ids everywhere.
package placement
