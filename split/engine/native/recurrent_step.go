package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// recurrent appends an LSTM or GRU with constant weights, the default activations, and neither peepholes, clipping nor
// sequence lengths.
func (c *compiler) recurrent(op *split.Op) bool {
	lstm := op.Type == "LSTM"
	gates, defaults := 3, []string{"Sigmoid", "Tanh"}
	if lstm {
		gates, defaults = 4, []string{"Sigmoid", "Tanh", "Tanh"}
	}
	w, r, x := c.constant(op.Input(1)), c.constant(op.Input(2)), op.Inputs[0]
	if !c.isFloat32(x) || w == nil || r == nil || w.DType() != tensor.Float32 || len(w.Shape()) != 3 || len(r.Shape()) != 3 {
		return false
	}
	s := &recurrentStep{x: int(x), lstm: lstm, gates: gates, afterReset: op.Int("linear_before_reset", 0) != 0}
	direction := op.Str("direction", "forward")
	s.directions, s.reverse = w.Shape()[0], direction == "reverse"
	names := attr[[]string](op, "activations", nil)
	if names != nil && !slices.Equal(names, slices.Repeat(defaults, s.directions)) || op.Float("clip", 0) != 0 ||
		op.Int("layout", 0) != 0 || op.Int("input_forget", 0) != 0 || op.Input(4) != split.None || op.Input(7) != split.None ||
		op.Attrs["activation_alpha"] != nil || op.Attrs["activation_beta"] != nil {
		return false
	}
	xs := c.p.slots[x].shape
	s.steps, s.batch, s.hidden = xs[0], xs[1], r.Shape()[2]
	width := gates * s.hidden
	if (s.directions == 2) != (direction == "bidirectional") || !w.Shape().Equal(tensor.Shape{s.directions, width, xs[2]}) ||
		!r.Shape().Equal(tensor.Shape{s.directions, width, s.hidden}) {
		return false
	}
	s.h0, s.c0 = int(op.Input(5)), int(op.Input(6))
	for _, v := range []split.ValueID{op.Input(5), op.Input(6)} {
		if v != split.None && !c.isFloat32(v) {
			return false
		}
	}
	var bias []float32
	if v := op.Input(3); v != split.None {
		if bias = c.channels(v, s.directions*2*width); bias == nil {
			return false
		}
	}
	c.pack(s, tensor.Data[float32](w), tensor.Data[float32](r), bias, xs[2])
	c.placeRecurrent(s, op)
	return true
}

// pack packs the weights of each direction: of the input for all gates at once; of the state likewise, but for a GRU that
// resets the state before its product, whose last gate stands alone. Biases of input and state add up where both are
// added at once.
func (c *compiler) pack(s *recurrentStep, w, r, bias []float32, in int) {
	n, width := s.hidden, s.gates*s.hidden
	for d := range s.directions {
		wd, rd := w[d*width*in:(d+1)*width*in], r[d*width*n:(d+1)*width*n]
		q := recurrentDirection{stateBias: make([]float32, width)}
		inBias := make([]float32, width)
		if bias != nil {
			copy(inBias, bias[2*d*width:])
			copy(q.stateBias, bias[(2*d+1)*width:(2*d+2)*width])
		}
		if s.lstm || !s.afterReset {
			kernel.Add(inBias, inBias, q.stateBias)
			clear(q.stateBias)
		}
		q.input = kernel.Gemm{M: s.steps * s.batch, LDA: in, B: kernel.Pack(wd, in, width, in, true), LDC: width, Bias: inBias}
		together := width
		if !s.lstm && !s.afterReset {
			together = 2 * n
			q.last = kernel.Gemm{M: s.batch, LDA: n, B: kernel.Pack(rd[together*n:], n, n, n, true), LDC: n, LDR: width}
			c.e.packs.bytes += q.last.B.Bytes()
		}
		q.state = kernel.Gemm{M: s.batch, LDA: n, B: kernel.Pack(rd[:together*n], n, together, n, true), LDC: together, LDR: width}
		if !s.lstm && s.afterReset {
			q.state.Bias = q.stateBias
		}
		c.e.packs.bytes += q.input.B.Bytes() + q.state.B.Bytes()
		s.dir = append(s.dir, q)
	}
}

// placeRecurrent finds the step's memory and appends it.
func (c *compiler) placeRecurrent(s *recurrentStep, op *split.Op) {
	c.toPlain(op.Inputs[0])
	for _, v := range []split.ValueID{op.Input(5), op.Input(6)} {
		c.toPlain(v)
	}
	s.y, s.yh, s.yc = -1, -1, -1
	for i, to := range []*int{&s.y, &s.yh, &s.yc} {
		if v := op.Output(i); v != split.None {
			*to = c.outPlain(v)
		}
	}
	n := s.hidden
	s.fromInput = c.extra(tensor.Float32, tensor.Shape{s.steps * s.batch, s.gates * n})
	s.fromState = c.extra(tensor.Float32, tensor.Shape{s.batch, s.gates * n})
	s.states = c.extra(tensor.Float32, tensor.Shape{3, s.batch, n})
	c.add(s, stepIO{
		reads: []int{s.x, s.h0, s.c0}, writes: []int{s.y, s.yh, s.yc, s.fromInput, s.fromState, s.states},
	})
}

