//go:build !noasm

package kernel

func detect() []ISA { return []ISA{Generic} }
