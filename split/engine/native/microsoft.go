package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalMatMulNBits multiplies by weights of 2, 4 or 8 bits in blocks: inputs A, B (N, blocks, bytes), scales, zero points, group
// indices and bias.
func evalMatMulNBits(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	b, err := c.tensor(1)
	if err != nil {
		return err
	}
	st, err := c.tensor(2)
	if err != nil {
		return err
	}
	k, n, bits, block := c.attrInt("K", 0), c.attrInt("N", 0), c.attrInt("bits", 4), c.attrInt("block_size", 0)
	s := a.Shape()
	if k < 1 || n < 1 || block < 1 || bits != 2 && bits != 4 && bits != 8 || len(s) == 0 || s[len(s)-1] != k {
		return c.errorf("K %d, N %d, %d bits and blocks of %d do not fit %v", k, n, bits, block, s)
	}
	blocks, perByte := (k+block-1)/block, 8/bits
	bytes := block / perByte
	if b.Len() != n*blocks*bytes || st.Len() != n*blocks {
		return c.errorf("weights %v and scales %v do not fit %d columns of %d blocks", b.Shape(), st.Shape(), n, blocks)
	}
	if g := c.maybe(4); g != nil && g.Len() > 0 {
		return c.unsupported("group indices")
	}
	scale, mask := floats(st), byte(1<<bits-1)
	zero := func(col, blk int) float64 { return float64(int(1) << (bits - 1)) }
	if z := c.maybe(3); z != nil {
		if isFloat(z.DType()) {
			zf := floats(z)
			zero = func(col, blk int) float64 { return zf[col*blocks+blk] }
		} else {
			row := (blocks + perByte - 1) / perByte
			if z.Len() != n*row {
				return c.errorf("zero points %v do not fit", z.Shape())
			}
			zero = func(col, blk int) float64 {
				return float64(z.Bytes()[col*row+blk/perByte] >> (bits * (blk % perByte)) & mask)
			}
		}
	}
	w := make([]float64, k*n)
	for col := range n {
		for i := range k {
			blk, in := i/block, i%block
			q := b.Bytes()[(col*blocks+blk)*bytes+in/perByte] >> (bits * (in % perByte)) & mask
			w[i*n+col] = (float64(q) - zero(col, blk)) * scale[col*blocks+blk]
		}
	}
	rows := a.Len() / k
	r := make([]float64, rows*n)
	matmul(floats(a), tensor.Shape{rows, k}, w, tensor.Shape{k, n}, tensor.Shape{}, r)
	if t := c.maybe(5); t != nil {
		bias := floats(t)
		if len(bias) != n {
			return c.errorf("bias %v does not fit %d columns", t.Shape(), n)
		}
		for i := range r {
			r[i] += bias[i%n]
		}
	}
	out := s.Clone()
	out[len(out)-1] = n
	return c.putFloats(0, a.DType(), out, r)
}

// evalMultiHead is com.microsoft's MultiHeadAttention with separate queries, keys and values: inputs query, key, value, bias, key
// padding mask, attention bias, past key and past value.
func evalMultiHead(c *call) error {
	qt, err := c.tensor(0)
	if err != nil {
		return err
	}
	count := c.attrInt("num_heads", 0)
	if len(qt.Shape()) != 3 || !c.has(1) || !c.has(2) || count < 1 {
		return c.unsupported("packed queries, keys and values")
	}
	a := &heads{q: count, kv: count}
	in := [3][]float64{}
	var rows, dims [3]int
	bias := c.maybe(3)
	offset := 0
	for i := range in {
		var h, b int
		if in[i], b, h, rows[i], dims[i], err = c.fourDims(i, count); err != nil {
			return err
		}
		if i > 0 && b != a.batch || h != count {
			return c.errorf("inputs differ in batch or heads")
		}
		a.batch = b
		if bias != nil {
			f := floats(bias)
			width := count * dims[i]
			if offset+width > len(f) {
				return c.errorf("bias %v is too short", bias.Shape())
			}
			for j := range in[i] {
				g := j / (rows[i] * dims[i]) % count
				in[i][j] += f[offset+g*dims[i]+j%dims[i]]
			}
			offset += width
		}
	}
	a.rows, a.dim, a.vdim = rows[0], dims[0], dims[2]
	if dims[1] != a.dim || rows[1] != rows[2] {
		return c.errorf("keys and values do not fit queries")
	}
	past := 0
	if in[1], past, err = c.joinKeys(6, in[1], a.batch, count, rows[1], a.dim); err != nil {
		return err
	}
	if in[2], _, err = c.joinKeys(7, in[2], a.batch, count, rows[2], a.vdim); err != nil {
		return err
	}
	a.keys = past + rows[1]
	a.scale = c.attrFloat("scale", 0)
	if a.scale == 0 {
		a.scale = 1 / math.Sqrt(float64(a.dim))
	}
	if a.bias, err = c.multiHeadBias(a, past); err != nil {
		return err
	}
	y := swapHeads(a.attend(in[0], in[1], in[2]), a.batch, count, a.rows, a.vdim)
	if err := c.putFloats(0, qt.DType(), tensor.Shape{a.batch, a.rows, count * a.vdim}, y); err != nil {
		return err
	}
	if err := c.putFloats(1, qt.DType(), tensor.Shape{a.batch, count, a.keys, a.dim}, in[1]); err != nil {
		return err
	}
	return c.putFloats(2, qt.DType(), tensor.Shape{a.batch, count, a.keys, a.vdim}, in[2])
}

