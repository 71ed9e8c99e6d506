package kernel

// Transpose is the task Y[b] = transpose of X[b] for Batch matrices of Rows×Cols elements. NCHW to NHWC is Rows = C and
// Cols = H*W; back is Rows = H*W and Cols = C.
type Transpose struct {
	Batch, Rows, Cols int
	X, Y              []float32
}

// transposeBlock is the side of the square that is moved at a time, so that both sides stay in the first-level cache.
const transposeBlock = 32

// Units implements pool.Task.
func (t *Transpose) Units() int { return t.Batch * ceilDiv(t.Cols, transposeBlock) }

// Nanos implements pool.Task.
func (t *Transpose) Nanos() int { return t.Batch * t.Rows * t.Cols / 2 }

// Run implements pool.Task.
func (t *Transpose) Run(lo, hi int) {
	stripes := ceilDiv(t.Cols, transposeBlock)
	for u := lo; u < hi; u++ {
		at := u / stripes * t.Rows * t.Cols
		c0 := u % stripes * transposeBlock
		transposeStripe(t.Y[at:at+t.Rows*t.Cols], t.X[at:at+t.Rows*t.Cols], t.Rows, t.Cols, c0, min(c0+transposeBlock, t.Cols))
	}
}

// transposeStripe moves columns c0 to c1-1.
func transposeStripe(y, x []float32, rows, cols, c0, c1 int) {
	for r0 := 0; r0 < rows; r0 += transposeBlock {
		r1 := min(r0+transposeBlock, rows)
		for c := c0; c < c1; c++ {
			dst := y[c*rows+r0 : c*rows+r1]
			at := r0*cols + c
			for i := range dst {
				dst[i] = x[at]
				at += cols
			}
		}
	}
}
