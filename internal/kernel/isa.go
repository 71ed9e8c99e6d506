package kernel

import (
	"fmt"
	"os"
)

// ISA is a set of vector instructions that kernels are written for. Within an architecture a larger one includes the
// smaller ones.
type ISA uint8

// The instruction sets. Generic is plain Go and is always there.
const (
	Generic    ISA = iota
	NEON           // arm64
	NEONDot        // NEON with the int8 dot product (SDOT)
	AVX2           // amd64 with AVX2, FMA and F16C
	AVX512         // amd64 with AVX-512 F, BW, DQ and VL
	AVX512VNNI     // AVX512 with the int8 dot product (VPDPBUSD)
)

var isaNames = [...]string{"generic", "neon", "neondot", "avx2", "avx512", "avx512vnni"}

// String is the name that CLEAVE_KERNEL takes.
func (i ISA) String() string {
	if int(i) >= len(isaNames) {
		return fmt.Sprintf("isa(%d)", uint8(i))
	}
	return isaNames[i]
}

// available is what this processor can run, smallest first; active is what the kernels use.
var (
	available = detect()
	active    = choose(os.Getenv("CLEAVE_KERNEL"))
)

// choose takes the named instruction set when the processor has it, and else the best one.
func choose(name string) ISA {
	for _, isa := range available {
		if isa.String() == name {
			return isa
		}
	}
	return available[len(available)-1]
}

// Active is the instruction set in use: the best one of this processor, unless the environment variable CLEAVE_KERNEL
// names a smaller one (generic, neon, neondot, avx2, avx512, avx512vnni).
func Active() ISA { return active }

// Available lists what this processor can run, smallest first. Generic is always the first.
func Available() []ISA { return append([]ISA(nil), available...) }

// SetISA changes the instruction set, for tests and benchmarks: no kernel may be running. Weights that were packed before
// keep the kernels they were packed for.
func SetISA(isa ISA) error {
	for _, a := range available {
		if a == isa {
			active = isa
			return nil
		}
	}
	return fmt.Errorf("instruction set %v: not on this processor", isa)
}
