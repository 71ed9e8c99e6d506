package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// product appends a Gemm or MatMul with its epilogue. A constant right side is packed.
func (c *compiler) product(ops []*split.Op) bool {
	op := ops[0]
	a, b := op.Inputs[0], op.Inputs[1]
	if !c.isFloat32(a) || !c.isFloat32(b) || op.Int("transA", 0) != 0 || op.Float("alpha", 1) != 1 || op.Float("beta", 1) != 1 {
		return false
	}
	as, bs := c.p.slots[a].shape, c.p.slots[b].shape
	if _, few := c.deferred[b]; !few && c.constant(b) == nil {
		return op.Type == "MatMul" && len(ops) == 1 && c.matmul(op, as, bs)
	}
	if len(bs) != 2 || len(as) < 1 {
		return op.Type == "MatMul" && len(ops) == 1 && c.matmul(op, as, bs)
	}
	trans := op.Int("transB", 0) == 1
	k, n, columns := bs[0], bs[1], 1
	if trans {
		k, n, columns = n, k, 0
	}
	if c.nbitsProduct(ops, k, n, trans) {
		return true
	}
	out := op.Outputs[0]
	rank := len(c.p.slots[out].shape)
	if as[len(as)-1] != k || rank == 0 || c.p.slots[out].shape[rank-1] != n {
		return false
	}
	e, ok := c.epilogue(ops, rank-1)
	if !ok {
		return false
	}
	if t := op.Input(2); op.Type == "Gemm" && t != split.None {
		bias := c.constant(t)
		if bias == nil || e.bias != nil {
			return false
		}
		if e.bias, ok = perChannel(bias, tensor.Shape{as[0], n}, 1); !ok {
			return false
		}
	}
	m := 1
	for _, d := range as[:len(as)-1] {
		m *= d
	}
	c.toPlain(a)
	step := &gemmStep{x: int(a), residual: -1, w: -1}
	if e.residual != split.None {
		c.toPlain(e.residual)
		step.residual = int(e.residual)
	}
	step.task = kernel.Gemm{M: m, LDA: k, LDC: n, LDR: n, Bias: e.bias, Act: e.act}
	if few := c.bytesOver(b, columns); few != nil {
		step.compact = c.e.packs.compactMatrix(few, k, n, trans)
		step.w = c.addExpand(step.compact.Size(), step.compact.NewExpand())
	} else {
		step.task.B = c.e.packs.matrix(c.constant(b), k, n, trans)
	}
	step.y = c.outPlain(e.out)
	c.add(step, stepIO{reads: []int{step.x, step.residual, step.w}, writes: []int{step.y}})
	return true
}

type gemmStep struct {
	x, y, residual int
	task           kernel.Gemm
	// compact is the weights when slot w holds them expanded.
	compact *kernel.Compact
	w       int
}

func (s *gemmStep) run(p *program) error {
	s.task.A, s.task.C = p.slots[s.x].f32, p.slots[s.y].f32
	if s.compact != nil && s.task.B == nil {
		s.task.B = s.compact.Over(p.slots[s.w].f32)
	}
	if s.residual >= 0 {
		s.task.Residual = p.slots[s.residual].f32
	}
	p.parallel.Run(&s.task)
	return nil
}

// matmul appends a product of two computed stacks of matrices.
func (c *compiler) matmul(op *split.Op, as, bs tensor.Shape) bool {
	if len(as) < 2 || len(bs) < 2 {
		return false
	}
	batch, _, _, out, ok := matmulShapes(as, bs)
	if !ok || !out.Equal(c.p.slots[op.Outputs[0]].shape) {
		return false
	}
	m, k, n := as[len(as)-2], as[len(as)-1], bs[len(bs)-1]
	s := &matmulStep{x: int(op.Inputs[0]), w: int(op.Inputs[1])}
	s.task = kernel.MatMul{M: m, N: n, K: k, LDA: k, LDB: n, LDC: n}
	sa, sb := broadcastStrides(as[:len(as)-2], batch), broadcastStrides(bs[:len(bs)-2], batch)
	walk(batch, [][]int{sa, sb}, func(rows int, at []int) {
		for r := range rows {
			s.task.AOffset = append(s.task.AOffset, (at[0]+r*last(sa))*m*k)
			s.task.BOffset = append(s.task.BOffset, (at[1]+r*last(sb))*k*n)
			s.task.COffset = append(s.task.COffset, s.task.Batch*m*n)
			s.task.Batch++
		}
	})
	c.toPlain(op.Inputs[0])
	c.toPlain(op.Inputs[1])
	s.y = c.outPlain(op.Outputs[0])
	c.add(s, stepIO{reads: []int{s.x, s.w}, writes: []int{s.y}})
	return true
}

type matmulStep struct {
	x, w, y int
	task    kernel.MatMul
}

func (s *matmulStep) run(p *program) error {
	s.task.A, s.task.B, s.task.C = p.slots[s.x].f32, p.slots[s.w].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
