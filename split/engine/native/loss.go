package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalLoss is NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss over (batch, class, ...) and labels (batch, ...).
func evalLoss(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	labels, err := c.ints(1)
	if err != nil {
		return err
	}
	lt, _ := c.tensor(1)
	s := x.Shape()
	if len(s) < 2 {
		return c.errorf("needs batch and class dimensions, not %v", s)
	}
	outer, classes, inner := blocks(s, 1)
	if len(labels) != outer*inner {
		return c.errorf("labels %v do not fit %v", lt.Shape(), s)
	}
	var weights []float64
	if t := c.maybe(2); t != nil {
		if weights = floats(t); len(weights) != classes {
			return c.errorf("weights %v do not fit %d classes", t.Shape(), classes)
		}
	}
	v := floats(x)
	if c.op.Type == "SoftmaxCrossEntropyLoss" {
		for o := range outer {
			for i := range inner {
				softmaxRow("LogSoftmax", v[o*classes*inner+i:], classes, inner)
			}
		}
		if c.want(1) {
			logs, err := c.output(1, x.DType(), s)
			if err != nil {
				return err
			}
			setFloats(logs, v)
		}
	}
	ignore, hasIgnore := c.op.Attrs["ignore_index"].(int64)
	loss, sum, total := make([]float64, len(labels)), 0.0, 0.0
	for k, l := range labels {
		if hasIgnore && l == int(ignore) {
			continue
		}
		if l < 0 || l >= classes {
			return c.errorf("label %d is outside of %d classes", l, classes)
		}
		w := 1.0
		if weights != nil {
			w = weights[l]
		}
		loss[k] = -v[(k/inner*classes+l)*inner+k%inner] * w
		sum += loss[k]
		total += w
	}
	switch c.attrString("reduction", "mean") {
	case "none":
		out, err := c.output(0, x.DType(), lt.Shape())
		if err != nil {
			return err
		}
		setFloats(out, loss)
		return nil
	case "mean":
		sum /= total
	}
	out, err := c.output(0, x.DType(), tensor.Shape{})
	if err != nil {
		return err
	}
	setFloats(out, []float64{sum})
	return nil
}

// optimizer walks the tensors of a training optimiser: inputs are rate, step, then per tensor its value, its gradient and
// its states, each kind listed together. f updates one element in place.
func (c *call) optimizer(states int, f func(rate, step float64, e []float64)) error {
	rate, err := c.floatOr(0, 0)
	if err != nil {
		return err
	}
	step, err := c.floatOr(1, 0)
	if err != nil {
		return err
	}
	kinds := 2 + states
	n := (len(c.in) - 2) / kinds
	if n < 1 || (len(c.in)-2)%kinds != 0 {
		return c.errorf("%d inputs do not fit %d states per tensor", len(c.in), states)
	}
	for i := range n {
		v := make([][]float64, kinds)
		for k := range v {
			t, err := c.tensor(2 + k*n + i)
			if err != nil {
				return err
			}
			v[k] = floats(t)
			if len(v[k]) != len(v[0]) {
				return c.errorf("input %d does not fit tensor %d", 2+k*n+i, i)
			}
		}
		e := make([]float64, kinds)
		for j := range v[0] {
			for k := range v {
				e[k] = v[k][j]
			}
			f(rate, step, e)
			for k := range v {
				v[k][j] = e[k]
			}
		}
		for o := range 1 + states { // the value and its states, not the gradient
			k := o
			if o > 0 {
				k++
			}
			t, _ := c.tensor(2 + k*n + i)
			out, err := c.output(o*n+i, t.DType(), t.Shape())
			if err != nil {
				return err
			}
			setFloats(out, v[k])
		}
	}
	return nil
}

// evalAdagrad: e is value, gradient, sum of squares (Duchi et al., 2011).
func evalAdagrad(c *call) error {
	eps, norm, decay := c.attrFloat("epsilon", 1e-6), c.attrFloat("norm_coefficient", 0), c.attrFloat("decay_factor", 0)
	return c.optimizer(1, func(rate, step float64, e []float64) {
		g := e[1] + norm*e[0]
		e[2] += g * g
		e[0] -= rate / (1 + step*decay) * g / (math.Sqrt(e[2]) + eps)
	})
}

// evalAdam: e is value, gradient, first and second moment (Kingma and Ba, 2015).
func evalAdam(c *call) error {
	a, b, eps := c.attrFloat("alpha", .9), c.attrFloat("beta", .999), c.attrFloat("epsilon", 1e-6)
	norm, post := c.attrFloat("norm_coefficient", 0), c.attrFloat("norm_coefficient_post", 0)
	return c.optimizer(2, func(rate, step float64, e []float64) {
		g := e[1] + norm*e[0]
		e[2] = a*e[2] + (1-a)*g
		e[3] = b*e[3] + (1-b)*g*g
		if step > 0 {
			rate *= math.Sqrt(1-math.Pow(b, step)) / (1 - math.Pow(a, step))
		}
		e[0] = (1 - post) * (e[0] - rate*e[2]/(math.Sqrt(e[3])+eps))
	})
}

// evalMomentum: e is value, gradient, velocity; standard or Nesterov's.
func evalMomentum(c *call) error {
	a, b, norm := c.attrFloat("alpha", 0), c.attrFloat("beta", 0), c.attrFloat("norm_coefficient", 0)
	nesterov := c.attrString("mode", "standard") == "nesterov"
	return c.optimizer(1, func(rate, step float64, e []float64) {
		g := e[1] + norm*e[0]
		f := b
		if step <= 0 {
			f = 1
		}
		e[2] = a*e[2] + f*g
		if nesterov {
			g += a * e[2]
		} else {
			g = e[2]
		}
		e[0] -= rate * g
	})
}
