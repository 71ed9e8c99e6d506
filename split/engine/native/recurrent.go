package native

import (
	"math"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// recurrence is what LSTM, GRU and RNN have in common: input X (steps, batch, input), weights W and R per direction.
type recurrence struct {
	steps, batch, in, hidden int
	directions               int
	reverse                  bool // a single direction that runs backwards
	batchFirst               bool // layout 1
	lengths                  []int
	clip                     float64 // 0 for none
	acts                     []func(float64) float64
	w, r, b                  []float64 // b is nil when absent
	x                        []float64
	h0, c0                   []float64 // (directions, batch, hidden), zeros when absent
}

// gateActivation is a recurrent op's activation by its ONNX name.
func gateActivation(name string, alpha, beta float64) func(float64) float64 {
	switch strings.ToLower(name) {
	case "sigmoid":
		return sigmoid
	case "tanh":
		return math.Tanh
	case "relu":
		return func(x float64) float64 { return max(x, 0) }
	case "affine":
		return func(x float64) float64 { return alpha*x + beta }
	case "leakyrelu":
		return func(x float64) float64 {
			if x < 0 {
				return alpha * x
			}
			return x
		}
	case "thresholdedrelu":
		return func(x float64) float64 {
			if x < alpha {
				return 0
			}
			return x
		}
	case "scaledtanh":
		return func(x float64) float64 { return alpha * math.Tanh(beta*x) }
	case "hardsigmoid":
		return func(x float64) float64 { return min(max(alpha*x+beta, 0), 1) }
	case "elu":
		return func(x float64) float64 {
			if x < 0 {
				return alpha * math.Expm1(x)
			}
			return x
		}
	case "softsign":
		return func(x float64) float64 { return x / (1 + math.Abs(x)) }
	case "softplus":
		return func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	}
	return nil
}

// defaultGate are the parameters that ONNX gives an activation when the model does not.
func defaultGate(name string) (alpha, beta float64) {
	switch strings.ToLower(name) {
	case "leakyrelu":
		return .01, 0
	case "hardsigmoid":
		return .2, .5
	}
	return 1, 0
}

// recurrence reads inputs and attributes. gates is the number of gates; acts the default activations of one direction.
func (c *call) recurrence(gates int, defaults []string) (*recurrence, error) {
	x, err := c.tensor(0)
	if err != nil {
		return nil, err
	}
	w, err := c.tensor(1)
	if err != nil {
		return nil, err
	}
	r, err := c.tensor(2)
	if err != nil {
		return nil, err
	}
	dir := c.attrString("direction", "forward")
	q := &recurrence{directions: 1, reverse: dir == "reverse", batchFirst: c.attrInt("layout", 0) == 1, clip: c.attrFloat("clip", 0)}
	if dir == "bidirectional" {
		q.directions = 2
	}
	xs, ws, rs := x.Shape(), w.Shape(), r.Shape()
	if len(xs) != 3 || len(ws) != 3 || len(rs) != 3 {
		return nil, c.errorf("input %v, weights %v and %v must have rank 3", xs, ws, rs)
	}
	q.steps, q.batch, q.in, q.hidden = xs[0], xs[1], xs[2], rs[2]
	q.x = floats(x)
	if q.batchFirst {
		q.steps, q.batch = q.batch, q.steps
		q.x = swapSteps(q.x, q.batch, q.steps, q.in)
	}
	if ws[0] != q.directions || rs[0] != q.directions || ws[1] != gates*q.hidden || rs[1] != ws[1] || ws[2] != q.in {
		return nil, c.errorf("weights %v and %v do not fit input %v", ws, rs, xs)
	}
	q.w, q.r = floats(w), floats(r)
	if b := c.maybe(3); b != nil {
		if q.b = floats(b); len(q.b) != q.directions*2*gates*q.hidden {
			return nil, c.errorf("bias %v does not fit", b.Shape())
		}
	}
	if q.lengths, err = c.intsOr(4, slices.Repeat([]int{q.steps}, q.batch)); err != nil {
		return nil, err
	}
	if len(q.lengths) != q.batch || q.batch > 0 && (slices.Max(q.lengths) > q.steps || slices.Min(q.lengths) < 0) {
		return nil, c.errorf("sequence lengths %v do not fit %d steps and batch %d", q.lengths, q.steps, q.batch)
	}
	if q.h0, err = q.state(c, 5); err != nil {
		return nil, err
	}
	names := attr[[]string](c.op, "activations", nil)
	if names == nil {
		names = slices.Repeat(defaults, q.directions)
	}
	alphas, betas := attr[[]float32](c.op, "activation_alpha", nil), attr[[]float32](c.op, "activation_beta", nil)
	for i, name := range names {
		a, b := defaultGate(name)
		if i < len(alphas) {
			a = float64(alphas[i])
		}
		if i < len(betas) {
			b = float64(betas[i])
		}
		f := gateActivation(name, a, b)
		if f == nil {
			return nil, c.errorf("activation %q is unknown", name)
		}
		q.acts = append(q.acts, f)
	}
	if len(q.acts) != len(defaults)*q.directions {
		return nil, c.errorf("has %d activations, expected %d", len(q.acts), len(defaults)*q.directions)
	}
	return q, nil
}

// state is an initial state, input i, in the order (directions, batch, hidden).
func (q *recurrence) state(c *call, i int) ([]float64, error) {
	n := q.directions * q.batch * q.hidden
	t := c.maybe(i)
	if t == nil {
		return make([]float64, n), nil
	}
	v := floats(t)
	if len(v) != n {
		return nil, c.errorf("initial state %v does not fit %d directions, batch %d, hidden size %d", t.Shape(), q.directions, q.batch, q.hidden)
	}
	if q.batchFirst {
		v = swapSteps(v, q.batch, q.directions, q.hidden)
	}
	return v, nil
}

// swapSteps exchanges the first two of three dimensions.
func swapSteps(v []float64, a, b, n int) []float64 {
	r := make([]float64, len(v))
	for i := range a {
		for j := range b {
			copy(r[(j*a+i)*n:(j*a+i+1)*n], v[(i*b+j)*n:])
		}
	}
	return r
}

func (q *recurrence) limit(v float64) float64 {
	if q.clip > 0 {
		return min(max(v, -q.clip), q.clip)
	}
	return v
}

// dot adds Σ a[i]·b[i] to sum.
func dot(sum float64, a, b []float64) float64 {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// cell computes one step of one batch entry: d is the direction, x the input, h (and for LSTM s) the state, changed in place.
type cell func(d int, x, h, s []float64)

// run walks all directions, batch entries and steps, and hands over the outputs: Y, Y_h and, with a cell state, Y_c.
func (q *recurrence) run(c *call, f cell) error {
	x0, err := c.tensor(0)
	if err != nil {
		return err
	}
	n := q.hidden
	y := make([]float64, q.steps*q.directions*q.batch*n)
	h, s := slices.Clone(q.h0), slices.Clone(q.c0)
	if s == nil {
		s = make([]float64, len(h))
	}
	for d := range q.directions {
		backwards := q.reverse || d == 1
		for b := range q.batch {
			at := (d*q.batch + b) * n
			for k := range q.lengths[b] {
				t := k
				if backwards {
					t = q.lengths[b] - 1 - k
				}
				f(d, q.x[(t*q.batch+b)*q.in:(t*q.batch+b+1)*q.in], h[at:at+n], s[at:at+n])
				copy(y[((t*q.directions+d)*q.batch+b)*n:], h[at:at+n])
			}
		}
	}
	put := func(i int, v []float64, shape tensor.Shape) error {
		if !c.want(i) {
			return nil
		}
		t, err := c.output(i, x0.DType(), shape)
		if err != nil {
			return err
		}
		setFloats(t, v)
		return nil
	}
	ys, hs := tensor.Shape{q.steps, q.directions, q.batch, n}, tensor.Shape{q.directions, q.batch, n}
	if q.batchFirst { // (batch, steps, directions, hidden) and (batch, directions, hidden)
		ys, hs = tensor.Shape{q.batch, q.steps, q.directions, n}, tensor.Shape{q.batch, q.directions, n}
		y = swapSteps(y, q.steps*q.directions, q.batch, n)
		h, s = swapSteps(h, q.directions, q.batch, n), swapSteps(s, q.directions, q.batch, n)
	}
	if err := put(0, y, ys); err != nil {
		return err
	}
	if err := put(1, h, hs); err != nil {
		return err
	}
	if q.c0 == nil {
		return nil
	}
	return put(2, s, hs)
}

// gate is W·x + Wb + R·h + Rb of row row of direction d, where a direction has rows rows.
func (q *recurrence) gate(d, row, rows int, x, h []float64) float64 {
	at := d*rows + row
	sum := dot(0, x, q.w[at*q.in:])
	sum = dot(sum, h, q.r[at*q.hidden:])
	if q.b != nil {
		sum += q.b[2*d*rows+row] + q.b[(2*d+1)*rows+row]
	}
	return sum
}

func evalRNN(c *call) error {
	q, err := c.recurrence(1, []string{"Tanh"})
	if err != nil {
		return err
	}
	next := make([]float64, q.hidden)
	return q.run(c, func(d int, x, h, _ []float64) {
		for j := range next {
			next[j] = q.acts[d](q.limit(q.gate(d, j, q.hidden, x, h)))
		}
		copy(h, next)
	})
}

// evalGRU: gates z, r, h (Cho et al., 2014); linear_before_reset applies the reset gate after the recurrent product.
func evalGRU(c *call) error {
	q, err := c.recurrence(3, []string{"Sigmoid", "Tanh"})
	if err != nil {
		return err
	}
	n := q.hidden
	after := c.attrInt("linear_before_reset", 0) == 1
	z, r, next, reset := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	return q.run(c, func(d int, x, h, _ []float64) {
		for j := range n {
			z[j] = q.acts[2*d](q.limit(q.gate(d, j, 3*n, x, h)))
			r[j] = q.acts[2*d](q.limit(q.gate(d, n+j, 3*n, x, h)))
			reset[j] = r[j] * h[j]
		}
		for j := range n {
			row := d*3*n + 2*n + j
			var wb, rb float64
			if q.b != nil {
				wb, rb = q.b[d*6*n+2*n+j], q.b[d*6*n+5*n+j]
			}
			sum := dot(wb, x, q.w[row*q.in:])
			if after {
				sum += r[j] * dot(rb, h, q.r[row*n:])
			} else {
				sum = dot(sum+rb, reset, q.r[row*n:])
			}
			next[j] = q.acts[2*d+1](q.limit(sum))
		}
		for j := range n {
			h[j] = (1-z[j])*next[j] + z[j]*h[j]
		}
	})
}

// evalLSTM: gates i, o, f, c, with optional peepholes (Gers and Schmidhuber, 2000).
func evalLSTM(c *call) error {
	q, err := c.recurrence(4, []string{"Sigmoid", "Tanh", "Tanh"})
	if err != nil {
		return err
	}
	if q.c0, err = q.state(c, 6); err != nil {
		return err
	}
	n := q.hidden
	peep := make([]float64, q.directions*3*n)
	if t := c.maybe(7); t != nil {
		if t.Len() != len(peep) {
			return c.errorf("peepholes %v do not fit", t.Shape())
		}
		peep = floats(t)
	}
	coupled := c.attrInt("input_forget", 0) == 1
	next := make([]float64, n)
	return q.run(c, func(d int, x, h, s []float64) {
		p := peep[d*3*n:]
		f, g, e := q.acts[3*d], q.acts[3*d+1], q.acts[3*d+2]
		for j := range n {
			in := f(q.limit(q.gate(d, j, 4*n, x, h) + p[j]*s[j]))
			forget := f(q.limit(q.gate(d, 2*n+j, 4*n, x, h) + p[2*n+j]*s[j]))
			if coupled {
				forget = 1 - in
			}
			out := q.gate(d, n+j, 4*n, x, h)
			s[j] = forget*s[j] + in*g(q.limit(q.gate(d, 3*n+j, 4*n, x, h)))
			next[j] = f(q.limit(out+p[n+j]*s[j])) * e(s[j])
		}
		copy(h, next)
	})
}
