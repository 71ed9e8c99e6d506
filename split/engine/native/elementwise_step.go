package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
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
	if f == nil {
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

// binary appends an element-wise op of two values: of one shape, with a scalar, or with one that repeats in rows.
func (c *compiler) binary(op *split.Op) bool {
	if len(op.Inputs) != 2 {
		return false
	}
	a, b, y := op.Inputs[0], op.Inputs[1], op.Outputs[0]
	if !c.isFloat32(a) || !c.isFloat32(b) {
		return false
	}
	so := c.p.slots[y].shape
	if c.p.slots[a].shape.Equal(so) && c.p.slots[b].shape.Equal(so) && c.g.Values[a].Const == nil && c.g.Values[b].Const == nil {
		in, cl := c.follow(a, b)
		s := &zipStep{a: in[0], b: in[1], y: c.out(y, cl)}
		f := vectorOp(op.Type)
		s.task.n = c.elements(s.y)
		s.task.nanos = s.task.n * cheapPicos / 1000
		s.task.f = func(lo, hi int) { f(s.dst[lo:hi], s.x[lo:hi], s.w[lo:hi]) }
		c.add(s, stepIO{reads: in, writes: []int{s.y}})
		return true
	}
	return c.broadcast(op, a, b, y, so)
}

func vectorOp(typ string) func(dst, a, b []float32) {
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

// broadcast appends an op whose second operand (or first, when it commutes) is repeated over the other, which has the
// result's shape. The repeated one is seen, after merging neighbouring dimensions, as outer×middle×inner where only the
// middle varies.
func (c *compiler) broadcast(op *split.Op, a, b, y split.ValueID, so tensor.Shape) bool {
	swapped := false
	if !c.p.slots[a].shape.Equal(so) || c.g.Values[a].Const != nil && c.g.Values[b].Const == nil && c.p.slots[b].shape.Equal(so) {
		a, b, swapped = b, a, true
	}
	if !c.p.slots[a].shape.Equal(so) || len(so) == 0 {
		return false
	}
	bs := c.p.slots[b].shape
	n, err := bs.Elements()
	total, err2 := so.Elements()
	if err != nil || err2 != nil || total == 0 {
		return false
	}
	// The dimensions along which b varies must be neighbours.
	lo, hi := len(so), 0 // [lo, hi)
	for i := range bs {
		if d := i + len(so) - len(bs); bs[i] != 1 {
			lo, hi = min(lo, d), max(hi, d+1)
		}
	}
	if n == 1 {
		lo, hi = len(so)-1, len(so)
	} else if !bs[lo-(len(so)-len(bs)) : hi-(len(so)-len(bs))].Equal(so[lo:hi]) {
		return false
	}
	cl := !c.plain[a]
	if cl && n != 1 && (lo != 1 || hi != 2) {
		cl = false
	}
	s := &broadcastStep{op: op.Type, swapped: swapped, mid: n, b: int(b)}
	c.toPlain(b)
	if cl {
		s.a, s.inner = c.toCL(a), 1
		if n == 1 {
			s.mid, s.inner = 1, total
		}
		s.y = c.outCL(y)
	} else {
		c.toPlain(a)
		s.a, s.inner = int(a), size(so[hi:])
		if n == 1 {
			s.mid, s.inner = 1, total
		}
		s.y = c.outPlain(y)
	}
	c.add(s, stepIO{reads: []int{s.a, s.b}, writes: []int{s.y}})
	return true
}

// broadcastStep computes y[o][m][i] = op(a[o][m][i], b[m]).
type broadcastStep struct {
	op         string
	a, b, y    int
	mid, inner int
	swapped    bool // the repeated operand is the left one
}

func (s *broadcastStep) run(p *program) error {
	x, b, y := p.slots[s.a].f32, p.slots[s.b].f32, p.slots[s.y].f32
	if s.inner == 1 { // rows of b
		f := vectorOp(s.op)
		for o := 0; o < len(x); o += s.mid {
			if s.swapped {
				f(y[o:o+s.mid], b[:s.mid], x[o:o+s.mid])
			} else {
				f(y[o:o+s.mid], x[o:o+s.mid], b[:s.mid])
			}
		}
		return nil
	}
	for o := 0; o < len(x); {
		for m := 0; m < s.mid; m++ {
			scalarOp(s.op, s.swapped, y[o:o+s.inner], x[o:o+s.inner], b[m])
			o += s.inner
		}
	}
	return nil
}

// scalarOp computes dst = op(src, v), or op(v, src) when swapped.
func scalarOp(typ string, swapped bool, dst, src []float32, v float32) {
	switch {
	case typ == "Add":
		kernel.AddScalar(dst, src, v)
	case typ == "Mul":
		kernel.MulScalar(dst, src, v)
	case typ == "Sub" && !swapped:
		kernel.AddScalar(dst, src, -v)
	case typ == "Div" && !swapped:
		kernel.DivScalar(dst, src, v)
	case typ == "Sub":
		for i, x := range src {
			dst[i] = v - x
		}
	case typ == "Div":
		for i, x := range src {
			dst[i] = v / x
		}
	case typ == "Max":
		for i, x := range src {
			dst[i] = max(x, v)
		}
	default:
		for i, x := range src {
			dst[i] = min(x, v)
		}
	}
}
