package split

import (
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func productRules() []opRule {
	return []opRule{
		{"MatMul", 2, 2, 1, inferMatMul},
		{"MatMulInteger", 2, 4, 1, func(c *opContext) error { return inferProduct(c, 0, 1, tensor.Int32) }},
		{"QLinearMatMul", 8, 8, 1, func(c *opContext) error { return inferProduct(c, 0, 3, c.dtype(7)) }},
		{"Gemm", 2, 3, 1, inferGemm},
		{"Einsum", 1, -1, 1, inferEinsum},
		{"Det", 1, 1, 1, inferDet},
		{"Attention", 3, 7, 4, inferAttention},
		{"RotaryEmbedding", 3, 4, 1, inferSameAsInput},
	}
}

func inferMatMul(c *opContext) error {
	dt, err := c.sameDType(0, 2)
	if err != nil {
		return err
	}
	return inferProduct(c, 0, 1, dt)
}

// inferProduct is numpy's matmul of inputs a and b.
func inferProduct(c *opContext, a, b int, dt tensor.DType) error {
	d, err := product(c.dims(a), c.dims(b))
	c.out(0, dt, d)
	return err
}

// product is the shape of numpy's matmul.
func product(a, b dims) (dims, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	if len(a) == 0 || len(b) == 0 {
		return nil, invalid("a matrix product of a scalar")
	}
	row, column := len(a) == 1, len(b) == 1
	x, y := a, b
	if row {
		x = dims{size(1), a[0]}
	}
	if column {
		y = dims{b[0], size(1)}
	}
	if _, ok := same(x[len(x)-1], y[len(y)-2]); !ok {
		return nil, invalid("a matrix product of %s and %s: their inner sizes differ", a.shape(), b.shape())
	}
	out, err := broadcast(x[:len(x)-2], y[:len(y)-2])
	if err != nil {
		return nil, invalid("a matrix product of %s and %s: their batches do not broadcast", a.shape(), b.shape())
	}
	if out == nil {
		out = dims{}
	}
	if !row {
		out = append(out, x[len(x)-2])
	}
	if !column {
		out = append(out, y[len(y)-1])
	}
	return out, nil
}

func inferGemm(c *opContext) error {
	dt, err := c.sameDType(0, 3)
	if err != nil {
		return err
	}
	a, b := c.dims(0), c.dims(1)
	if a != nil && len(a) != 2 || b != nil && len(b) != 2 {
		return invalid("inputs of shapes %s are not two matrices", shapeList([]dims{a, b}))
	}
	if a == nil {
		a = unknownDims(2)
	}
	if b == nil {
		b = unknownDims(2)
	}
	if c.o.Int("transA", 0) != 0 {
		a = dims{a[1], a[0]}
	}
	if c.o.Int("transB", 0) != 0 {
		b = dims{b[1], b[0]}
	}
	out, err := product(a, b)
	if err != nil {
		return err
	}
	if bias := c.dims(2); bias != nil {
		if d, err := broadcast(out, bias); err != nil || len(d) != 2 {
			return invalid("its third input %s does not stretch to %s", bias.shape(), out.shape())
		}
	}
	c.out(0, dt, out)
	return nil
}

// inferEinsum binds each letter of the equation to a size.
func inferEinsum(c *opContext) error {
	dt, err := c.sameDType(0, len(c.o.Inputs))
	if err != nil {
		return err
	}
	equation := strings.ReplaceAll(c.o.Str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(c.o.Inputs) {
		return invalid("equation %q has %d terms for %d inputs", equation, len(terms), len(c.o.Inputs))
	}
	bound := map[byte]dim{}
	count := map[byte]int{}
	var ellipsis dims
	hasEllipsis := false
	for i, term := range terms {
		x := c.dims(i)
		before, after, dots := strings.Cut(term, "...")
		if x == nil {
			c.out(0, dt, nil)
			return nil
		}
		n := len(before) + len(after)
		if n > len(x) || !dots && n != len(x) {
			return invalid("term %q of equation %q is not for an input of rank %d", term, equation, len(x))
		}
		if dots {
			hasEllipsis = true
			middle := x[len(before) : len(x)-len(after)]
			if ellipsis == nil {
				ellipsis = slices.Clone(middle)
			} else if ellipsis, err = broadcast(ellipsis, middle); err != nil {
				return err
			}
			if ellipsis == nil {
				ellipsis = dims{}
			}
		}
		for j := range n {
			var letter byte
			var d dim
			if j < len(before) {
				letter, d = before[j], x[j]
			} else {
				letter, d = after[j-len(before)], x[len(x)-n+j]
			}
			count[letter]++
			old, seen := bound[letter]
			if !seen || old.n == 1 {
				bound[letter] = d
				continue
			}
			if d.n == 1 {
				continue
			}
			merged, ok := same(old, d)
			if !ok {
				return invalid("equation %q gives %q the sizes %d and %d", equation, letter, old.n, d.n)
			}
			bound[letter] = merged
		}
	}
	if !explicit {
		if hasEllipsis {
			right = "..."
		}
		for _, letter := range sortedKeys(count) {
			if count[letter] == 1 {
				right += string(letter)
			}
		}
	}
	out := dims{}
	for i := 0; i < len(right); i++ {
		if strings.HasPrefix(right[i:], "...") {
			out = append(out, ellipsis...)
			i += 2
			continue
		}
		d, ok := bound[right[i]]
		if !ok {
			return invalid("equation %q: %q is on the right only", equation, right[i])
		}
		out = append(out, d)
	}
	c.out(0, dt, out)
	return nil
}

func inferDet(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if len(x) < 2 {
		return invalid("input %s is no matrix", x.shape())
	}
	c.out(0, c.dtype(0), x[:len(x)-2])
	return nil
}

// inferAttention is ONNX's Attention of opset 23: Q, K and V are B x heads x S x size, or B x S x heads*size.
func inferAttention(c *opContext) error {
	q, k, v := c.dims(0), c.dims(1), c.dims(2)
	past := c.dims(4)
	if q == nil || k == nil || v == nil {
		for i := range 4 {
			c.out(i, c.dtype(0), nil)
		}
		return nil
	}
	if len(q) != len(k) || len(q) != len(v) || len(q) != 3 && len(q) != 4 {
		return invalid("Q, K and V of shapes %s are not all of rank 3 or all of rank 4", shapeList([]dims{q, k, v}))
	}
	heads := func(d dims, attr string) dims {
		if len(d) == 4 {
			return d
		}
		n := c.o.Int(attr, 0)
		out := dims{d[0], unknownDim, d[1], unknownDim}
		if n > 0 && n < MaxElements {
			out[1] = size(int(n))
			if d[2].known() {
				out[3] = size(d[2].n / int(n))
			}
		}
		return out
	}
	q4, k4, v4 := heads(q, "q_num_heads"), heads(k, "kv_num_heads"), heads(v, "kv_num_heads")
	total := k4[2]
	if c.has(4) {
		total = unknownDim
		if len(past) == 4 && past[2].known() && k4[2].known() {
			total = size(past[2].n + k4[2].n)
		}
	}
	out := dims{q4[0], q4[1], q4[2], v4[3]}
	if len(q) == 3 {
		out = dims{q4[0], q4[2], dims{q4[1], v4[3]}.product()}
	}
	c.out(0, c.dtype(0), out)
	c.out(1, c.dtype(1), dims{k4[0], k4[1], total, k4[3]})
	c.out(2, c.dtype(2), dims{v4[0], v4[1], total, v4[3]})
	c.out(3, c.dtype(0), dims{q4[0], q4[1], q4[2], total})
	return nil
}
