package main

import "fmt"

const lanes = 4

// operand is a pointer argument of a loop and the bytes of its elements.
type operand struct {
	name string
	size int
}

// The assembly that moves four elements of 1, 2 or 4 bytes and the pointer on.
var (
	loads  = map[int]string{1: "FMOVS.P 4(R%d), F%%d", 2: "FMOVD.P 8(R%d), F%%d", 4: "VLD1.P 16(R%d), [V%%d.S4]"}
	stores = map[int]string{1: "FMOVS.P F%d, 4(R0)", 2: "FMOVD.P F%d, 8(R0)", 4: "VST1.P [V%d.S4], 16(R0)"}
)

// elements is a loop over n elements: two vectors side by side, then one, then, where tail is set, the last one to three elements. The
// output's pointer is in R0, the inputs' in the registers behind it, n in R8.
type elements struct {
	*lang
	output operand
	inputs []operand
	tail   bool
}

// loop writes the function name(args), whose body makes the output's vector of the inputs'.
func (e *elements) loop(name, args string, body func(in []val) val) {
	at := e.function(name, args)
	e.name, e.pinned, e.loads, e.offsets = name, map[string]val{}, nil, at
	// The passes come first, since only they know what stays in registers.
	begin := e.file.text.Len()
	e.line("SUBS $%d, R8", 2*lanes)
	e.line("BLT fewer")
	e.line("many:")
	e.pass(2, body)
	e.line("SUBS $%d, R8", 2*lanes)
	e.line("BGE many")
	e.line("fewer:")
	e.line("ADDS $%d, R8", lanes)
	e.line("BLT rest")
	e.pass(1, body)
	e.line("SUBS $%d, R8", lanes)
	e.line("rest:")
	if e.tail {
		e.rest(body)
	}
	e.line("RET")
	passes := append([]byte(nil), e.file.text.Bytes()[begin:]...)
	e.file.text.Truncate(begin)
	for i, o := range append([]operand{e.output}, e.inputs...) {
		e.line("MOVD %s+%d(FP), R%d", o.name, at[o.name], i)
	}
	e.line("MOVD n+%d(FP), R8", at["n"])
	e.line("MOVD $constants<>(SB), R10")
	for _, s := range e.loads {
		e.line("%s", s)
	}
	e.file.text.Write(passes)
}

// pass is one round of width vectors.
func (e *elements) pass(width int, body func(in []val) val) {
	e.width = width
	var in []val
	for i, o := range e.inputs {
		in = append(in, e.text(fmt.Sprintf(loads[o.size], i+1)))
	}
	e.use(stores[e.output.size], body(in))
	e.end()
}

// rest does the last one to three elements, each in a lane of its own; the other lanes hold zeros.
func (e *elements) rest(body func(in []val) val) {
	e.line("ADDS $%d, R8", lanes)
	e.line("BEQ done")
	e.width = 1
	var in []val
	for i := range e.inputs {
		in = append(in, e.text(fmt.Sprintf("FMOVS.P 4(R%d), F%%d", i+1)))
	}
	for lane := 1; lane < lanes-1; lane++ {
		e.plain("CMP $%d, R8", lane)
		e.plain("BLE loaded%d", lane)
		for i := range e.inputs {
			e.use(fmt.Sprintf("VLD1.P 4(R%d), V%%d.S[%d]", i+1, lane), in[i])
		}
		e.plain("loaded%d:", lane)
	}
	v := body(in)
	e.use("FMOVS.P F%d, 4(R0)", v)
	for lane := 1; lane < lanes-1; lane++ {
		e.plain("CMP $%d, R8", lane)
		e.plain("BLE done")
		e.use(fmt.Sprintf("VST1.P V%%d.S[%d], 4(R0)", lane), v)
	}
	e.end()
	e.line("done:")
}

