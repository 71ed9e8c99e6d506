package kernel

// PoolKind is how a pooling combines its window.
type PoolKind uint8

// The poolings.
const (
	PoolMax            PoolKind = iota
	PoolAverage                 // over the pixels inside the image
	PoolAveragePadding          // over the whole window, padding counted as zeros
)

// Pooling is the task Y = pool(X) over NHWC images; OC and Groups of its shape are not used.
type Pooling struct {
	ConvShape
	Kind PoolKind
	X, Y []float32
}

// Units implements pool.Task: one per output row.
func (p *Pooling) Units() int { return p.N * p.OH }

// Nanos implements pool.Task.
func (p *Pooling) Nanos() int { return elementNanos(active, p.N*p.OH*p.OW*p.C*p.KH*p.KW, 3) }

// Run implements pool.Task. The window's rows are combined first, over whole rows of the image, and then its columns.
func (p *Pooling) Run(lo, hi int) {
	if p.OW*p.C == 0 {
		return
	}
	s := getScratch()
	defer s.free()
	row := grow(&s.f32, p.W*p.C)
	for u := lo; u < hi; u++ {
		img, oy := u/p.OH, u%p.OH
		iy := oy*p.StrideH - p.PadTop
		kh0, kh1 := clipTaps(iy, p.DilationH, p.KH, p.H)
		for kh := kh0; kh < kh1; kh++ {
			at := (img*p.H + iy + kh*p.DilationH) * p.W * p.C
			p.combine(row, p.X[at:at+p.W*p.C], kh == kh0)
		}
		p.columns(p.Y[u*p.OW*p.C:(u+1)*p.OW*p.C], row, max(0, kh1-kh0))
	}
}

// combine takes x into y.
func (p *Pooling) combine(y, x []float32, first bool) {
	switch {
	case first:
		copy(y, x)
	case p.Kind == PoolMax:
		Max(y, y, x)
	default:
		Add(y, y, x)
	}
}

// columns computes one output row from row, in which rows rows of the image are combined. Neighbouring pixels that lie
// inside go together where their windows are neighbours too.
func (p *Pooling) columns(y, row []float32, rows int) {
	for ox := 0; ox < p.OW; {
		ix := ox*p.StrideW - p.PadLeft
		kw0, kw1 := clipTaps(ix, p.DilationW, p.KW, p.W)
		n := 1
		if lo, hi := p.inside(ox, p.OW-ox); lo == 0 && hi > 0 && p.StrideW == 1 {
			n = hi
		}
		dst := y[ox*p.C : (ox+n)*p.C]
		for kw := kw0; kw < kw1 && rows > 0; kw++ {
			at := (ix + kw*p.DilationW) * p.C
			p.combine(dst, row[at:at+len(dst)], kw == kw0)
		}
		count := rows * max(0, kw1-kw0)
		switch {
		case count == 0 && p.Kind == PoolMax:
			for i := range dst {
				dst[i] = negInf
			}
		case count == 0:
			clear(dst)
		case p.Kind == PoolAverage:
			MulScalar(dst, dst, 1/float32(count))
		case p.Kind == PoolAveragePadding:
			MulScalar(dst, dst, 1/float32(p.KH*p.KW))
		}
		ox += n
	}
}
