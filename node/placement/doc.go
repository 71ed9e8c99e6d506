// Package placement turns what a node knows of a model and of the mesh into a planner's problem, and a planner's plan into
// a recipe that nodes can carry out. It is pure: measurements come in as numbers.
package placement
