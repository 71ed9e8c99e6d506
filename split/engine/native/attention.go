package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// heads is an attention over (batch, heads, rows, size) operands, in float64.
type heads struct {
	batch, q, kv   int // heads of queries, and of keys and values
	rows, keys     int
	dim, vdim      int
	scale, softcap float64
	// bias is added to the score of row i and key j; minus infinity hides the key.
	bias func(b, h, i, j int) float64
	// hidden says that a row does not see a key, whatever the cap makes of its score.
	hidden func(b, i, j int) bool
	// scores, when not nil, receives what stage says of every score: 0 the scaled products, 1 after the bias, 2 after the cap,
	// 3 the probabilities.
	scores []float64
	stage  int
}

// attend computes softmax(cap(scale·q·kᵀ + bias))·v over the keys that are not hidden. A row that sees no key is zero.
func (a *heads) attend(q, k, v []float64) []float64 {
	y := make([]float64, a.batch*a.q*a.rows*a.vdim)
	row := make([]float64, a.keys)
	for b := range a.batch {
		for h := range a.q {
			g := b*a.kv + h/(a.q/a.kv)
			for i := range a.rows {
				at := (b*a.q+h)*a.rows + i
				keep := func(stage int) {
					if a.scores != nil && a.stage == stage {
						copy(a.scores[at*a.keys:], row)
					}
				}
				for j := range row {
					row[j] = a.scale * dot(0, q[at*a.dim:(at+1)*a.dim], k[(g*a.keys+j)*a.dim:])
				}
				keep(0)
				for j := range row {
					if a.bias != nil {
						row[j] += a.bias(b, h, i, j)
					}
				}
				keep(1)
				for j := range row {
					if a.softcap > 0 {
						row[j] = a.softcap * math.Tanh(row[j]/a.softcap)
					}
					if a.hidden != nil && a.hidden(b, i, j) {
						row[j] = math.Inf(-1)
					}
				}
				keep(2)
				softmaxRow("Softmax", row, a.keys, 1)
				dst := y[at*a.vdim : (at+1)*a.vdim]
				for j, p := range row {
					if p != p {
						row[j], p = 0, 0
					}
					for e := range dst {
						if p != 0 {
							dst[e] += p * v[(g*a.keys+j)*a.vdim+e]
						}
					}
				}
				keep(3)
			}
		}
	}
	return y
}

// evalFusedAttention is the op of split.DomainFused, by its definition.
func evalFusedAttention(c *call) error {
	ts, err := c.tensors()
	if err != nil {
		return err
	}
	product := func(a, b []float64, as, bs tensor.Shape) ([]float64, tensor.Shape, error) {
		batch, as, bs, so, ok := matmulShapes(as, bs)
		if !ok {
			return nil, nil, c.errorf("%v and %v cannot be multiplied", as, bs)
		}
		r := make([]float64, size(so))
		matmul(a, as, b, bs, batch, r)
		return r, so, nil
	}
	if len(ts) < 3 {
		return c.errorf("needs queries, keys and values")
	}
	scores, s, err := product(floats(ts[0]), floats(ts[1]), ts[0].Shape(), ts[1].Shape())
	if err != nil {
		return err
	}
	scale := c.attrFloat("scale", 1)
	for i := range scores {
		scores[i] *= scale
	}
	if len(ts) > 3 {
		so, ok := broadcastShapes(ts[3].Shape(), s)
		if !ok || !so.Equal(s) {
			return c.errorf("mask %v does not fit %v", ts[3].Shape(), s)
		}
		zip(scores, s, scores, s, floats(ts[3]), ts[3].Shape(), func(x, y float64) float64 { return x + y })
	}
	n := s[len(s)-1]
	for at := 0; n > 0 && at < len(scores); at += n {
		softmaxRow("Softmax", scores[at:at+n], n, 1)
	}
	y, so, err := product(scores, floats(ts[2]), s, ts[2].Shape())
	if err != nil {
		return err
	}
	out, err := c.output(0, ts[0].DType(), so)
	if err != nil {
		return err
	}
	setFloats(out, y)
	return nil
}

// fourDims is a (batch, heads, rows, size) view of an operand of rank 4, or of one of rank 3 (batch, rows, heads·size).
func (c *call) fourDims(i, count int) (v []float64, batch, heads, rows, dim int, err error) {
	t, err := c.tensor(i)
	if err != nil {
		return nil, 0, 0, 0, 0, err
	}
	s := t.Shape()
	switch {
	case len(s) == 4:
		return floats(t), s[0], s[1], s[2], s[3], nil
	case len(s) == 3 && count > 0 && s[2]%count == 0:
		batch, rows, dim = s[0], s[1], s[2]/count
		return swapHeads(floats(t), batch, rows, count, dim), batch, count, rows, dim, nil
	}
	return nil, 0, 0, 0, 0, c.errorf("input %d of %v does not fit %d heads", i, s, count)
}

