//go:build noasm || (!amd64 && !arm64)

package kernel

func detect() []ISA { return []ISA{Generic} }
