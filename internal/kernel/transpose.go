package kernel

// Transpose is the task Y[b] = transpose of X[b] for Batch matrices of Rows×Cols elements. NCHW to NHWC is Rows = C and
// Cols = H*W; back is Rows = H*W and Cols = C.
type Transpose struct {
	Batch, Rows, Cols int
	X, Y              []float32
}

// transposeBlock is the side of the square that is moved at a time, so that both sides stay in the first-level cache.
const transposeBlock = 64

// Units implements pool.Task.
func (t *Transpose) Units() int { return t.Batch * ceilDiv(t.Cols, transposeBlock) }

// Nanos implements pool.Task.
func (t *Transpose) Nanos() int { return t.Batch * t.Rows * t.Cols / 2 }

// Run implements pool.Task.
func (t *Transpose) Run(lo, hi int) {
	stripes := ceilDiv(t.Cols, transposeBlock)
	for u := lo; u < hi; u++ {
		at := u / stripes * t.Rows * t.Cols
		x, y := t.X[at:at+t.Rows*t.Cols], t.Y[at:at+t.Rows*t.Cols]
		c0 := u % stripes * transposeBlock
		for r0 := 0; r0 < t.Rows; r0 += transposeBlock {
			transposeRect(y[c0*t.Rows+r0:], x[r0*t.Cols+c0:], min(transposeBlock, t.Rows-r0), min(transposeBlock, t.Cols-c0), t.Rows, t.Cols)
		}
	}
}

// transposeRect computes y[c*ldy+r] = x[r*ldx+c] for r < rows and c < cols.
func transposeRect(y, x []float32, rows, cols, ldy, ldx int) {
	rowsDone, colsDone, edgeRows := vecTranspose(y, x, rows, cols, ldy, ldx)
	for c := range cols {
		r := rowsDone
		if c >= colsDone {
			if r = 0; c < colsDone+4 {
				r = edgeRows
			}
		}
		for ; r < rows; r++ {
			y[c*ldy+r] = x[r*ldx+c]
		}
	}
}
