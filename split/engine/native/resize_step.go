package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/split"
)

// resize appends a Resize of rows and columns by nearest or linear interpolation whose sizes are known.
func (c *compiler) resize(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	n, ch, h, w, ok := c.image(x)
	if !ok || len(c.p.slots[x].shape) != len(c.p.slots[y].shape) || op.Int("antialias", 0) != 0 {
		return false
	}
	cl := call{op: op, opset: c.g.Opset[op.Domain]}
	for _, v := range op.Inputs {
		cl.in = append(cl.in, nil)
		if t := c.constant(v); t != nil {
			cl.in[len(cl.in)-1] = t
		}
	}
	rs, err := cl.resizers(c.p.slots[x].shape)
	if err != nil {
		return false
	}
	for i, r := range rs {
		if r.out != c.p.slots[y].shape[i] || r.transform == "tf_crop_and_resize" || r.mode == "cubic" || i < 2 && r.out != r.n {
			return false
		}
	}
	rows, cols := resizer{n: 1, out: 1, scale: 1, mode: rs[2].mode}, rs[len(rs)-1]
	if len(rs) == 4 {
		rows = rs[2]
	}
	s := &resizeStep{task: kernel.Resize{N: n, H: h, W: w, C: ch, OH: rows.out, OW: cols.out}}
	s.task.Y0, s.task.Y1, s.task.FY = rows.pairs()
	s.task.X0, s.task.X1, s.task.FX = cols.pairs()
	s.x, s.y = c.toCL(x), c.outCL(y)
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// pairs are the two inputs of each output index and the weight of the second one; weights are nil for nearest.
func (r *resizer) pairs() (first, second []int32, weight []float32) {
	first, second = make([]int32, r.out), make([]int32, r.out)
	if r.mode != "nearest" {
		weight = make([]float32, r.out)
	}
	for i := range first {
		s := r.source(i)
		if r.mode == "nearest" {
			first[i] = int32(min(max(r.nearest(s), 0), r.n-1))
			continue
		}
		lo := int(math.Floor(s))
		first[i], second[i] = int32(min(max(lo, 0), r.n-1)), int32(min(max(lo+1, 0), r.n-1))
		weight[i] = float32(s - float64(lo))
	}
	return first, second, weight
}

type resizeStep struct {
	x, y int
	task kernel.Resize
}

func (s *resizeStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
