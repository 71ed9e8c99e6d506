package split

import "github.com/cleave-mesh/cleave/internal/tensor"

func recurrentRules() []opRule {
	return []opRule{
		{"RNN GRU", 3, 6, 2, func(c *opContext) error { return inferRecurrent(c) }},
		{"LSTM", 3, 8, 3, func(c *opContext) error { return inferRecurrent(c) }},
	}
}

// inferRecurrent: X is T x B x I, R directions x gates*hidden x hidden; Y is T x directions x B x hidden, the states
// directions x B x hidden. With layout 1 the batch stands in front.
func inferRecurrent(c *opContext) error {
	x, r := c.dims(0), c.dims(2)
	if x == nil {
		x = unknownDims(3)
	}
	if r == nil {
		r = unknownDims(3)
	}
	if len(x) != 3 || len(r) != 3 {
		return invalid("input %s and recurrence weights %s are not both of rank 3", x.shape(), r.shape())
	}
	directions := size(1)
	if c.o.Str("direction", "forward") == "bidirectional" {
		directions = size(2)
	}
	if d, ok := same(directions, r[0]); !ok {
		return invalid("it has %d directions, but weights for %d", directions.n, r[0].n)
	} else {
		directions = d
	}
	hidden := r[2]
	if n := c.o.Int("hidden_size", 0); n > 0 && n < MaxElements {
		d, ok := same(size(int(n)), hidden)
		if !ok {
			return invalid("hidden_size is %d, but the weights are for %d", n, hidden.n)
		}
		hidden = d
	}
	if w := c.dims(1); len(w) == 3 {
		if _, ok := same(w[2], x[2]); !ok {
			return invalid("input %s has %d features, but weights %s are for %d", x.shape(), x[2].n, w.shape(), w[2].n)
		}
	}
	var y, state dims
	if c.o.Int("layout", 0) != 0 {
		y, state = dims{x[0], x[1], directions, hidden}, dims{x[0], directions, hidden}
	} else {
		y, state = dims{x[0], directions, x[1], hidden}, dims{directions, x[1], hidden}
	}
	dt := c.dtype(0)
	if dt == tensor.Invalid {
		dt = c.dtype(1)
	}
	c.out(0, dt, y)
	c.out(1, dt, state)
	c.out(2, dt, state)
	return nil
}
