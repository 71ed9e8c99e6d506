package kernel

import "unsafe"

// Strides are the elements from one batch, head and row of a four-dimensional operand to the next; 0 repeats it.
type Strides struct{ Batch, Head, Row int }

// Attention is the task Y = softmax(Scale * Q × K^T + Mask) × V per batch and head, without the matrix of scores: blocks of
// keys pass by while each row keeps its running maximum and sum (Milakov and Gimelshein, "Online normalizer calculation
// for softmax", 2018; Dao et al., "FlashAttention", 2022).
type Attention struct {
	Batch, Heads int
	KVHeads      int // Heads/KVHeads heads share keys and values; 0 means Heads
	QLen, KVLen  int
	Dim, VDim    int // of queries and keys, and of values and output
	Q, K, V, Y   []float32
	QStride      Strides
	KStride      Strides
	VStride      Strides
	YStride      Strides
	Scale        float32
	// Causal lets row i see keys up to i+Past only.
	Causal bool
	Past   int
	// Window, when above 0, lets row i see only the last Window keys of those.
	Window int
	// Mask is added to the scaled scores; its rows have KVLen elements. Nil for none.
	Mask       []float32
	MaskStride Strides
	// Softcap, when above 0, replaces a score x by Softcap*tanh(x/Softcap) before the mask.
	Softcap float32
	// Lengths holds the keys of each batch that count; nil means KVLen for all. Past, when it is set, is per batch
	// Lengths[b]-QLen.
	Lengths []int
}

const (
	attentionRows = 64 // queries of one unit
	attentionKeys = 64 // keys that pass at a time
)

// Units implements pool.Task: one per batch, head and block of queries.
func (a *Attention) Units() int { return a.Batch * a.Heads * ceilDiv(a.QLen, attentionRows) }

// Nanos implements pool.Task.
func (a *Attention) Nanos() int {
	scores := a.Batch * a.Heads * a.QLen * a.KVLen
	return productNanos(active, scores, a.Dim+a.VDim, 1) + elementNanos(active, scores, 16)
}

// Run implements pool.Task.
func (a *Attention) Run(lo, hi int) {
	blocks := ceilDiv(a.QLen, attentionRows)
	s := getScratch()
	defer s.free()
	for u := lo; u < hi; u++ {
		v := attentionView{Attention: a, q0: u % blocks * attentionRows}
		v.q1 = min(v.q0+attentionRows, a.QLen)
		head, batch := u/blocks%a.Heads, u/blocks/a.Heads
		v.place(batch, head)
		v.run(s)
	}
}

// attentionView is a block of queries of one batch and head.
type attentionView struct {
	*Attention
	q0, q1           int
	q, k, v, y, mask []float32 // from the first row of the batch and head on
	scaled           []float32 // the block's queries times Scale
	keys, past       int
}

func (v *attentionView) place(batch, head int) {
	kvHead := head
	if v.KVHeads > 0 {
		kvHead = head / (v.Heads / v.KVHeads)
	}
	v.q = v.Q[batch*v.QStride.Batch+head*v.QStride.Head:]
	v.k = v.K[batch*v.KStride.Batch+kvHead*v.KStride.Head:]
	v.v = v.V[batch*v.VStride.Batch+kvHead*v.VStride.Head:]
	v.y = v.Y[batch*v.YStride.Batch+head*v.YStride.Head:]
	if v.Mask != nil {
		v.mask = v.Mask[batch*v.MaskStride.Batch+head*v.MaskStride.Head:]
	}
	v.keys, v.past = v.KVLen, v.Past
	if v.Lengths != nil {
		v.keys = min(v.Lengths[batch], v.KVLen)
		v.past = v.keys - v.QLen
	}
}

// visible returns the keys that row i sees: lo to hi-1.
func (v *attentionView) visible(i int) (lo, hi int) {
	hi = v.keys
	if v.Causal {
		hi = min(hi, max(0, i+v.past+1))
	}
	if v.Window > 0 {
		last := v.keys
		if v.Causal {
			last = i + v.past + 1
		}
		lo = max(0, last-v.Window)
	}
	return min(lo, hi), hi
}

