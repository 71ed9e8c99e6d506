package native

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// recurrent appends an LSTM or GRU with constant weights, default activations and full sequences. The products with the
// inputs of all steps are one matrix product; the recurrent ones follow step by step.
func (c *compiler) recurrent(op *split.Op) bool {
	x := op.Inputs[0]
	wt, rt := c.constant(op.Inputs[1]), c.constant(op.Inputs[2])
	gates := map[string]int{"LSTM": 4, "GRU": 3}[op.Type]
	if !c.isFloat32(x) || wt == nil || rt == nil || op.Int("layout", 0) != 0 || op.Attrs["activations"] != nil && !c.defaultGates(op) ||
		op.Float("clip", 0) != 0 || op.Int("input_forget", 0) != 0 || op.Input(7) != split.None {
		return false
	}
	xs, rs := c.p.slots[x].shape, rt.Shape()
	dir := op.Str("direction", "forward")
	s := &recurrentStep{lstm: op.Type == "LSTM", steps: xs[0], batch: xs[1], in: xs[2], hidden: rs[2], gates: gates, dirs: 1, x: int(x), h0: -1, c0: -1, after: op.Int("linear_before_reset", 0) == 1}
	if dir == "bidirectional" {
		s.dirs = 2
	}
	n := s.hidden
	if !wt.Shape().Equal(tensor.Shape{s.dirs, gates * n, s.in}) || !rs.Equal(tensor.Shape{s.dirs, gates * n, n}) || s.steps*s.batch*n == 0 || !c.fullLengths(op, s.steps) {
		return false
	}
	var bias []float32
	if b := op.Input(3); b != split.None {
		if bias = c.channels(b, s.dirs*2*gates*n); bias == nil {
			return false
		}
	}
	for d := range s.dirs {
		s.dir = append(s.dir, c.recurrentWeights(s, wt, rt, bias, d, dir == "reverse" || d == 1))
	}
	c.toPlain(x)
	reads := []int{s.x}
	for i, to := range []*int{&s.h0, &s.c0} {
		v := op.Input(5 + i)
		if v == split.None || i == 1 && !s.lstm {
			continue
		}
		if !c.isFloat32(v) {
			return false
		}
		c.toPlain(v)
		*to = int(v)
		reads = append(reads, int(v))
	}
	rows := s.steps * s.batch
	s.pre = c.extra(tensor.Float32, tensor.Shape{rows, gates * n})
	s.rec = c.extra(tensor.Float32, tensor.Shape{s.batch, gates * n})
	s.h = c.extra(tensor.Float32, tensor.Shape{s.dirs, s.batch, n})
	s.cell = c.extra(tensor.Float32, tensor.Shape{s.dirs, s.batch, n})
	s.tmp = c.extra(tensor.Float32, tensor.Shape{s.batch, n})
	writes := []int{s.pre, s.rec, s.h, s.cell, s.tmp}
	s.y = [3]int{-1, -1, -1}
	for i := range s.y {
		if v := op.Output(i); v != split.None {
			s.y[i] = c.outPlain(v)
			writes = append(writes, s.y[i])
		}
	}
	c.add(s, stepIO{reads: reads, writes: writes})
	return true
}

// defaultGates reports whether activations are stated but are those that ONNX has anyway.
func (c *compiler) defaultGates(op *split.Op) bool {
	want := map[string][]string{"LSTM": {"Sigmoid", "Tanh", "Tanh"}, "GRU": {"Sigmoid", "Tanh"}}[op.Type]
	for i, a := range op.Strs("activations") {
		if a != want[i%len(want)] {
			return false
		}
	}
	return true
}

// fullLengths reports whether every sequence has all steps.
func (c *compiler) fullLengths(op *split.Op, steps int) bool {
	v := op.Input(4)
	if v == split.None {
		return true
	}
	t := c.constant(v)
	return t != nil && t.DType() == tensor.Int32 && !slices.ContainsFunc(tensor.Data[int32](t), func(n int32) bool { return int(n) != steps })
}

// recurrentWeights packs direction d.
func (c *compiler) recurrentWeights(s *recurrentStep, wt, rt *tensor.Tensor, bias []float32, d int, backwards bool) recurrentDir {
	g, n := s.gates*s.hidden, s.hidden
	block := func(t *tensor.Tensor, k, from, to int) *kernel.Packed {
		form := fmt.Sprintf("rows %d to %d of %d", d*g+from, d*g+to, k)
		return pack(c.e.packs, t, form, func() *kernel.Packed {
			return kernel.Pack(tensor.Data[float32](t)[(d*g+from)*k:(d*g+to)*k], k, to-from, k, true)
		})
	}
	w := recurrentDir{backwards: backwards, bias: make([]float32, g)}
	w.input = kernel.Gemm{M: s.steps * s.batch, LDA: s.in, B: block(wt, s.in, 0, g), LDC: g, Bias: w.bias}
	if s.lstm || s.after {
		w.state = kernel.Gemm{M: s.batch, LDA: n, B: block(rt, n, 0, g), LDC: g}
	} else {
		w.state = kernel.Gemm{M: s.batch, LDA: n, B: block(rt, n, 0, 2*n), LDC: g}
		w.last = kernel.Gemm{M: s.batch, LDA: n, B: block(rt, n, 2*n, g), LDC: g}
	}
	if bias != nil {
		b := bias[2*d*g : 2*(d+1)*g]
		kernel.Add(w.bias, b[:g], b[g:])
		if !s.lstm && s.after { // the bias of the last gate's recurrent product is inside the reset
			copy(w.bias[2*n:], b[2*n:g])
			w.state.Bias = append(make([]float32, 2*n), b[g+2*n:]...)
		}
	}
	return w
}

