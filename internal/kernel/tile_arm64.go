//go:build !noasm

package kernel

func tile(_ ISA, a *tileArgs, rows, width, _ int) { tileGeneric(a, rows, width) }
