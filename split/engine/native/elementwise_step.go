package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/split"
)

// follow chooses the layout of an element-wise op: channels-last when any of the values is so, or ONNX's otherwise. It
// returns their slots in that layout. The values have one shape.
func (c *compiler) follow(vs ...split.ValueID) (slots []int, cl bool) {
	for _, v := range vs {
		cl = cl || !c.plain[v]
	}
	for _, v := range vs {
		if cl {
			slots = append(slots, c.toCL(v))
		} else {
			c.toPlain(v)
			slots = append(slots, int(v))
		}
	}
	return slots, cl
}

// out is the slot for a result in the layout that follow chose.
func (c *compiler) out(v split.ValueID, cl bool) int {
	if cl {
		return c.outCL(v)
	}
	return c.outPlain(v)
}

// elements is the size of a slot of known shape.
func (c *compiler) elements(i int) int {
	n, _ := c.p.slots[i].shape.Elements() // want has checked it
	return n
}

// Estimated cost of element-wise work, in picoseconds per element.
const (
	cheapPicos  = 250
	costlyPicos = 1000
)

func actPicos(k kernel.ActKind) int {
	switch k {
	case kernel.ActNone, kernel.ActRelu, kernel.ActClip, kernel.ActLeakyRelu, kernel.ActHardSigmoid, kernel.ActHardSwish:
		return cheapPicos
	}
	return costlyPicos
}

// activation appends an element-wise function of one value.
func (c *compiler) activation(op *split.Op) bool {
	if len(op.Inputs) == 0 || !c.isFloat32(op.Inputs[0]) {
		return false
	}
	f := map[string]func(dst, src []float32){
		"Exp": kernel.Exp, "Log": kernel.Log, "Sqrt": kernel.Sqrt, "Erf": kernel.Erf,
	}[op.Type]
	picos := costlyPicos
	switch {
	case op.Type == "Pow" && c.is(op.Input(1), 2):
		f, picos = func(dst, src []float32) { kernel.Mul(dst, src, src) }, cheapPicos
	case op.Type == "Reciprocal":
		f, picos = func(dst, src []float32) { scalarOp("Div", true, dst, src, 1) }, cheapPicos
	case op.Type == "Neg":
		f, picos = func(dst, src []float32) { kernel.MulScalar(dst, src, -1) }, cheapPicos
	case f == nil:
		act, ok := c.activationOf(op)
		if !ok {
			return false
		}
		f, picos = act.Apply, actPicos(act.Kind)
	}
	in, cl := c.follow(op.Inputs[0])
	s := &mapStep{x: in[0], y: c.out(op.Outputs[0], cl)}
	s.task.n = c.elements(s.y)
	s.task.nanos = s.task.n * picos / 1000
	s.task.f = func(lo, hi int) { f(s.dst[lo:hi], s.src[lo:hi]) }
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// is reports whether v is a constant scalar of the given value.
func (c *compiler) is(v split.ValueID, want float32) bool {
	x, ok := c.scalar(v)
	return ok && x == want
}

type mapStep struct {
	x, y     int
	src, dst []float32
	task     spans
}

func (s *mapStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

// operation computes dst = op(a, b), element by element.
type operation func(dst, a, b []float32)

func operationOf(typ string) operation {
	switch typ {
	case "Add":
		return kernel.Add
	case "Sub":
		return kernel.Sub
	case "Mul":
		return kernel.Mul
	case "Div":
		return kernel.Div
	case "Max":
		return kernel.Max
	default:
		return kernel.Min
	}
}

// binary appends an element-wise op of two values, and the activation that follows it: of one shape, with a scalar, or with
// one that repeats.
func (c *compiler) binary(ops []*split.Op) bool {
	op := ops[0]
	var act kernel.Activation
	y := op.Outputs[0]
	if len(ops) == 2 {
		var ok bool
		if act, ok = c.activationOf(ops[1]); !ok || ops[1].Inputs[0] != y {
			return false
		}
		y = ops[1].Outputs[0]
	}
	if len(op.Inputs) != 2 || len(ops) > 2 {
		return false
	}
	a, b := op.Inputs[0], op.Inputs[1]
	if !c.isFloat32(a) || !c.isFloat32(b) {
		return false
	}
	so := c.p.slots[y].shape
	if c.p.slots[a].shape.Equal(so) && c.p.slots[b].shape.Equal(so) && c.constant(a) == nil && c.constant(b) == nil {
		in, cl := c.follow(a, b)
		s := &zipStep{a: in[0], b: in[1], y: c.out(y, cl)}
		f := operationOf(op.Type)
		s.task.n = c.elements(s.y)
		s.task.nanos = s.task.n * (cheapPicos + actPicos(act.Kind)) / 1000
		s.task.f = func(lo, hi int) {
			f(s.dst[lo:hi], s.x[lo:hi], s.w[lo:hi])
			if act.Kind != kernel.ActNone {
				act.Apply(s.dst[lo:hi], s.dst[lo:hi])
			}
		}
		c.add(s, stepIO{reads: in, writes: []int{s.y}})
		return true
	}
	return c.broadcast(op.Type, act, a, b, y)
}

type zipStep struct {
	a, b, y   int
	x, w, dst []float32
	task      spans
}

func (s *zipStep) run(p *program) error {
	s.x, s.w, s.dst = p.slots[s.a].f32, p.slots[s.b].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
