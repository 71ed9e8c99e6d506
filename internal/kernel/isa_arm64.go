//go:build !noasm

package kernel

// detect: every arm64 processor that Go runs on has NEON.
func detect() []ISA { return []ISA{Generic, NEON} }
