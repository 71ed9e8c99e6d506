package main

import (
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// signature is the Go signature of a function by the kind its name begins with.
func signature(name string) string {
	switch {
	case strings.HasPrefix(name, "reduce"):
		return "func(y, a, b *float32, n int, p float32) float32"
	case strings.HasPrefix(name, "quantize"):
		return "func(y *uint8, x *float32, n int, scale, lo, hi float32, zero int32)"
	case strings.HasPrefix(name, "dequantize"):
		return "func(y *float32, x *uint8, n int, scale float32, zero int32)"
	case strings.HasPrefix(name, "widen"):
		return "func(y *float32, x *uint16, n int)"
	case strings.HasPrefix(name, "narrow"):
		return "func(y *uint16, x *float32, n int)"
	case strings.HasPrefix(name, "int8Scale"):
		return "func(y *float32, acc, shift, zeros *int32, scale, bias *float32, n int, rowSum int32)"
	}
	return "func(y, a, b, c *float32, n int, p, q float32)"
}

// loop is one pass over n elements of up to three inputs.
type loop struct {
	*lang
	y      Register
	inputs []Register
	n      Register
}

// open begins a function and loads its arguments.
func (l *lang) open(name string, inputs int, y bool) *loop {
	TEXT(name, NOSPLIT, signature(name))
	Pragma("noescape")
	lo := &loop{lang: l}
	if y {
		lo.y = Load(Param("y"), GP64())
	}
	for _, in := range []string{"a", "b", "c"}[:inputs] {
		lo.inputs = append(lo.inputs, Load(Param(in), GP64()))
	}
	lo.n = Load(Param("n"), GP64())
	l.mask = nil
	return lo
}

func (l *loop) scalar(name string) VecVirtual {
	x := XMM()
	Load(Param(name), x)
	v := l.vec()
	VBROADCASTSS(x, v)
	return v
}

// each emits the loop: unroll vectors at a time, then one, then the rest under a mask. body gets the number of the vector
// among the unrolled ones and returns what to store, or nil.
func (l *loop) each(unroll int, body func(u int, in []VecVirtual) VecVirtual) {
	lanes := l.bytes / 4
	step := func(count int) {
		for u := range count {
			var in []VecVirtual
			for _, p := range l.inputs {
				in = append(in, l.load(Mem{Base: p, Disp: u * l.bytes}))
			}
			if out := body(u, in); out != nil {
				l.store(out, Mem{Base: l.y, Disp: u * l.bytes})
			}
		}
	}
	advance := func(count int) {
		for _, p := range append(append([]Register(nil), l.inputs...), l.y) {
			if p != nil {
				ADDQ(I32(count*l.bytes), p)
			}
		}
	}
	if unroll > 1 {
		SUBQ(I32(unroll*lanes), l.n)
		JL(LabelRef("fewer"))
		Label("many")
		step(unroll)
		advance(unroll)
		SUBQ(I32(unroll*lanes), l.n)
		JGE(LabelRef("many"))
		Label("fewer")
		ADDQ(I32(unroll*lanes), l.n)
	}
	SUBQ(I32(lanes), l.n)
	JL(LabelRef("tail"))
	Label("one")
	step(1)
	advance(1)
	SUBQ(I32(lanes), l.n)
	JGE(LabelRef("one"))
	Label("tail")
	ADDQ(I32(lanes), l.n)
	JZ(LabelRef("done"))
	l.makeMask()
	step(1)
	l.mask = nil
	Label("done")
}

// makeMask masks the first n lanes.
func (l *loop) makeMask() {
	if l.wide() {
		m := GP32()
		MOVL(I32(-1), m)
		BZHIL(l.n.(GPVirtual).As32(), m, m)
		k := K()
		KMOVW(m, k)
		l.mask = k
		return
	}
	NEGQ(l.n)
	table := GP64()
	LEAQ(NewDataAddr(Symbol{Name: "vecMask", Static: true}, 0), table)
	m := YMM()
	VMOVUPS(Mem{Base: table, Disp: 32, Index: l.n, Scale: 4}, m)
	l.mask = m
}

func closing() {
	VZEROUPPER()
	RET()
}

// maps writes the functions that store one result per element and returns their names.
func (l *lang) maps() []string {
	var names []string
	write := func(name string, inputs, unroll, scalars int, f func(in []VecVirtual) VecVirtual) {
		name = "vec" + name + l.isa
		names = append(names, name)
		lo := l.open(name, inputs, true)
		if scalars > 0 {
			l.p = lo.scalar("p")
		}
		if scalars > 1 {
			l.q = lo.scalar("q")
		}
		lo.each(unroll, func(_ int, in []VecVirtual) VecVirtual { return f(in) })
		closing()
	}
	write("Add", 2, 4, 0, func(in []VecVirtual) VecVirtual { return l.add(in[0], in[1]) })
	write("Sub", 2, 4, 0, func(in []VecVirtual) VecVirtual { return l.sub(in[0], in[1]) })
	write("Mul", 2, 4, 0, func(in []VecVirtual) VecVirtual { return l.mul(in[0], in[1]) })
	write("Div", 2, 4, 0, func(in []VecVirtual) VecVirtual { return l.div(in[0], in[1]) })
	write("Max", 2, 4, 0, func(in []VecVirtual) VecVirtual { return l.pick(false, in[0], in[1]) })
	write("Min", 2, 4, 0, func(in []VecVirtual) VecVirtual { return l.pick(true, in[0], in[1]) })
	write("MulAdd", 3, 4, 0, func(in []VecVirtual) VecVirtual { return l.fma(in[0], in[1], in[2]) })
	write("AddScalar", 1, 4, 1, func(in []VecVirtual) VecVirtual { return l.add(in[0], l.p) })
	write("MulScalar", 1, 4, 1, func(in []VecVirtual) VecVirtual { return l.mul(in[0], l.p) })
	write("DivScalar", 1, 4, 1, func(in []VecVirtual) VecVirtual { return l.div(in[0], l.p) })
	write("Clip", 1, 4, 2, func(in []VecVirtual) VecVirtual { return l.atMost(l.atLeast(in[0], l.p), l.q) })
	write("LeakyRelu", 1, 4, 1, func(in []VecVirtual) VecVirtual {
		return l.whereNegative(in[0], l.mul(in[0], l.p), in[0])
	})
	write("HardSigmoid", 1, 2, 2, func(in []VecVirtual) VecVirtual { return l.hardSigmoid(in[0]) })
	write("HardSwish", 1, 2, 2, func(in []VecVirtual) VecVirtual { return l.mul(l.hardSigmoid(in[0]), in[0]) })
	write("Exp", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.exp(in[0]) })
	write("Sigmoid", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.sigmoid(in[0]) })
	write("SiLU", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.silu(in[0]) })
	write("Tanh", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.tanh(in[0]) })
	write("Erf", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.erf(in[0]) })
	write("GELU", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.gelu(in[0]) })
	write("GELUTanh", 1, 2, 0, func(in []VecVirtual) VecVirtual { return l.geluTanh(in[0]) })
	write("Sqrt", 1, 2, 0, func(in []VecVirtual) VecVirtual { v := l.vec(); VSQRTPS(in[0], v); return v })
	return names
}