type recurrentDirection struct {
	input, state, last kernel.Gemm
	stateBias          []float32
}

// recurrentStep computes an LSTM or GRU.
type recurrentStep struct {
	x, h0, c0, y, yh, yc         int // slots, -1 where absent
	fromInput, fromState, states int // slots of what the gates get from the input and the state, and of the states
	steps, batch, hidden, gates  int
	directions                   int
	lstm, reverse, afterReset    bool
	dir                          []recurrentDirection
}

func (s *recurrentStep) run(p *program) error {
	size := s.batch * s.hidden
	states := p.slots[s.states].f32
	h, cell, tmp := states[:size], states[size:2*size], states[2*size:]
	for d := range s.dir {
		q := &s.dir[d]
		q.input.A, q.input.C = p.slots[s.x].f32, p.slots[s.fromInput].f32
		p.parallel.Run(&q.input)
		s.initial(p, h, s.h0, d)
		s.initial(p, cell, s.c0, d)
		for k := range s.steps {
			t := k
			if s.reverse || d == 1 {
				t = s.steps - 1 - k
			}
			in := q.input.C[t*s.batch*q.input.LDC:]
			if s.lstm {
				s.stepLSTM(p, q, in, h, cell)
			} else {
				s.stepGRU(p, q, in, h, tmp)
			}
			if s.y >= 0 {
				copy(p.slots[s.y].f32[(t*s.directions+d)*size:], h)
			}
		}
		if s.yh >= 0 {
			copy(p.slots[s.yh].f32[d*size:], h)
		}
		if s.yc >= 0 {
			copy(p.slots[s.yc].f32[d*size:], cell)
		}
	}
	return nil
}

// initial sets a state to what slot from holds for direction d, or zero.
func (s *recurrentStep) initial(p *program, state []float32, from, d int) {
	if from < 0 {
		clear(state)
		return
	}
	copy(state, p.slots[from].f32[d*len(state):])
}

// stepLSTM moves h and cell on by one step; in is what the input gives the gates i, o, f and c.
func (s *recurrentStep) stepLSTM(p *program, q *recurrentDirection, in, h, cell []float32) {
	g, n := p.slots[s.fromState].f32, s.hidden
	q.state.A, q.state.C, q.state.Residual = h, g, in
	p.parallel.Run(&q.state)
	for b := range s.batch {
		gate := g[b*4*n : (b+1)*4*n]
		kernel.Sigmoid(gate[:3*n], gate[:3*n])
		kernel.Tanh(gate[3*n:], gate[3*n:])
		c, y := cell[b*n:(b+1)*n], h[b*n:(b+1)*n]
		kernel.Mul(c, c, gate[2*n:3*n])
		kernel.MulAdd(c, gate[:n], gate[3*n:], c)
		kernel.Tanh(y, c)
		kernel.Mul(y, y, gate[n:2*n])
	}
}

// stepGRU moves h on by one step; in is what the input gives the gates z, r and h.
func (s *recurrentStep) stepGRU(p *program, q *recurrentDirection, in, h, tmp []float32) {
	g, n := p.slots[s.fromState].f32, s.hidden
	q.state.A, q.state.C = h, g
	if !s.afterReset {
		q.state.Residual = in
	}
	p.parallel.Run(&q.state)
	width := q.state.LDC
	for b := range s.batch {
		gate, from := g[b*width:(b+1)*width], in[b*3*n:(b+1)*3*n]
		if s.afterReset {
			kernel.Add(gate[:2*n], gate[:2*n], from[:2*n])
		}
		kernel.Sigmoid(gate[:2*n], gate[:2*n])
		t := tmp[b*n : (b+1)*n]
		if s.afterReset {
			kernel.MulAdd(t, gate[n:2*n], gate[2*n:], from[2*n:])
		} else {
			kernel.Mul(t, gate[n:2*n], h[b*n:(b+1)*n])
		}
	}
	if !s.afterReset {
		// The product reads all of tmp, so it goes to the free third of the gates.
		q.last.A, q.last.C, q.last.Residual = tmp, g[2*n*s.batch:], in[2*n:]
		p.parallel.Run(&q.last)
		copy(tmp, q.last.C[:len(tmp)])
	}
	for b := range s.batch {
		z, t, y := g[b*width:b*width+n], tmp[b*n:(b+1)*n], h[b*n:(b+1)*n]
		kernel.Tanh(t, t)
		// (1-z)*t + z*h = t + z*(h-t)
		kernel.Sub(y, y, t)
		kernel.MulAdd(y, z, y, t)
	}
}
