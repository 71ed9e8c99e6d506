package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/split"
)

// pooling appends MaxPool or AveragePool.
func (c *compiler) pooling(op *split.Op) bool {
	n, ch, h, w, ok := c.image(op.Inputs[0])
	if !ok || op.Output(1) != split.None {
		return false
	}
	cl := call{op: op, opset: c.g.Opset[op.Domain]}
	win, err := cl.window(c.p.slots[op.Inputs[0]].shape, nil)
	if err != nil {
		return false
	}
	s := &poolStep{task: kernel.Pooling{ConvShape: win.convShape(n, ch, h, w, ch)}}
	if op.Type == "AveragePool" {
		s.task.Kind = kernel.PoolAverage
		if op.Int("count_include_pad", 0) == 1 {
			if op.Int("ceil_mode", 0) == 1 {
				return false // windows may reach beyond the declared padding, which does not count
			}
			s.task.Kind = kernel.PoolAveragePadding
		}
	}
	s.x, s.y = c.toCL(op.Inputs[0]), c.outCL(op.Outputs[0])
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

type poolStep struct {
	x, y int
	task kernel.Pooling
}

func (s *poolStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

// globalPooling appends GlobalAveragePool or GlobalMaxPool.
func (c *compiler) globalPooling(op *split.Op) bool {
	n, ch, h, w, ok := c.image(op.Inputs[0])
	if !ok || h*w == 0 {
		return false
	}
	s := &globalPoolStep{task: kernel.GlobalPooling{N: n, Pixels: h * w, C: ch, Highest: op.Type == "GlobalMaxPool"}}
	s.x, s.y = c.toCL(op.Inputs[0]), c.outCL(op.Outputs[0])
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

type globalPoolStep struct {
	x, y int
	task kernel.GlobalPooling
}

func (s *globalPoolStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
