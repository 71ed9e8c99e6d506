package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// wholes begins a loop over whole vectors only: n is a multiple of the lanes, and pointers advance by their own sizes.
func (l *lang) wholes(name string, pointers []string, sizes []int, before func(), body func(p []Register)) {
	TEXT(name, NOSPLIT, signature(name))
	Pragma("noescape")
	l.mask = nil
	lanes := l.bytes / 4
	p := make([]Register, len(pointers))
	for i, n := range pointers {
		p[i] = Load(Param(n), GP64())
	}
	n := Load(Param("n"), GP64())
	before()
	SUBQ(I32(int32(lanes)), n)
	JL(LabelRef("done"))
	Label("loop")
	body(p)
	for i := range p {
		ADDQ(I32(int32(lanes*sizes[i])), p[i])
	}
	SUBQ(I32(int32(lanes)), n)
	JGE(LabelRef("loop"))
	Label("done")
	closing()
}

// broadcast puts a float32 argument into every lane.
func (l *lang) broadcast(name string) VecVirtual {
	x := XMM()
	Load(Param(name), x)
	v := l.vec()
	VBROADCASTSS(x, v)
	return v
}

// integer puts an int32 argument into every lane.
func (l *lang) integer(name string) VecVirtual {
	r := GP32()
	Load(Param(name), r)
	x := XMM()
	VMOVD(r, x)
	v := l.vec()
	VPBROADCASTD(x, v)
	return v
}

// conversions writes the moves between float32 and narrower types and returns their names.
func (l *lang) conversions() []string {
	var names []string
	add := func(name string) string {
		names = append(names, name+l.isa)
		return name + l.isa
	}
	var scale, lo, hi, zero VecVirtual
	for _, signed := range []bool{false, true} {
		kind := "Uint8"
		if signed {
			kind = "Int8"
		}
		l.wholes(add("quantize"+kind), []string{"y", "x"}, []int{1, 4}, func() {
			scale, lo, hi, zero = l.broadcast("scale"), l.broadcast("lo"), l.broadcast("hi"), l.integer("zero")
		}, func(p []Register) {
			v := l.dropNaN(l.div(l.load(Mem{Base: p[1]}), scale))
			v = l.atMost(l.atLeast(l.round(v), lo), hi)
			i := l.vec()
			VCVTPS2DQ(v, i)
			VPADDD(zero, i, i)
			l.narrow(i, Mem{Base: p[0]}, signed)
		})
		l.wholes(add("dequantize"+kind), []string{"y", "x"}, []int{4, 1}, func() {
			scale, zero = l.broadcast("scale"), l.integer("zero")
		}, func(p []Register) {
			i := l.vec()
			if signed {
				VPMOVSXBD(Mem{Base: p[1]}, i)
			} else {
				VPMOVZXBD(Mem{Base: p[1]}, i)
			}
			VPSUBD(zero, i, i)
			f := l.vec()
			VCVTDQ2PS(i, f)
			l.store(l.mul(f, scale), Mem{Base: p[0]})
		})
	}
	l.wholes(add("widenFloat16"), []string{"y", "x"}, []int{4, 2}, func() {}, func(p []Register) {
		v := l.vec()
		VCVTPH2PS(Mem{Base: p[1]}, v)
		l.store(v, Mem{Base: p[0]})
	})
	l.wholes(add("narrowFloat16"), []string{"y", "x"}, []int{2, 4}, func() {}, func(p []Register) {
		v := l.load(Mem{Base: p[1]})
		VCVTPS2PH(Imm(0), v, Mem{Base: p[0]})
	})
	var rowSum VecVirtual
	l.wholes(add("int8Scale"), []string{"y", "acc", "shift", "zeros", "scale", "bias"}, []int{4, 4, 4, 4, 4, 4}, func() {
		rowSum = l.integer("rowSum")
	}, func(p []Register) {
		i, z := l.load(Mem{Base: p[1]}), l.vec()
		VPADDD(Mem{Base: p[2]}, i, i)
		VPMULLD(Mem{Base: p[3]}, rowSum, z)
		VPSUBD(z, i, i)
		f := l.vec()
		VCVTDQ2PS(i, f)
		l.store(l.add(l.mul(f, l.load(Mem{Base: p[4]})), l.load(Mem{Base: p[5]})), Mem{Base: p[0]})
	})
	return names
}

// dropNaN replaces NaN by zero.
func (l *lang) dropNaN(v VecVirtual) VecVirtual {
	const ordered = 7
	w := l.vec()
	if l.wide() {
		k := K()
		VCMPPS(Imm(ordered), v, v, k)
		VMOVAPS_Z(v, k, w)
		return w
	}
	VCMPPS(Imm(ordered), v, v, w)
	VANDPS(v, w, w)
	return w
}

// narrow stores int32 lanes that are in range as bytes.
func (l *lang) narrow(i VecVirtual, m Mem, signed bool) {
	if l.wide() {
		VPMOVDB(i, m)
		return
	}
	// Halves of the vector pack separately: bring the upper one down first.
	upper, x := XMM(), XMM()
	VEXTRACTI128(Imm(1), i, upper)
	if signed {
		VPACKSSDW(upper, i.AsX(), x)
		VPACKSSWB(x, x, x)
	} else {
		VPACKUSDW(upper, i.AsX(), x)
		VPACKUSWB(x, x, x)
	}
	VMOVQ(x, m)
}