// recurrentDir is one direction of a recurrentStep.
type recurrentDir struct {
	backwards bool
	bias      []float32
	input     kernel.Gemm // of all steps
	state     kernel.Gemm // of one step: all gates, or all but GRU's last
	last      kernel.Gemm // GRU's last gate, when the reset comes first
}

type recurrentStep struct {
	lstm, after                           bool
	steps, batch, in, hidden, gates, dirs int
	dir                                   []recurrentDir
	x, h0, c0, pre, rec, h, cell, tmp     int
	y                                     [3]int
}

func (s *recurrentStep) run(p *program) error {
	n := s.batch * s.hidden
	for d := range s.dir {
		w := &s.dir[d]
		h, cell := p.slots[s.h].f32[d*n:(d+1)*n], p.slots[s.cell].f32[d*n:(d+1)*n]
		clear(h)
		clear(cell)
		if s.h0 >= 0 {
			copy(h, p.slots[s.h0].f32[d*n:])
		}
		if s.c0 >= 0 {
			copy(cell, p.slots[s.c0].f32[d*n:])
		}
		pre := p.slots[s.pre].f32
		w.input.A, w.input.C = p.slots[s.x].f32, pre
		p.parallel.Run(&w.input)
		for k := range s.steps {
			t := k
			if w.backwards {
				t = s.steps - 1 - k
			}
			g := s.batch * s.gates * s.hidden
			if s.lstm {
				s.lstmStep(p, w, pre[t*g:(t+1)*g], h, cell)
			} else {
				s.gruStep(p, w, pre[t*g:(t+1)*g], h)
			}
			if s.y[0] >= 0 {
				copy(p.slots[s.y[0]].f32[(t*s.dirs+d)*n:], h)
			}
		}
	}
	if s.y[1] >= 0 {
		copy(p.slots[s.y[1]].f32, p.slots[s.h].f32)
	}
	if s.y[2] >= 0 {
		copy(p.slots[s.y[2]].f32, p.slots[s.cell].f32)
	}
	return nil
}

// lstmStep: the gates stand in the order i, o, f, c.
func (s *recurrentStep) lstmStep(p *program, w *recurrentDir, pre, h, cell []float32) {
	n, g := s.hidden, 4*s.hidden
	w.state.A, w.state.C = h, p.slots[s.rec].f32
	w.state.Residual, w.state.LDR = pre, g
	p.parallel.Run(&w.state)
	for b := range s.batch {
		row, c, tmp := w.state.C[b*g:(b+1)*g], cell[b*n:(b+1)*n], p.slots[s.tmp].f32[:n]
		kernel.Sigmoid(row[:3*n], row[:3*n])
		kernel.Tanh(row[3*n:], row[3*n:])
		kernel.Mul(tmp, row[:n], row[3*n:])
		kernel.MulAdd(c, row[2*n:3*n], c, tmp)
		kernel.Tanh(tmp, c)
		kernel.Mul(h[b*n:(b+1)*n], row[n:2*n], tmp)
	}
}

// gruStep: the gates stand in the order z, r, h.
func (s *recurrentStep) gruStep(p *program, w *recurrentDir, pre, h []float32) {
	n, g := s.hidden, 3*s.hidden
	rec, tmp := p.slots[s.rec].f32, p.slots[s.tmp].f32
	w.state.A, w.state.C = h, rec
	p.parallel.Run(&w.state)
	for b := range s.batch {
		row, in := rec[b*g:(b+1)*g], pre[b*g:(b+1)*g]
		kernel.Add(row[:2*n], row[:2*n], in[:2*n])
		kernel.Sigmoid(row[:2*n], row[:2*n])
		if s.after {
			kernel.MulAdd(row[2*n:], row[n:2*n], row[2*n:], in[2*n:])
		} else {
			kernel.Mul(tmp[b*n:(b+1)*n], row[n:2*n], h[b*n:(b+1)*n])
		}
	}
	if !s.after {
		w.last.A, w.last.C = tmp, rec[2*n:]
		w.last.Residual, w.last.LDR = pre[2*n:], g
		p.parallel.Run(&w.last)
	}
	for b := range s.batch {
		row, hb := rec[b*g:(b+1)*g], h[b*n:(b+1)*n]
		next := row[2*n:]
		kernel.Tanh(next, next)
		kernel.Sub(hb, hb, next)
		kernel.MulAdd(hb, row[:n], hb, next)
	}
}
