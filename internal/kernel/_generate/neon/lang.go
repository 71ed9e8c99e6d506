package main

import "fmt"

// reg is a vector register that gets its number when the code is emitted.
type reg struct{ number int }

const unassigned = -1

// val is a value in lockstep: one register for each of the vectors that a loop's pass computes side by side.
type val []*reg

// step is one instruction of a body with the registers that it uses.
type step struct {
	emit func(numbers []int)
	regs []*reg
}

// lang is the little vector language of the element-wise functions: straight-line code on values, whose registers are assigned by last
// use.
type lang struct {
	*file
	name  string
	width int // vectors side by side
	steps []step
	// constants and arguments stay in registers over the whole loop, the highest ones.
	pinned  map[string]val
	loads   []string
	offsets map[string]int // of the arguments
}

// pin is a register that load fills before the loop; the same load is the same register.
func (l *lang) pin(load string) val {
	v, ok := l.pinned[load]
	if !ok {
		v = val{&reg{31 - len(l.pinned)}}
		l.pinned[load] = v
		l.loads = append(l.loads, fmt.Sprintf(load, v[0].number))
	}
	return v
}

// bits is a constant in every lane that stays in a register.
func (l *lang) bits(v uint32) val { return l.pin(fmt.Sprintf("FMOVQ %d(R10), F%%d", l.constant(v))) }

func (l *lang) num(v float64) val { return l.bits(float(v)) }

// argument is a 32-bit argument in every lane, which stays in a register.
func (l *lang) argument(name string) val {
	return l.pin(fmt.Sprintf("MOVWU %s+%d(FP), R9\n\tVDUP R9, V%%d.S4", name, l.offsets[name]))
}

// at is the register of vector u: constants have one for all.
func (v val) at(u int) *reg { return v[min(u, len(v)-1)] }

// do records an instruction per vector; update says that the first operand is changed rather than new.
func (l *lang) do(i instruction, update val, operands ...val) val {
	var d val
	for u := range l.width {
		r := &reg{unassigned}
		if update != nil {
			r = update.at(u)
		}
		d = append(d, r)
		regs := []*reg{r}
		for _, o := range operands {
			regs = append(regs, o.at(u))
		}
		l.steps = append(l.steps, step{func(n []int) { l.emit(i, n...) }, regs})
	}
	return d
}

// text records a line of assembly per vector that defines its register.
func (l *lang) text(format string) val {
	var d val
	for range l.width {
		r := &reg{unassigned}
		d = append(d, r)
		l.steps = append(l.steps, step{func(n []int) { l.line(format, n[0]) }, []*reg{r}})
	}
	return d
}

// use records a line that reads v.
func (l *lang) use(format string, v val) {
	for u := range l.width {
		l.steps = append(l.steps, step{func(n []int) { l.line(format, n[0]) }, []*reg{v.at(u)}})
	}
}

// plain records a line of assembly without vector registers.
func (l *lang) plain(format string, args ...any) {
	l.steps = append(l.steps, step{emit: func([]int) { l.line(format, args...) }})
}

// addend is a constant in a register of its own, for a fused multiplication to add to.
func (l *lang) addend(v float64) val {
	return l.text(fmt.Sprintf("FMOVQ %d(R10), F%%d", l.constant(float(v))))
}

// end emits the recorded steps.
func (l *lang) end() {
	last := map[*reg]int{}
	for i, s := range l.steps {
		for _, r := range s.regs {
			last[r] = i
		}
	}
	var free []int
	for n := range 32 - len(l.pinned) {
		free = append(free, n)
	}
	for i, s := range l.steps {
		var numbers []int
		for _, r := range s.regs {
			if r.number == unassigned {
				if len(free) == 0 {
					panic(l.name + ": out of registers")
				}
				r.number, free = free[0], free[1:]
			}
			numbers = append(numbers, r.number)
		}
		s.emit(numbers)
		for _, r := range s.regs {
			if last[r] == i && r.number < 32-len(l.pinned) {
				last[r] = -1
				free = append(free, r.number)
			}
		}
	}
	l.steps = nil
}

func (l *lang) add(a, b val) val { return l.do(fadd, nil, a, b) }
func (l *lang) sub(a, b val) val { return l.do(fsub, nil, a, b) }
func (l *lang) mul(a, b val) val { return l.do(fmul, nil, a, b) }
func (l *lang) div(a, b val) val { return l.do(fdiv, nil, a, b) }

// max and min are NaN when either side is.
func (l *lang) max(a, b val) val { return l.do(fmax, nil, a, b) }
func (l *lang) min(a, b val) val { return l.do(fmin, nil, a, b) }

func (l *lang) copy(a val) val {
	var d val
	for u := range l.width {
		r := &reg{unassigned}
		d = append(d, r)
		l.steps = append(l.steps, step{func(n []int) { l.line("VMOV V%d.B16, V%d.B16", n[1], n[0]) }, []*reg{r, a.at(u)}})
	}
	return d
}

// fma is a*b + c.
func (l *lang) fma(a, b, c val) val { return l.do(fmla, l.copy(c), a, b) }

// poly evaluates coefficients c, lowest first, at x by Horner's rule.
func (l *lang) poly(x val, c ...float64) val {
	v := l.addend(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		v = l.do(fmla, l.addend(c[i]), v, x)
	}
	return v
}

// where is a in the lanes whose bits of mask are set and b elsewhere.
func (l *lang) where(mask, a, b val) val { return l.do(bsl, l.copy(mask), a, b) }
