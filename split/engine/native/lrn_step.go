package native

import (
	"math"

	"github.com/cleave-mesh/cleave/split"
)

// lrn appends a local response normalisation, channels-last.
func (c *compiler) lrn(op *split.Op) bool {
	n, ch, h, w, ok := c.image(op.Inputs[0])
	size := int(op.Int("size", 1))
	if !ok || size < 1 {
		return false
	}
	s := &lrnStep{ch: ch, before: (size - 1) / 2, behind: size / 2}
	s.alpha = op.Float("alpha", 1e-4) / float32(size)
	s.beta, s.bias = float64(op.Float("beta", .75)), op.Float("bias", 1)
	s.x, s.y = c.toCL(op.Inputs[0]), c.outCL(op.Outputs[0])
	const picos = 12_000 // of a power
	s.task = rowTask{rows: n * h * w, n: ch, nanos: n * h * w * ch * picos / 1000, f: s.rows}
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

type lrnStep struct {
	x, y, ch       int
	before, behind int // neighbouring channels that count
	alpha, bias    float32
	beta           float64
	src, dst       []float32
	task           rowTask
}

func (s *lrnStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *lrnStep) rows(lo, hi int) {
	for r := lo; r < hi; r++ {
		x, y := s.src[r*s.ch:(r+1)*s.ch], s.dst[r*s.ch:(r+1)*s.ch]
		for j := range y {
			sum := float32(0)
			for _, v := range x[max(0, j-s.before):min(s.ch, j+s.behind+1)] {
				sum += v * v
			}
			b := s.bias + s.alpha*sum
			if s.beta == .75 { // b^(3/4) by two square roots
				q := float32(math.Sqrt(float64(b)))
				y[j] = x[j] / (q * float32(math.Sqrt(float64(q))))
			} else {
				y[j] = x[j] / float32(math.Pow(float64(b), s.beta))
			}
		}
	}
}
