package split

import "github.com/cleave-mesh/cleave/internal/tensor"

func textRules() []opRule {
	return []opRule{
		{"StringNormalizer", 1, 1, 1, inferStringNormalizer},
		{"StringConcat", 2, 2, 1, inferBinary},
		{"StringSplit", 1, 1, 2, inferStringSplit},
		{"RegexFullMatch", 1, 1, 1, func(c *opContext) error { c.out(0, tensor.Bool, c.dims(0)); return nil }},
		{"TfIdfVectorizer", 1, 1, 1, inferTfIdf},
	}
}

// inferStringNormalizer may drop stop words, so the last size is not known.
func inferStringNormalizer(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, tensor.String, nil)
		return nil
	}
	if len(x) == 0 {
		return invalid("its input is a scalar")
	}
	c.out(0, tensor.String, append(append(dims{}, x[:len(x)-1]...), unknownDim))
	return nil
}

func inferStringSplit(c *opContext) error {
	x := c.dims(0)
	var y dims
	if x != nil {
		y = append(append(dims{}, x...), unknownDim)
	}
	c.out(0, tensor.String, y)
	c.out(1, tensor.Int64, x)
	return nil
}

func inferTfIdf(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, tensor.Float32, nil)
		return nil
	}
	if len(x) != 1 && len(x) != 2 {
		return invalid("input %s is not of rank 1 or 2", x.shape())
	}
	n := int64(0)
	for _, i := range c.o.Ints("ngram_indexes") {
		n = max(n, i+1)
	}
	c.out(0, tensor.Float32, append(append(dims{}, x[:len(x)-1]...), elem{v: n, ok: true}.dim()))
	return nil
}
