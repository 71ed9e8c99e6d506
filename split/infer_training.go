package split

// trainingRules are those of the optimisers of ai.onnx.preview.training: each takes two scalars, then the tensors, their gradients and
// their states, and gives the new tensors and states, which are shaped like the old.
func trainingRules() []opRule {
	return []opRule{
		{"Adagrad", 3, -1, -1, func(c *opContext) error { return inferOptimizer(c, 1) }},
		{"Momentum", 3, -1, -1, func(c *opContext) error { return inferOptimizer(c, 1) }},
		{"Adam", 3, -1, -1, func(c *opContext) error { return inferOptimizer(c, 2) }},
		{"Gradient", 1, -1, -1, func(*opContext) error { return nil }},
	}
}

// inferOptimizer: states is the number of states a tensor has.
func inferOptimizer(c *opContext, states int) error {
	n := (len(c.o.Inputs) - 2) / (2 + states)
	if n*(2+states) != len(c.o.Inputs)-2 {
		return invalid("%d inputs are not %d for each tensor", len(c.o.Inputs)-2, 2+states)
	}
	for i := range c.o.Outputs {
		from := 2 + i
		if i >= n {
			from = 2 + n + i
		}
		c.out(i, c.dtype(from), c.dims(from))
	}
	return nil
}