// reductions writes the functions that return one number and returns their names.
func (l *lang) reductions() []string {
	const lanes = 4 // accumulators
	var names []string
	write := func(name string, inputs int, y, p bool, f func(in []VecVirtual, acc VecVirtual) VecVirtual) {
		name = "reduce" + name + l.isa
		names = append(names, name)
		lo := l.open(name, inputs, y)
		if p {
			l.p = lo.scalar("p")
		}
		acc := make([]VecVirtual, lanes)
		for i := range acc {
			acc[i] = l.vec()
			VXORPS(acc[i], acc[i], acc[i])
		}
		lo.each(lanes, func(u int, in []VecVirtual) VecVirtual { return f(in, acc[u]) })
		VADDPS(acc[1], acc[0], acc[0])
		VADDPS(acc[3], acc[2], acc[2])
		VADDPS(acc[2], acc[0], acc[0])
		Store(l.fold(acc[0], func(a, b, to Op) { VADDPS(a, b, to) }), ReturnIndex(0))
		closing()
	}
	write("Sum", 1, false, false, func(in []VecVirtual, acc VecVirtual) VecVirtual {
		VADDPS(in[0], acc, acc)
		return nil
	})
	write("SumSquares", 1, false, true, func(in []VecVirtual, acc VecVirtual) VecVirtual {
		d := l.keep(l.sub(in[0], l.p))
		VFMADD231PS(d, d, acc)
		return nil
	})
	write("ExpSum", 1, true, true, func(in []VecVirtual, acc VecVirtual) VecVirtual {
		y := l.keep(l.exp(l.sub(in[0], l.p)))
		VADDPS(y, acc, acc)
		return y
	})
	names = append(names, l.maxOf())
	return names
}

