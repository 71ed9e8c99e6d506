package main

// writeReductions writes the loops over n sets of sixteen elements, at least one, that leave sixteen sums or maxima in lane.
func writeReductions(f *file) {
	const first, acc = 0, 4
	loop := func(name, args string, prepare, body func()) {
		at := f.function(name, args)
		f.line("MOVD lane+%d(FP), R0", at["lane"])
		f.line("MOVD x+%d(FP), R1", at["x"])
		f.line("MOVD n+%d(FP), R3", at["n"])
		if mean, ok := at["mean"]; ok {
			f.line("MOVWU mean+%d(FP), R4", mean)
			f.line("VDUP R4, V8.S4")
		}
		prepare()
		f.line("loop:")
		f.line("VLD1.P 64(R1), %s", vectors(first, 4))
		body()
		f.line("SUBS $1, R3")
		f.line("BNE loop")
		f.line("VST1 %s, (R0)", vectors(acc, 4))
		f.line("RET")
	}
	each := func(emit func(v int)) {
		for v := range 4 {
			emit(v)
		}
	}
	zero := func() { each(func(v int) { f.line("VEOR V%d.B16, V%[1]d.B16, V%[1]d.B16", acc+v) }) }
	loop("sumNEON", "lane *[sumLanes]float32, x *float32, n int", zero, func() {
		each(func(v int) { f.emit(fadd, acc+v, acc+v, first+v) })
	})
	loop("sumSquaresNEON", "lane *[sumLanes]float32, x *float32, n int, mean float32", zero, func() {
		each(func(v int) { f.emit(fsub, first+v, first+v, 8) })
		each(func(v int) { f.emit(fmla, acc+v, first+v, first+v) })
	})
	loop("maxOfNEON", "lane *[sumLanes]float32, x *float32, n int", func() { f.line("VLD1 (R1), %s", vectors(acc, 4)) }, func() {
		each(func(v int) { f.emit(fmax, acc+v, acc+v, first+v) })
	})
}