// multiHeadBias joins the key padding mask (batch, keys) or lengths (batch), the attention bias and causality.
func (c *call) multiHeadBias(a *heads, past int) (func(b, h, i, j int) float64, error) {
	hidden := c.attrFloat("mask_filter_value", -10000)
	var mask []float64
	var lengths []int
	if t := c.maybe(4); t != nil {
		switch {
		case len(t.Shape()) == 1 && t.Len() == a.batch:
			lengths, _ = c.ints(4)
		case len(t.Shape()) == 2 && t.Len() == a.batch*a.keys:
			mask = floats(t)
		default:
			return nil, c.unsupported("key padding mask %v", t.Shape())
		}
	}
	var add []float64
	st := []int{0, 0, 0, 0}
	if t := c.maybe(5); t != nil {
		want := tensor.Shape{a.batch, a.q, a.rows, a.keys}
		if so, ok := broadcastShapes(t.Shape(), want); !ok || !so.Equal(want) {
			return nil, c.errorf("attention bias %v does not fit %v", t.Shape(), want)
		}
		add, st = floats(t), broadcastStrides(t.Shape(), want)
	}
	causal := c.attrInt("unidirectional", 0) == 1
	return func(b, h, i, j int) float64 {
		v := 0.0
		if add != nil {
			v = add[b*st[0]+h*st[1]+i*st[2]+j*st[3]]
		}
		if lengths != nil && j >= lengths[b] || mask != nil && mask[b*a.keys+j] == 0 {
			v += hidden
		}
		if causal && j > i+past {
			return math.Inf(-1)
		}
		return v
	}, nil
}

