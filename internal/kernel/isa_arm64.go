//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

// detect: every arm64 processor that Go runs on has NEON.
func detect() []ISA {
	isas := []ISA{Generic, NEON}
	if cpu.ARM64.HasASIMDDP {
		isas = append(isas, NEONDot)
	}
	return isas
}
