package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// reduce appends a ReduceMean, ReduceSum or ReduceMax over dimensions that are neighbours: over an image's pixels
// channels-last, over anything else in ONNX's order.
func (c *compiler) reduce(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	if !c.isFloat32(x) {
		return false
	}
	s := c.p.slots[x].shape
	axes := toInts(op.Ints("axes"))
	if v := op.Input(1); v != split.None {
		t := c.constant(v)
		if t == nil || t.DType() != tensor.Int64 {
			return false
		}
		axes = toInts(tensor.Data[int64](t))
	}
	if len(axes) == 0 || len(s) == 0 {
		return false
	}
	lo, hi, set := len(s), 0, map[int]bool{}
	for _, a := range axes {
		if a < 0 {
			a += len(s)
		}
		if a < 0 || a >= len(s) {
			return false
		}
		lo, hi, set[a] = min(lo, a), max(hi, a+1), true
	}
	if hi-lo != len(set) {
		return false
	}
	r := &reduceStep{typ: op.Type, outer: size(s[:lo]), n: size(s[lo:hi]), inner: size(s[hi:])}
	if r.n == 0 || r.outer*r.inner == 0 {
		return false
	}
	if len(s) == 4 && lo == 2 && hi == 4 {
		r.x, r.inner, r.outer = c.toCL(x), s[1], s[0]
		if len(c.p.slots[y].shape) == 4 {
			r.y = c.outCL(y)
		} else {
			r.y = c.outPlain(y) // (N, C) in both orders
		}
	} else {
		c.toPlain(x)
		r.x, r.y = int(x), c.outPlain(y)
	}
	r.task = rowTask{rows: r.outer, n: r.inner, nanos: r.outer * r.n * r.inner * cheapPicos / 1000, f: r.rows}
	c.add(r, stepIO{reads: []int{r.x}, writes: []int{r.y}})
	return true
}

// reduceStep folds the middle of outer×n×inner elements.
type reduceStep struct {
	typ             string
	x, y            int
	outer, n, inner int
	src, dst        []float32
	task            rowTask
}

func (s *reduceStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *reduceStep) rows(lo, hi int) {
	for o := lo; o < hi; o++ {
		x, y := s.src[o*s.n*s.inner:(o+1)*s.n*s.inner], s.dst[o*s.inner:(o+1)*s.inner]
		switch {
		case s.inner == 1 && s.typ == "ReduceMax":
			y[0] = kernel.MaxOf(x)
		case s.inner == 1:
			y[0] = kernel.Sum(x)
		case s.typ == "ReduceMean": // as a global pooling
			g := kernel.GlobalPooling{N: 1, Pixels: s.n, C: s.inner, X: x, Y: y}
			g.Run(0, g.Units())
			continue
		default:
			copy(y, x)
			for k := 1; k < s.n; k++ {
				if s.typ == "ReduceMax" {
					kernel.Max(y, y, x[k*s.inner:(k+1)*s.inner])
				} else {
					kernel.Add(y, y, x[k*s.inner:(k+1)*s.inner])
				}
			}
		}
		if s.typ == "ReduceMean" {
			y[0] /= float32(s.n)
		}
	}
}
