package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// attention appends the fused form of a written-out attention: q (... L d), k transposed (... d S), v (... S e) and perhaps a
// mask that is added.
func (c *compiler) attention(op *split.Op) bool {
	q, k, v, y := op.Inputs[0], op.Inputs[1], op.Inputs[2], op.Outputs[0]
	if !c.isFloat32(q) || !c.isFloat32(k) || !c.isFloat32(v) {
		return false
	}
	qs, ks, vs, ys := c.p.slots[q].shape, c.p.slots[k].shape, c.p.slots[v].shape, c.p.slots[y].shape
	r := len(ys)
	if r < 2 || len(qs) != r || len(ks) != r || len(vs) != r || !vs[:r-2].Equal(ks[:r-2]) || !sharedBy(ks[:r-2], qs[:r-2]) {
		return false
	}
	heads, kvHeads := size(qs[:r-2]), size(ks[:r-2])
	s := &attentionStep{mask: -1}
	t := &s.task
	*t = kernel.Attention{Batch: 1, Heads: heads, KVHeads: kvHeads, QLen: qs[r-2], KVLen: ks[r-1], Dim: qs[r-1], VDim: vs[r-1], Scale: op.Float("scale", 1)}
	if ks[r-2] != t.Dim || vs[r-2] != t.KVLen || t.KVLen == 0 || t.QLen == 0 {
		return false
	}
	t.QStride = kernel.Strides{Head: t.QLen * t.Dim, Row: t.Dim}
	t.KStride = kernel.Strides{Head: t.KVLen * t.Dim, Row: t.Dim}
	t.VStride = kernel.Strides{Head: t.KVLen * t.VDim, Row: t.VDim}
	t.YStride = kernel.Strides{Head: t.QLen * t.VDim, Row: t.VDim}
	if m := op.Input(3); m != split.None {
		if !c.isFloat32(m) || !c.maskStrides(t, c.p.slots[m].shape, qs[:r-2]) {
			return false
		}
		c.toPlain(m)
		s.mask = int(m)
	}
	c.toPlain(q)
	c.toPlain(k)
	c.toPlain(v)
	rows := c.extra(tensor.Float32, tensor.Shape{kvHeads, t.KVLen, t.Dim})
	c.add(&transposeStep{from: int(k), to: rows, task: kernel.Transpose{Batch: kvHeads, Rows: t.Dim, Cols: t.KVLen}},
		stepIO{reads: []int{int(k)}, writes: []int{rows}})
	s.q, s.k, s.v, s.y = int(q), rows, int(v), c.outPlain(y)
	c.add(s, stepIO{reads: []int{s.q, s.k, s.v, s.mask}, writes: []int{s.y}})
	return true
}

// sharedBy reports whether keys and values of the leading dimensions kv repeat over the last of those of the queries, so that
// neighbouring heads share them.
func sharedBy(kv, q tensor.Shape) bool {
	d := 0
	for d < len(q) && kv[d] == q[d] {
		d++
	}
	return size(kv[d:]) == 1 && size(kv) > 0
}

// maskStrides lets a mask of the given shape repeat over heads and rows. lead are the leading dimensions of the product.
func (c *compiler) maskStrides(t *kernel.Attention, mask, lead tensor.Shape) bool {
	full := append(make(tensor.Shape, 0, len(lead)+2), mask...)
	for len(full) < len(lead)+2 {
		full = append(tensor.Shape{1}, full...)
	}
	r := len(full)
	if r != len(lead)+2 || full[r-1] != t.KVLen || full[r-2] != 1 && full[r-2] != t.QLen {
		return false
	}
	if full[r-2] == t.QLen && t.QLen > 1 {
		t.MaskStride.Row = t.KVLen
	}
	per := full[r-2] * full[r-1]
	switch {
	case size(full[:r-2]) == 1:
		return true
	case full[:r-2].Equal(lead):
		t.MaskStride.Head = per
		return true
	case len(lead) == 2 && full[1] == 1 && full[0] == lead[0] && t.KVHeads >= lead[0]: // one per batch entry
		t.Batch, t.Heads, t.KVHeads = lead[0], lead[1], t.KVHeads/lead[0]
		t.MaskStride.Batch = per
		t.QStride.Batch, t.KStride.Batch = t.Heads*t.QStride.Head, t.KVHeads*t.KStride.Head
		t.VStride.Batch, t.YStride.Batch = t.KVHeads*t.VStride.Head, t.Heads*t.YStride.Head
		return true
	}
	return false
}

type attentionStep struct {
	q, k, v, mask, y int
	task             kernel.Attention
}

func (s *attentionStep) run(p *program) error {
	t := &s.task
	t.Q, t.K, t.V, t.Y = p.slots[s.q].f32, p.slots[s.k].f32, p.slots[s.v].f32, p.slots[s.y].f32
	if s.mask >= 0 {
		t.Mask = p.slots[s.mask].f32
	}
	p.parallel.Run(t)
	return nil
}
