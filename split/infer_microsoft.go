package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func microsoftRules() []opRule {
	return []opRule{
		{"Gelu QuickGelu FastGelu BiasGelu Inverse", 1, 2, 1, inferSameAsInput},
		{"BiasSplitGelu", 2, 2, 1, inferBiasSplitGelu},
		{"FusedConv", 2, 4, 1, func(c *opContext) error { return inferConv(c, 1, c.dtype(0)) }},
		{"FusedGemm", 2, 3, 1, inferGemm},
		{"FusedMatMul", 2, 2, 1, inferFusedMatMul},
		{"MatMulNBits", 3, 6, 1, inferMatMulNBits},
		{"MatMulInteger16", 2, 2, 1, func(c *opContext) error { return inferProduct(c, 0, 1, tensor.Int32) }},
		{"MatMulIntegerToFloat", 4, 7, 1, func(c *opContext) error { return inferProduct(c, 0, 1, c.dtype(2)) }},
		{"DynamicQuantizeMatMul", 3, 5, 1, func(c *opContext) error { return inferProduct(c, 0, 1, c.dtype(0)) }},
		{"SimplifiedLayerNormalization", 2, 2, 2, inferSimplifiedLayerNorm},
		{"SkipLayerNormalization", 3, 5, 4, inferSkipLayerNorm},
		{"SkipSimplifiedLayerNormalization", 3, 4, 4, inferSkipLayerNorm},
		{"EmbedLayerNormalization", 7, 9, 3, inferEmbedLayerNorm},
		{"RotaryEmbedding", 4, 4, 1, inferSameAsInput},
		{"MultiHeadAttention", 1, 10, 4, inferMultiHeadAttention},
		{"GroupQueryAttention", 7, 14, 4, inferGroupQueryAttention},
		{"Attention", 2, 7, 2, inferPackedAttention},
		{"QAttention", 5, 9, 2, inferPackedAttention},
		{"QuantizeLinear", 2, 3, 1, inferQuantizeLinear},
		{"DequantizeLinear", 2, 3, 1, inferDequantizeLinear},
		{"QLinearAdd QLinearMul", 7, 8, 1, func(c *opContext) error {
			d, err := broadcast(c.dims(0), c.dims(3))
			c.out(0, c.dtype(0), d)
			return err
		}},
		{"QLinearSigmoid QLinearLeakyRelu QLinearSoftmax", 4, 5, 1, inferSameAsInput},
		{"QLinearAveragePool", 4, 5, 1, inferPool},
		{"QLinearGlobalAveragePool", 4, 5, 1, inferQLinearGlobalPool},
		{"QLinearConcat", 5, -1, 1, inferQLinearConcat},
		{"QLinearWhere", 9, 9, 1, func(c *opContext) error {
			d, err := broadcast(c.dims(0), c.dims(1), c.dims(4))
			c.out(0, c.dtype(1), d)
			return err
		}},
		{"QGemm", 6, 9, 1, inferQGemm},
		{"Pad", 2, 4, 1, inferPad},
		{"Trilu", 1, 2, 1, inferSameAsInput},
		{"Unique", 1, 1, 3, inferUnique},
	}
}

func inferBiasSplitGelu(c *opContext) error {
	x := slices.Clone(c.dims(0))
	if n := len(x); n > 0 && x[n-1].known() {
		x[n-1] = size(x[n-1].n / 2)
	}
	c.out(0, c.dtype(0), x)
	return nil
}

// swapLast exchanges the last two sizes when the attribute is set.
func swapLast(d dims, on bool) dims {
	if n := len(d); on && n >= 2 {
		d = slices.Clone(d)
		d[n-1], d[n-2] = d[n-2], d[n-1]
	}
	return d
}

func inferFusedMatMul(c *opContext) error {
	dt, err := c.sameDType(0, 2)
	if err != nil {
		return err
	}
	if c.o.Int("transBatchA", 0) != 0 || c.o.Int("transBatchB", 0) != 0 {
		c.out(0, dt, unknownDims(len(c.dims(0))-boolToInt(c.dims(0) == nil)))
		return nil
	}
	d, err := product(swapLast(c.dims(0), c.o.Int("transA", 0) != 0), swapLast(c.dims(1), c.o.Int("transB", 0) != 0))
	c.out(0, dt, d)
	return err
}

func inferMatMulNBits(c *opContext) error {
	x := slices.Clone(c.dims(0))
	k, n := c.o.Int("K", 0), c.o.Int("N", 0)
	if k < 1 || n < 1 || n > MaxElements {
		return invalid("K %d or N %d is out of range", k, n)
	}
	if len(x) > 0 {
		if d := x[len(x)-1]; d.known() && int64(d.n) != k {
			return invalid("input %s has %d columns, but K is %d", x.shape(), d.n, k)
		}
		x[len(x)-1] = size(int(n))
	}
	c.out(0, c.dtype(0), x)
	return nil
}

func inferSkipLayerNorm(c *opContext) error {
	x := c.dims(0)
	c.out(0, c.dtype(0), x)
	c.out(1, tensor.Float32, unknownDims(len(x)-boolToInt(x == nil)))
	c.out(2, tensor.Float32, unknownDims(len(x)-boolToInt(x == nil)))
	c.out(3, c.dtype(0), x)
	return nil
}

func inferEmbedLayerNorm(c *opContext) error {
	ids, table := c.dims(0), c.dims(2)
	out := unknownDims(3)
	if len(ids) == 2 {
		out[0], out[1] = ids[0], ids[1]
	}
	if len(table) == 2 {
		out[2] = table[1]
	}
	c.out(0, c.dtype(2), out)
	c.out(1, tensor.Int32, dims{out[0]})
	c.out(2, c.dtype(2), out)
	return nil
}

