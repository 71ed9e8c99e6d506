package kernel

// Affine is the task Y = act(X*Scale + Shift) over rows of Cols elements, such as the pixels of an NHWC image. Y may be X.
type Affine struct {
	Rows, Cols int
	X, Y       []float32
	Scale      []float32 // Cols elements, or nil for 1
	Shift      []float32 // Cols elements, or nil for 0
	// Slope, when it is set, multiplies what is below zero (PRelu); Scale, Shift and Act then do not count.
	Slope []float32
	Act   Activation
}

// affineElements is about how many elements one call of the element-wise functions takes: rows are handled together, with
// the factors repeated, when they are short.
const affineElements = 512

// rowsAtOnce is how many rows that makes.
func (a *Affine) rowsAtOnce() int { return max(1, affineElements/max(1, a.Cols)) }

// Units implements pool.Task.
func (a *Affine) Units() int { return ceilDiv(a.Rows, a.rowsAtOnce()) }

// Nanos implements pool.Task.
func (a *Affine) Nanos() int { return elementNanos(active, a.Rows*a.Cols, 6) }

// Run implements pool.Task.
func (a *Affine) Run(lo, hi int) {
	if a.Cols == 0 {
		return
	}
	s := getScratch()
	defer s.free()
	rows := a.rowsAtOnce()
	n := rows * a.Cols
	buf := grow(&s.f32, 3*n)
	scale, shift, low := repeat(buf[:n], a.Scale), repeat(buf[n:2*n], a.Shift), buf[2*n:]
	slope := a.Slope
	if slope != nil {
		slope = repeat(buf[:n], a.Slope)
	}
	for u := lo; u < hi; u++ {
		from, to := u*n, min((u+1)*n, a.Rows*a.Cols)
		x, y := a.X[from:to], a.Y[from:to]
		if slope != nil {
			Clip(low[:len(x)], x, negInf, 0)
			Relu(y, x)
			MulAdd(y, low[:len(x)], slope[:len(x)], y)
			continue
		}
		switch {
		case scale != nil && shift != nil:
			MulAdd(y, x, scale[:len(x)], shift[:len(x)])
		case scale != nil:
			Mul(y, x, scale[:len(x)])
		case shift != nil:
			Add(y, x, shift[:len(x)])
		default:
			copy(y, x)
		}
		if a.Act.Kind != ActNone {
			a.Act.Apply(y, y)
		}
	}
}

// repeat fills dst with copies of src; nil stays nil.
func repeat(dst, src []float32) []float32 {
	if src == nil {
		return nil
	}
	for at := 0; at < len(dst); at += copy(dst[at:], src) {
	}
	return dst
}