// swapHeads turns (batch, a, b, n) into (batch, b, a, n).
func swapHeads(v []float64, batch, a, b, n int) []float64 {
	r := make([]float64, 0, len(v))
	for i := range batch {
		r = append(r, swapSteps(v[i*a*b*n:(i+1)*a*b*n], a, b, n)...)
	}
	return r
}

// joinKeys appends new rows (batch, heads, rows, dim) to those of a cache, input i, when it is there.
func (c *call) joinKeys(i int, v []float64, batch, heads, rows, dim int) (joined []float64, past int, err error) {
	t := c.maybe(i)
	if t == nil {
		return v, 0, nil
	}
	s := t.Shape()
	if len(s) != 4 || s[0] != batch || s[1] != heads || s[3] != dim {
		return nil, 0, c.errorf("cache %v does not fit batch %d, %d heads and size %d", s, batch, heads, dim)
	}
	past = s[2]
	old := floats(t)
	for g := range batch * heads {
		joined = append(joined, old[g*past*dim:(g+1)*past*dim]...)
		joined = append(joined, v[g*rows*dim:(g+1)*rows*dim]...)
	}
	return joined, past, nil
}

// putFloats hands over output i when somebody wants it.
func (c *call) putFloats(i int, d tensor.DType, s tensor.Shape, v []float64) error {
	if !c.want(i) {
		return nil
	}
	t, err := c.output(i, d, s)
	if err != nil {
		return err
	}
	setFloats(t, v)
	return nil
}

// evalAttention is ONNX's Attention (opset 23): inputs Q, K, V, mask, past key, past value, and lengths of the keys (opset 24).
func evalAttention(c *call) error {
	qt, err := c.tensor(0)
	if err != nil {
		return err
	}
	a := &heads{softcap: c.attrFloat("softcap", 0)}
	var q, k, v []float64
	if q, a.batch, a.q, a.rows, a.dim, err = c.fourDims(0, c.attrInt("q_num_heads", 0)); err != nil {
		return err
	}
	kvHeads := c.attrInt("kv_num_heads", 0)
	var kb, fresh, kd, vb, vh, vr int
	if k, kb, a.kv, fresh, kd, err = c.fourDims(1, kvHeads); err != nil {
		return err
	}
	if v, vb, vh, vr, a.vdim, err = c.fourDims(2, kvHeads); err != nil {
		return err
	}
	if kb != a.batch || vb != a.batch || kd != a.dim || vh != a.kv || vr != fresh || a.kv == 0 || a.q%a.kv != 0 {
		return c.errorf("queries, keys and values do not fit each other")
	}
	past := 0
	if k, past, err = c.joinKeys(4, k, a.batch, a.kv, fresh, a.dim); err != nil {
		return err
	}
	if v, _, err = c.joinKeys(5, v, a.batch, a.kv, fresh, a.vdim); err != nil {
		return err
	}
	a.keys = past + fresh
	a.scale = c.attrFloat("scale", float32(1/math.Sqrt(float64(a.dim))))
	if a.bias, err = c.attentionBias(a, past); err != nil {
		return err
	}
	if c.want(3) {
		a.scores, a.stage = make([]float64, a.batch*a.q*a.rows*a.keys), c.attrInt("qk_matmul_output_mode", 0)
	}
	y := a.attend(q, k, v)
	shape := tensor.Shape{a.batch, a.q, a.rows, a.vdim}
	if len(qt.Shape()) == 3 {
		y, shape = swapHeads(y, a.batch, a.q, a.rows, a.vdim), tensor.Shape{a.batch, a.rows, a.q * a.vdim}
	}
	if err := c.putFloats(0, qt.DType(), shape, y); err != nil {
		return err
	}
	if err := c.putFloats(1, qt.DType(), tensor.Shape{a.batch, a.kv, a.keys, a.dim}, k); err != nil {
		return err
	}
	if err := c.putFloats(2, qt.DType(), tensor.Shape{a.batch, a.kv, a.keys, a.vdim}, v); err != nil {
		return err
	}
	return c.putFloats(3, qt.DType(), tensor.Shape{a.batch, a.q, a.rows, a.keys}, a.scores)
}

