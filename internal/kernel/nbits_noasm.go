//go:build noasm || (!amd64 && !arm64)

package kernel

func nbitsTile(_ ISA, a *nbitsArgs, rows, panel int) { nbitsTileGeneric(a, rows, panel) }