func (v *attentionView) run(s *scratch) {
	rows := v.q1 - v.q0
	full := panelWidth(active)
	buf := grow(&s.f32, 2*rows+rows*attentionKeys+(rows+attentionKeys)*v.Dim+full*attentionKeys)
	cut := func(n int) []float32 { c := buf[:n]; buf = buf[n:]; return c }
	top, sum, scores := cut(rows), cut(rows), cut(rows*attentionKeys)
	v.scaled = cut(rows * v.Dim)
	packed, panel := cut(attentionKeys*v.Dim), buf
	for i := range rows {
		MulScalar(v.scaled[i*v.Dim:(i+1)*v.Dim], v.q[(v.q0+i)*v.QStride.Row:][:v.Dim], v.Scale)
		top[i], sum[i] = negInf, 0
		clear(v.row(i))
	}
	first, _ := v.visible(v.q0)
	_, end := v.visible(v.q1 - 1)
	// Blocks begin at multiples of their size, so that a row's sums do not depend on the rows computed with it.
	for j0 := first / attentionKeys * attentionKeys; j0 < end; j0 += attentionKeys {
		n := min(attentionKeys, v.keys-j0)
		v.scores(s, scores, packed, j0, n)
		for i := range rows {
			row := scores[i*attentionKeys : i*attentionKeys+n]
			v.shape(row, v.q0+i, j0)
			m := max(top[i], MaxOf(row))
			if m == negInf {
				clear(row)
				continue
			}
			if top[i] != m {
				if fade := exp32(top[i] - m); top[i] != negInf {
					sum[i] *= fade
					MulScalar(v.row(i), v.row(i), fade)
				}
				top[i] = m
			}
			sum[i] += expSum(row, row, m)
		}
		v.gather(s, scores, panel, j0, n)
	}
	for i := range rows {
		if sum[i] != 0 {
			MulScalar(v.row(i), v.row(i), 1/sum[i])
		}
	}
}

// row is row i of the block's output.
func (v *attentionView) row(i int) []float32 {
	at := (v.q0 + i) * v.YStride.Row
	return v.y[at : at+v.VDim]
}

// shape turns products of row i and keys from j0 on into what the softmax takes.
func (v *attentionView) shape(row []float32, i, j0 int) {
	if v.Softcap > 0 {
		DivScalar(row, row, v.Softcap)
		Tanh(row, row)
		MulScalar(row, row, v.Softcap)
	}
	if v.mask != nil {
		at := i*v.MaskStride.Row + j0
		Add(row, row, v.mask[at:at+len(row)])
	}
	lo, hi := v.visible(i)
	for j := range min(len(row), max(0, lo-j0)) {
		row[j] = negInf
	}
	for j := max(0, hi-j0); j < len(row); j++ {
		row[j] = negInf
	}
}

// scores computes the products of the block's queries with n keys from j0 on.
func (v *attentionView) scores(s *scratch, out, packed []float32, j0, n int) {
	k := v.k[j0*v.KStride.Row:]
	full := panelWidth(active)
	rows, per := grow(&s.rows, tileRows), rowsPerTile(active)
	a := &s.tile
	*a = tileArgs{rows: &rows[0], taps: 1, k: uintptr(v.Dim) * 4, ldc: attentionKeys * 4, lo: negInf, hi: posInf}
	for c := 0; c < n; c += full {
		width := full
		if n-c <= full/2 {
			width = full / 2
		}
		packPanel(packed[:width*v.Dim], width, k, v.Dim, n, c, v.KStride.Row, true)
		a.b, a.ldb, a.cols = unsafe.Pointer(unsafe.SliceData(packed)), uintptr(width)*4, uintptr(min(width, n-c))
		for i := v.q0; i < v.q1; i += per {
			count := min(per, v.q1-i)
			for r := range count {
				rows[r] = address(&v.scaled[(i-v.q0+r)*v.Dim])
			}
			a.c = unsafe.Pointer(&out[(i-v.q0)*attentionKeys+c])
			tiles(active, a, count, width, full)
		}
	}
}

// gather adds the products of the weights with n values from j0 on to the output.
func (v *attentionView) gather(s *scratch, weights, panel []float32, j0, n int) {
	values := v.v[j0*v.VStride.Row : (j0+n-1)*v.VStride.Row+v.VDim]
	full := panelWidth(active)
	rows, per := grow(&s.rows, tileRows), rowsPerTile(active)
	a := &s.tile
	*a = tileArgs{rows: &rows[0], taps: 1, k: uintptr(n) * 4, ldc: uintptr(v.YStride.Row) * 4, acc: 1, lo: negInf, hi: posInf}
	for c := 0; c < v.VDim; c += full {
		width := full
		if v.VDim-c <= full/2 {
			width = full / 2
		}
		cols := min(width, v.VDim-c)
		if cols == width || active >= AVX512 {
			a.b, a.ldb = unsafe.Pointer(&values[c]), uintptr(v.VStride.Row)*4
		} else {
			packPanel(panel[:n*width], width, values, n, v.VDim, c, v.VStride.Row, false)
			a.b, a.ldb = unsafe.Pointer(&panel[0]), uintptr(width)*4
		}
		a.cols = uintptr(cols)
		for i := 0; i < v.q1-v.q0; i += per {
			count := min(per, v.q1-v.q0-i)
			for r := range count {
				rows[r] = address(&weights[(i+r)*attentionKeys])
			}
			a.c = unsafe.Pointer(&v.row(i)[c])
			_ = v.row(i + count - 1)
			tiles(active, a, count, width, full)
		}
	}
}
