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

// Run implements pool.Task.
func (p *Pooling) Run(lo, hi int) {
	for u := lo; u < hi; u++ {
		img, oy := u/p.OH, u%p.OH
		iy := oy*p.StrideH - p.PadTop
		kh0, kh1 := clipTaps(iy, p.DilationH, p.KH, p.H)
		for ox := range p.OW {
			ix := ox*p.StrideW - p.PadLeft
			kw0, kw1 := clipTaps(ix, p.DilationW, p.KW, p.W)
			at := (u*p.OW + ox) * p.C
			p.window(p.Y[at:at+p.C], (img*p.H+iy)*p.W+ix, kh0, kh1, kw0, kw1)
		}
	}
}

// window computes one output pixel from the kernel positions that are inside the image; at is the pixel of position 0, 0.
func (p *Pooling) window(y []float32, at, kh0, kh1, kw0, kw1 int) {
	first := true
	for kh := kh0; kh < kh1; kh++ {
		for kw := kw0; kw < kw1; kw++ {
			i := (at + kh*p.DilationH*p.W + kw*p.DilationW) * p.C
			x := p.X[i : i+p.C]
			switch {
			case first:
				copy(y, x)
				first = false
			case p.Kind == PoolMax:
				Max(y, y, x)
			default:
				Add(y, y, x)
			}
		}
	}
	switch {
	case first && p.Kind == PoolMax:
		for i := range y {
			y[i] = negInf
		}
	case first:
		clear(y)
	case p.Kind == PoolAverage:
		MulScalar(y, y, 1/float32((kh1-kh0)*(kw1-kw0)))
	case p.Kind == PoolAveragePadding:
		MulScalar(y, y, 1/float32(p.KH*p.KW))
	}
}

// GlobalAverage computes y[n][c] = mean over pixels of x[n][p][c].
func GlobalAverage(y, x []float32, n, pixels, c int) {
	for i := range n {
		dst := y[i*c : (i+1)*c]
		clear(dst)
		for p := range pixels {
			at := (i*pixels + p) * c
			Add(dst, dst, x[at:at+c])
		}
		MulScalar(dst, dst, 1/float32(pixels))
	}
}

// GlobalMax computes y[n][c] = max over pixels of x[n][p][c]; pixels is at least 1.
func GlobalMax(y, x []float32, n, pixels, c int) {
	for i := range n {
		dst := y[i*c : (i+1)*c]
		copy(dst, x[i*pixels*c:])
		for p := 1; p < pixels; p++ {
			at := (i*pixels + p) * c
			Max(dst, dst, x[at:at+c])
		}
	}
}