// inferMultiHeadAttention: the query is B x S x hidden, or packed B x S x heads x 3 x size; keys B x L x hidden, or a cache's B x heads x L x size.
func inferMultiHeadAttention(c *opContext) error {
	q, k, v := c.dims(0), c.dims(1), c.dims(2)
	heads := c.o.Int("num_heads", 0)
	if heads < 1 || heads > MaxElements {
		return invalid("num_heads is %d", heads)
	}
	if q == nil {
		c.out(0, c.dtype(0), unknownDims(3))
		return nil
	}
	if len(q) == 5 {
		c.out(0, c.dtype(0), dims{q[0], q[1], dims{q[2], q[4]}.product()})
		return nil
	}
	if len(q) != 3 {
		return invalid("query %s is not of rank 3 or 5", q.shape())
	}
	out := dims{q[0], q[1], q[2]}
	switch {
	case len(v) == 3:
		out[2] = v[2]
	case len(v) == 4:
		out[2] = dims{v[1], v[3]}.product()
	}
	c.out(0, c.dtype(0), out)
	total := unknownDim
	if len(k) == 3 {
		total = k[1]
	} else if len(k) == 4 {
		total = k[2]
	}
	if c.has(6) {
		past := c.dims(6)
		if len(past) == 4 && past[2].known() && total.known() && len(k) == 3 {
			total = size(past[2].n + total.n)
		} else {
			total = unknownDim
		}
	}
	perHead := func(d dim) dim {
		if d.known() {
			return size(d.n / int(heads))
		}
		return unknownDim
	}
	c.out(1, c.dtype(0), dims{q[0], size(int(heads)), total, perHead(q[2])})
	c.out(2, c.dtype(0), dims{q[0], size(int(heads)), total, perHead(out[2])})
	c.out(3, c.dtype(0), dims{q[0], size(int(heads)), q[1], total})
	return nil
}

// inferGroupQueryAttention: the query is B x S x heads*size, packed with keys and values when those are absent; the caches
// are B x kv_heads x length x size.
func inferGroupQueryAttention(c *opContext) error {
	q, past := c.dims(0), c.dims(3)
	heads, kv := c.o.Int("num_heads", 0), c.o.Int("kv_num_heads", 0)
	if heads < 1 || kv < 1 || max(heads, kv) > MaxElements {
		return invalid("num_heads is %d, kv_num_heads %d", heads, kv)
	}
	if len(q) != 3 {
		if q != nil {
			return invalid("query %s is not of rank 3", q.shape())
		}
		q = unknownDims(3)
	}
	hidden, perHead := q[2], unknownDim
	if q[2].known() {
		total := heads
		if !c.has(1) {
			total += 2 * kv
		}
		perHead = size(int(int64(q[2].n) / total))
		hidden = size(perHead.n * int(heads))
	}
	c.out(0, c.dtype(0), dims{q[0], q[1], hidden})
	// The cache grows to the total length, an input: it keeps the past's length when that is the larger.
	total := unknownDim
	if n := c.elems(6); len(n) == 1 && n[0].ok {
		total = n[0].dim()
		if len(past) == 4 && past[2].known() && total.known() {
			total = size(max(past[2].n, total.n))
		} else if len(past) == 4 {
			total = unknownDim
		}
	} else if len(past) == 4 && past[2].known() && q[1].known() && past[2].n == 0 {
		total = q[1]
	}
	present := dims{q[0], size(int(kv)), total, perHead}
	c.out(1, c.dtype(0), present)
	c.out(2, c.dtype(0), present)
	return nil
}

// inferPackedAttention: the input is B x S x in, the weights in x 3*hidden.
func inferPackedAttention(c *opContext) error {
	x, w := c.dims(0), c.dims(1)
	out := unknownDims(3)
	if len(x) == 3 {
		out[0], out[1] = x[0], x[1]
	}
	if len(w) == 2 && w[1].known() {
		out[2] = size(w[1].n / 3)
	}
	if s := c.o.Ints("qkv_hidden_sizes"); len(s) == 3 {
		out[2] = elem{v: s[2], ok: true}.dim()
	}
	dt := c.dtype(0)
	if c.o.Type == "QAttention" {
		dt = c.dtype(3)
	}
	c.out(0, dt, out)
	c.out(1, dt, unknownDims(5))
	return nil
}

func inferQLinearGlobalPool(c *opContext) error {
	if c.o.Int("channels_last", 0) == 0 {
		return inferGlobalPool(c)
	}
	out := slices.Clone(c.dims(0))
	for i := 1; i < len(out)-1; i++ {
		out[i] = size(1)
	}
	c.out(0, c.dtype(0), out)
	return nil
}

// inferQLinearConcat: after the output's scale and zero point come triples of tensor, scale and zero point.
func inferQLinearConcat(c *opContext) error {
	var out dims
	for i := 2; i < len(c.o.Inputs); i += 3 {
		x := c.dims(i)
		if x == nil || out != nil && len(out) != len(x) {
			c.out(0, c.dtype(1), nil)
			return nil
		}
		axis, err := axisOf(c.o.Int("axis", 1), len(x))
		if err != nil {
			return err
		}
		if out == nil {
			out = slices.Clone(x)
			continue
		}
		if out[axis].known() && x[axis].known() {
			out[axis].n += x[axis].n
		} else {
			out[axis] = unknownDim
		}
	}
	c.out(0, c.dtype(1), out)
	return nil
}

func inferQGemm(c *opContext) error {
	a := swapLast(c.dims(0), c.o.Int("transA", 0) != 0)
	d, err := product(a, swapLast(c.dims(3), c.o.Int("transB", 0) != 0))
	dt := tensor.Float32
	if c.has(8) {
		dt = c.dtype(8)
	}
	c.out(0, dt, d)
	return err
}
