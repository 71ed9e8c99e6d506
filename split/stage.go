package split

// Stage is a convex set of groups, extracted as a graph of its own.
type Stage struct {
	// Graph has the stage's boundary values as Inputs and Outputs, keeps their names, and holds the constants it needs.
	Graph *Graph
	// Groups are the ids in the parent graph, ascending.
	Groups []GroupID
	// In and Out are the boundary values' ids in the parent graph, parallel to Graph.Inputs and Graph.Outputs.
	In, Out []ValueID
}
