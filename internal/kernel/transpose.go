package kernel

// Transpose is the task Y[b] = transpose of X[b] for Batch matrices of Rows×Cols elements. NCHW to NHWC is Rows = C and
// Cols = H*W; back is Rows = H*W and Cols = C.
type Transpose struct {
	Batch, Rows, Cols int
	X, Y              []float32
}

// transposeBlock is the side of the square that is moved at a time, so that both sides stay in the first-level cache.
const transposeBlock = 64

// stripe is the columns of one unit: more of them when there are few rows.
func (t *Transpose) stripe() int { return transposeBlock * max(1, transposeBlock/max(1, t.Rows)) }

// Units implements pool.Task.
func (t *Transpose) Units() int { return t.Batch * ceilDiv(t.Cols, t.stripe()) }

// Nanos implements pool.Task.
func (t *Transpose) Nanos() int { return t.Batch * t.Rows * t.Cols / 2 }

// Run implements pool.Task.
func (t *Transpose) Run(lo, hi int) {
	stripe := t.stripe()
	stripes := ceilDiv(t.Cols, stripe)
	for u := lo; u < hi; u++ {
		at := u / stripes * t.Rows * t.Cols
		x, y := t.X[at:at+t.Rows*t.Cols], t.Y[at:at+t.Rows*t.Cols]
		c0 := u % stripes * stripe
		for r0 := 0; r0 < t.Rows; r0 += transposeBlock {
			transposeRect(y[c0*t.Rows+r0:], x[r0*t.Cols+c0:], min(transposeBlock, t.Rows-r0), min(stripe, t.Cols-c0), t.Rows, t.Cols)
		}
	}
}

// transposeRect computes y[c*ldy+r] = x[r*ldx+c] for r < rows and c < cols.
func transposeRect(y, x []float32, rows, cols, ldy, ldx int) {
	rowsDone, colsDone, edgeRows := vecTranspose(y, x, rows, cols, ldy, ldx)
	move := func(r0, c0, c1 int) {
		for c := c0; c < c1 && r0 < rows; c++ {
			for r := r0; r < rows; r++ {
				y[c*ldy+r] = x[r*ldx+c]
			}
		}
	}
	edge := min(colsDone+4, cols)
	move(rowsDone, 0, colsDone)
	move(edgeRows, colsDone, edge)
	move(0, edge, cols)
}
