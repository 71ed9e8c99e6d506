package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// constants are op's inputs from the second on, for reading what an op takes as values; ok is false when one is computed.
func (c *compiler) constants(op *split.Op) (*call, bool) {
	cl := &call{op: op, opset: c.g.Opset[op.Domain], in: make([]tensor.Value, len(op.Inputs)), out: make([]tensor.Value, len(op.Outputs))}
	for i, v := range op.Inputs {
		if i == 0 || v == split.None {
			continue
		}
		t := c.constant(v)
		if t == nil {
			return nil, false
		}
		cl.in[i] = t
	}
	return cl, true
}

// resize appends a nearest or linear Resize of an image's rows and columns.
func (c *compiler) resize(op *split.Op) bool {
	x := op.Inputs[0]
	n, ch, h, w, ok := c.image(x)
	cl, known := c.constants(op)
	if !ok || !known || len(c.p.slots[x].shape) != 4 {
		return false
	}
	rs, err := cl.resizers(c.p.slots[x].shape)
	if err != nil || rs[0].mode == "cubic" || rs[0].antialias || rs[0].transform == "tf_crop_and_resize" ||
		rs[0].out != n || rs[0].scale != 1 || rs[1].out != ch || rs[1].scale != 1 {
		return false
	}
	s := &resizeStep{}
	s.task = kernel.Resize{N: n, H: h, W: w, C: ch, OH: rs[2].out, OW: rs[3].out}
	linear := rs[0].mode == "linear"
	s.task.Y0, s.task.Y1, s.task.FY = axisTaps(&rs[2], linear)
	s.task.X0, s.task.X1, s.task.FX = axisTaps(&rs[3], linear)
	if !(tensor.Shape{n, ch, rs[2].out, rs[3].out}).Equal(c.p.slots[op.Outputs[0]].shape) {
		return false
	}
	s.x, s.y = c.toCL(x), c.outCL(op.Outputs[0])
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// axisTaps are the two source indices of each output index and the weight of the second; the weights are nil for nearest.
func axisTaps(r *resizer, linear bool) (a, b []int32, f []float32) {
	for x := range r.out {
		idx, w, _ := r.taps(x)
		i, j, g := idx[0], idx[0], 0.0
		if len(idx) > 1 {
			j, g = idx[1], w[1]
		}
		a, b = append(a, int32(i)), append(b, int32(j))
		if linear {
			f = append(f, float32(g))
		}
	}
	return a, b, f
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
