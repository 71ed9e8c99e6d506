// Command _generate writes the amd64 assembly of package simd with avo.
package main

//go:generate go run . -out ../simd_amd64.s -stubs ../simd_amd64_stubs.go -pkg simd

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!noasm")
	halves()
	ranges()
	quantizers()
	folder()
	splits()
	compactions()
	Generate()
}

// loop begins a function and emits body once per step elements: src and dst are the named parameters' pointers, which
// advance by their strides in bytes, until the parameter n, a multiple of step, is used up.
func loop(step int, advance map[Register]int, n Register, body func()) {
	name := "loop"
	Label(name)
	body()
	for _, r := range order(advance) {
		ADDQ(Imm(uint64(advance[r])), r)
	}
	SUBQ(Imm(uint64(step)), n)
	JNE(LabelRef(name))
}

// order makes the output deterministic.
func order(m map[Register]int) []Register {
	var list []Register
	for r := range m {
		list = append(list, r)
	}
	for i := range list {
		for j := i + 1; j < len(list); j++ {
			if list[j].(Virtual).VirtualIndex() < list[i].(Virtual).VirtualIndex() {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return list
}

func param(name string) GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// broadcast fills a YMM register with a 32-bit constant.
func broadcast(v uint32) VecVirtual {
	r := GP32()
	MOVL(U32(v), r)
	y := YMM()
	MOVD(r, y.AsX())
	VPBROADCASTD(y.AsX(), y)
	return y
}

// broadcastParam fills a YMM register with a float32 parameter.
func broadcastParam(name string) VecVirtual {
	y := YMM()
	a, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(a.Addr, y)
	return y
}