// attentionBias joins mask, causality and lengths of ONNX's Attention.
func (c *call) attentionBias(a *heads, past int) (func(b, h, i, j int) float64, error) {
	var mask []float64
	st := []int{0, 0, 0, 0}
	width := a.keys
	if t := c.maybe(3); t != nil {
		s := t.Shape().Clone()
		for len(s) < 4 {
			s = append(tensor.Shape{1}, s...)
		}
		width = s[3]
		want := tensor.Shape{a.batch, a.q, a.rows, width}
		if so, ok := broadcastShapes(s, want); len(s) != 4 || !ok || !so.Equal(want) || width > a.keys {
			return nil, c.errorf("mask %v does not fit %d queries and %d keys", t.Shape(), a.rows, a.keys)
		}
		mask, st = floats(t), broadcastStrides(s, want)
		if t.DType() == tensor.Bool {
			for i, m := range mask {
				mask[i] = math.Inf(-1)
				if m != 0 {
					mask[i] = 0
				}
			}
		}
	}
	lengths, err := c.intsOr(6, nil)
	if err != nil {
		return nil, err
	}
	if lengths != nil && len(lengths) != a.batch {
		return nil, c.errorf("%d lengths for batch %d", len(lengths), a.batch)
	}
	causal := c.attrInt("is_causal", 0) == 1
	if mask == nil && lengths == nil && !causal {
		return nil, nil
	}
	return func(b, h, i, j int) float64 {
		offset := past
		if lengths != nil {
			if j >= lengths[b] {
				return math.Inf(-1)
			}
			if past == 0 && c.maybe(4) == nil {
				offset = lengths[b] - a.rows
			}
		}
		switch {
		case causal && j > i+offset:
			return math.Inf(-1)
		case mask == nil:
			return 0
		case j >= width:
			return math.Inf(-1)
		}
		return mask[b*st[0]+h*st[1]+i*st[2]+j*st[3]]
	}, nil
}

// rotate turns pairs of the first width elements of a head by cos and sin (Su et al., "RoFormer", 2021): neighbours when
// interleaved, else elements half a width apart.
func rotate(x, cos, sin []float64, width int, interleaved bool) {
	half := width / 2
	for i := range half {
		a, b := i, i+half
		if interleaved {
			a, b = 2*i, 2*i+1
		}
		x[a], x[b] = x[a]*cos[i]-x[b]*sin[i], x[a]*sin[i]+x[b]*cos[i]
	}
}

// evalRotary is ONNX's RotaryEmbedding (inputs X, cos, sin, positions) and com.microsoft's (X, positions, cos, sin).
func evalRotary(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	pos, cosAt, sinAt := 3, 1, 2
	if c.op.Domain == microsoft {
		pos, cosAt, sinAt = 1, 2, 3
	}
	ct, err := c.tensor(cosAt)
	if err != nil {
		return err
	}
	st, err := c.tensor(sinAt)
	if err != nil {
		return err
	}
	count := c.attrInt("num_heads", 0)
	width := c.attrInt("rotary_embedding_dim", 0)
	if count == 0 && len(t.Shape()) == 3 {
		dim := 2 * ct.Shape()[len(ct.Shape())-1]
		if width != 0 {
			return c.errorf("num_heads is missing")
		}
		count = t.Shape()[2] / max(dim, 1)
	}
	v, batch, h, rows, dim, err := c.fourDims(0, count)
	if err != nil {
		return err
	}
	if width == 0 {
		width = dim
	}
	half := width / 2
	cs := ct.Shape()
	if width > dim || width%2 != 0 || len(cs) < 2 || cs[len(cs)-1] != half || !st.Shape().Equal(cs) {
		return c.errorf("cos %v and sin %v do not fit heads of %d", cs, st.Shape(), dim)
	}
	positions, err := c.intsOr(pos, nil)
	if err != nil {
		return err
	}
	cos, sin := floats(ct), floats(st)
	for b := range batch {
		for r := range rows {
			at := b*rows + r // cos and sin given per token
			switch {
			case len(positions) == 1:
				at = positions[0] + r
			case positions != nil:
				if len(positions) != batch*rows {
					return c.errorf("%d positions for %d tokens", len(positions), batch*rows)
				}
				at = positions[at]
			}
			if at < 0 || (at+1)*half > len(cos) {
				return c.errorf("position %d is outside of the tables %v", at, cs)
			}
			for k := range h {
				rotate(v[((b*h+k)*rows+r)*dim:], cos[at*half:], sin[at*half:], width, c.attrInt("interleaved", 0) == 1)
			}
		}
	}
	if len(t.Shape()) == 3 {
		v = swapHeads(v, batch, h, rows, dim)
	}
	return c.putFloats(0, t.DType(), t.Shape(), v)
}