// evalGroupQuery is com.microsoft's GroupQueryAttention: inputs query, key, value, past key, past value, the index of each
// batch entry's last key, the total length, and tables of cos and sin. The query holds keys and values too when those are
// absent.
func evalGroupQuery(c *call) error {
	qt, err := c.tensor(0)
	if err != nil {
		return err
	}
	a := &heads{q: c.attrInt("num_heads", 0), kv: c.attrInt("kv_num_heads", 0), softcap: c.attrFloat("softcap", 0)}
	s := qt.Shape()
	if len(s) != 3 || a.q < 1 || a.kv < 1 || a.q%a.kv != 0 {
		return c.errorf("query %v does not fit %d heads that share %d", s, a.q, a.kv)
	}
	a.batch, a.rows = s[0], s[1]
	var q, k, v []float64
	if c.has(1) {
		var kh, kr, kd, vr int
		if q, _, _, _, a.dim, err = c.fourDims(0, a.q); err != nil {
			return err
		}
		if k, _, kh, kr, kd, err = c.fourDims(1, a.kv); err != nil {
			return err
		}
		if v, _, _, vr, _, err = c.fourDims(2, a.kv); err != nil {
			return err
		}
		if kh != a.kv || kr != a.rows || vr != a.rows || kd != a.dim {
			return c.errorf("keys and values do not fit queries")
		}
	} else {
		all := a.q + 2*a.kv
		if s[2]%all != 0 {
			return c.errorf("packed query %v does not fit %d heads", s, all)
		}
		a.dim = s[2] / all
		packed := swapHeads(floats(qt), a.batch, a.rows, all, a.dim)
		n := a.rows * a.dim
		for b := range a.batch {
			row := packed[b*all*n : (b+1)*all*n]
			q, k, v = append(q, row[:a.q*n]...), append(k, row[a.q*n:(a.q+a.kv)*n]...), append(v, row[(a.q+a.kv)*n:]...)
		}
	}
	a.vdim = a.dim
	lengths, err := c.ints(5)
	if err != nil {
		return err
	}
	if len(lengths) != a.batch {
		return c.errorf("%d lengths for batch %d", len(lengths), a.batch)
	}
	if c.attrInt("do_rotary", 0) == 1 {
		if err := c.rotateHeads(a, q, k, lengths); err != nil {
			return err
		}
	}
	if k, err = c.extendCache(3, a, k, lengths); err != nil {
		return err
	}
	if v, err = c.extendCache(4, a, v, lengths); err != nil {
		return err
	}
	a.scale = c.attrFloat("scale", 0)
	if a.scale == 0 {
		a.scale = 1 / math.Sqrt(float64(a.dim))
	}
	window := c.attrInt("local_window_size", -1)
	a.hidden = func(b, i, j int) bool {
		at := lengths[b] + 1 - a.rows + i // position of the query
		return j > at || window > 0 && j <= at-window
	}
	y := swapHeads(a.attend(q, k, v), a.batch, a.q, a.rows, a.dim)
	if err := c.putFloats(0, qt.DType(), tensor.Shape{a.batch, a.rows, a.q * a.dim}, y); err != nil {
		return err
	}
	present := tensor.Shape{a.batch, a.kv, a.keys, a.dim}
	if err := c.putFloats(1, qt.DType(), present, k); err != nil {
		return err
	}
	return c.putFloats(2, qt.DType(), present, v)
}

// rotateHeads applies the tables, inputs 7 and 8, to queries and keys at their positions.
func (c *call) rotateHeads(a *heads, q, k []float64, lengths []int) error {
	ct, err := c.tensor(7)
	if err != nil {
		return err
	}
	st, err := c.tensor(8)
	if err != nil {
		return err
	}
	cs := ct.Shape()
	if len(cs) != 2 || !st.Shape().Equal(cs) || 2*cs[1] > a.dim {
		return c.errorf("tables %v and %v do not fit heads of %d", cs, st.Shape(), a.dim)
	}
	cos, sin, half := floats(ct), floats(st), cs[1]
	for b := range a.batch {
		for r := range a.rows {
			at := max(lengths[b]+1-a.rows+r, 0)
			if at >= cs[0] {
				return c.errorf("position %d is outside of the tables %v", at, cs)
			}
			for _, o := range []struct {
				v []float64
				n int
			}{{q, a.q}, {k, a.kv}} {
				for h := range o.n {
					rotate(o.v[((b*o.n+h)*a.rows+r)*a.dim:], cos[at*half:], sin[at*half:], 2*half, c.attrInt("rotary_interleaved", 0) == 1)
				}
			}
		}
	}
	return nil
}

// extendCache writes the new rows behind those of the cache, input i, at each batch entry's own length.
func (c *call) extendCache(i int, a *heads, fresh []float64, lengths []int) ([]float64, error) {
	past, old := 0, []float64(nil)
	if t := c.maybe(i); t != nil {
		s := t.Shape()
		if len(s) != 4 || s[0] != a.batch || s[1] != a.kv || s[3] != a.dim {
			return nil, c.errorf("cache %v does not fit %d heads of %d", s, a.kv, a.dim)
		}
		past, old = s[2], floats(t)
	}
	total, err := c.intOr(6, past+a.rows)
	if err != nil {
		return nil, err
	}
	a.keys = max(past, total)
	r := make([]float64, a.batch*a.kv*a.keys*a.dim)
	for b := range a.batch {
		at := max(lengths[b]+1-a.rows, 0)
		if at+a.rows > a.keys {
			return nil, c.errorf("%d keys do not fit a cache of %d", at+a.rows, a.keys)
		}
		for h := range a.kv {
			g := b*a.kv + h
			dst := r[g*a.keys*a.dim : (g+1)*a.keys*a.dim]
			if old != nil {
				copy(dst, old[g*past*a.dim:(g*past+min(past, at))*a.dim])
			}
			copy(dst[at*a.dim:], fresh[g*a.rows*a.dim:(g+1)*a.rows*a.dim])
		}
	}
	return r, nil
}