// keep zeroes the lanes that the mask leaves out.
func (l *lang) keep(v VecVirtual) VecVirtual {
	if l.mask == nil {
		return v
	}
	w := l.vec()
	if l.wide() {
		VMOVAPS_Z(v, l.mask, w)
		return w
	}
	VANDPS(l.mask, v, w)
	return w
}

// maxOf returns the largest element, or NaN when there is one.
func (l *lang) maxOf() string {
	name := "reduceMaxOf" + l.isa
	lo := l.open(name, 1, false)
	least := l.set(l.bits(0xff800000))
	acc, nan := make([]VecVirtual, 4), l.vec()
	for i := range acc {
		acc[i] = l.vec()
		VMOVAPS(least, acc[i])
	}
	VXORPS(nan, nan, nan)
	lo.each(4, func(u int, in []VecVirtual) VecVirtual {
		x := in[0]
		if l.mask != nil {
			w := l.vec()
			if l.wide() {
				VBLENDMPS(x, least, l.mask, w)
			} else {
				VBLENDVPS(l.mask, x, least, w)
			}
			x = w
		}
		VMAXPS(x, acc[u], acc[u])
		// A sum of NaN and -Inf or zero bits stays NaN: remember any.
		const unordered = 3
		if l.wide() {
			k := K()
			VCMPPS(Imm(unordered), x, x, k)
			VMOVAPS(x, k, nan)
		} else {
			m := YMM()
			VCMPPS(Imm(unordered), x, x, m)
			VORPS(m, nan, nan)
		}
		return nil
	})
	larger := func(a, b, to Op) { VMAXPS(a, b, to) }
	larger(acc[1], acc[0], acc[0])
	larger(acc[3], acc[2], acc[2])
	larger(acc[2], acc[0], acc[0])
	// Lanes of nan are zero or NaN, and a sum with NaN is NaN.
	flag := l.fold(nan, func(a, b, to Op) { VADDPS(a, b, to) })
	top := l.fold(acc[0], larger)
	VADDSS(flag, top, top)
	Store(top, ReturnIndex(0))
	closing()
	return name
}

// fold combines the lanes of v, halves on halves.
func (l *lang) fold(v VecVirtual, combine func(a, b, to Op)) Register {
	if l.wide() {
		y := YMM()
		VEXTRACTF64X4(Imm(1), v, y)
		w := YMM()
		combine(y, v.AsY(), w)
		v = w
	}
	x := XMM()
	VEXTRACTF128(Imm(1), v.AsY(), x)
	s := XMM()
	combine(x, v.AsX(), s)
	t := XMM()
	VPERMILPD(Imm(1), s, t)
	combine(t, s, s)
	VMOVSHDUP(s, t)
	combine(t, s, s)
	return s
}