// writeElements writes the element-wise functions.
func writeElements(f *file) {
	l := &lang{file: f}
	write := func(name string, inputs int, body func(in []val) val) {
		e := &elements{lang: l, output: operand{"y", 4}, tail: true}
		for _, in := range []string{"a", "b", "c"}[:inputs] {
			e.inputs = append(e.inputs, operand{in, 4})
		}
		e.loop("vec"+name+"NEON", "y, a, b, c *float32, n int, p, q float32", body)
	}
	p, q := func() val { return l.argument("p") }, func() val { return l.argument("q") }
	write("Add", 2, func(in []val) val { return l.add(in[0], in[1]) })
	write("Sub", 2, func(in []val) val { return l.sub(in[0], in[1]) })
	write("Mul", 2, func(in []val) val { return l.mul(in[0], in[1]) })
	write("Div", 2, func(in []val) val { return l.div(in[0], in[1]) })
	write("Max", 2, func(in []val) val { return l.max(in[0], in[1]) })
	write("Min", 2, func(in []val) val { return l.min(in[0], in[1]) })
	write("MulAdd", 3, func(in []val) val { return l.fma(in[0], in[1], in[2]) })
	write("AddScalar", 1, func(in []val) val { return l.add(in[0], p()) })
	write("MulScalar", 1, func(in []val) val { return l.mul(in[0], p()) })
	write("DivScalar", 1, func(in []val) val { return l.div(in[0], p()) })
	write("Clip", 1, func(in []val) val { return l.min(l.max(in[0], p()), q()) })
	write("LeakyRelu", 1, func(in []val) val { return l.leakyRelu(in[0], p()) })
	write("HardSigmoid", 1, func(in []val) val { return l.hardSigmoid(in[0], p(), q()) })
	write("HardSwish", 1, func(in []val) val { return l.mul(l.hardSigmoid(in[0], p(), q()), in[0]) })
	write("Exp", 1, func(in []val) val { return l.exp(l.sub(in[0], p())) })
	write("Sigmoid", 1, func(in []val) val { return l.sigmoid(in[0]) })
	write("SiLU", 1, func(in []val) val { return l.silu(in[0]) })
	write("Tanh", 1, func(in []val) val { return l.tanh(in[0]) })
	write("Erf", 1, func(in []val) val { return l.erf(in[0]) })
	write("GELU", 1, func(in []val) val { return l.gelu(in[0]) })
	write("GELUTanh", 1, func(in []val) val { return l.geluTanh(in[0]) })
	write("Sqrt", 1, func(in []val) val { return l.do(fsqrt, nil, in[0]) })
	writeConversions(l)
}

// writeConversions writes the moves between float32 and narrower types, of whole vectors.
func writeConversions(l *lang) {
	write := func(name, args string, output operand, inputs []operand, body func(in []val) val) {
		(&elements{lang: l, output: output, inputs: inputs}).loop(name+"NEON", args, body)
	}
	// The low bytes are the same whether the result is signed or not.
	write("quantize", "y *uint8, x *float32, n int, scale, lo, hi float32, zero int32", operand{"y", 1}, []operand{{"x", 4}}, func(in []val) val {
		v := l.div(in[0], l.argument("scale"))
		v = l.do(and, nil, v, l.do(fcmeq, nil, v, v)) // a NaN becomes zero
		v = l.min(l.max(v, l.argument("lo")), l.argument("hi"))
		i := l.do(add, nil, l.do(fcvtns, nil, v), l.argument("zero"))
		return l.do(xtnb, nil, l.do(xtnh, nil, i))
	})
	for _, k := range []struct {
		kind         string
		bytes, words instruction
	}{{"Uint8", uxtlh, uxtls}, {"Int8", sxtlh, sxtls}} {
		write("dequantize"+k.kind, "y *float32, x *uint8, n int, scale float32, zero int32", operand{"y", 4}, []operand{{"x", 1}}, func(in []val) val {
			i := l.do(k.words, nil, l.do(k.bytes, nil, in[0]))
			return l.mul(l.do(scvtf, nil, l.do(sub, nil, i, l.argument("zero"))), l.argument("scale"))
		})
	}
	write("widenFloat16", "y *float32, x *uint16, n int", operand{"y", 4}, []operand{{"x", 2}}, func(in []val) val {
		return l.do(fcvtl, nil, in[0])
	})
	write("narrowFloat16", "y *uint16, x *float32, n int", operand{"y", 2}, []operand{{"x", 4}}, func(in []val) val {
		return l.do(fcvtn, nil, in[0])
	})
	factors := []operand{{"acc", 4}, {"shift", 4}, {"zeros", 4}, {"scale", 4}, {"bias", 4}}
	write("int8Scale", "y *float32, acc, shift, zeros *int32, scale, bias *float32, n int, rowSum int32", operand{"y", 4}, factors, func(in []val) val {
		i := l.do(mls, l.do(add, nil, in[0], in[1]), in[2], l.argument("rowSum"))
		return l.do(fmla, in[4], l.do(scvtf, nil, i), in[3])
	})
}
