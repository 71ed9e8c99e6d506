//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

func detect() []ISA {
	isas := []ISA{Generic}
	x := &cpu.X86
	// Every processor with AVX2 and FMA has F16C, which package cpu does not report.
	if !x.HasAVX2 || !x.HasFMA {
		return isas
	}
	isas = append(isas, AVX2)
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL {
		return isas
	}
	isas = append(isas, AVX512)
	if x.HasAVX512VNNI {
		isas = append(isas, AVX512VNNI)
	}
	return isas
}
