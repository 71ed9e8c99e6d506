//go:build noasm || (!amd64 && !arm64)

package kernel

func int8Tile(_ ISA, a *int8Args, rows, panel int) { int8TileGeneric(a, rows, panel) }
