package kernel

import "unsafe"

// columnArgs is one call of a loop over the rows of some columns of a matrix:
//
//	columnSums:    y[c] = sum over r < rows: x[r][c]
//	columnSquares: y[c] = sum over r < rows: (x[r][c]-a[c])^2
//	columnScale:   y[r][c] = clamp(x[r][c]*a[c] + b[c])
//
// each sum in ascending order of rows, fused where the instruction set has it. The assembly knows the offsets of the fields.
type columnArgs struct {
	x, y   unsafe.Pointer // 0, 8
	a, b   unsafe.Pointer // 16, 24
	rows   uintptr        // at least 1; 32
	cols   uintptr        // bytes; 40
	stride uintptr        // bytes from one row to the next of x and of columnScale's y; 48
	lo, hi float32        // 56, 60
}

// row is row r of p, x or y.
func (a *columnArgs) row(p unsafe.Pointer, r uintptr) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(p, r*a.stride)), int(a.cols/4))
}

func columnSumsGeneric(a *columnArgs) {
	y := a.row(a.y, 0)
	clear(y)
	for r := range a.rows {
		for c, v := range a.row(a.x, r) {
			y[c] += v
		}
	}
}

func columnSquaresGeneric(a *columnArgs) {
	y, mean := a.row(a.y, 0), a.row(a.a, 0)
	clear(y)
	for r := range a.rows {
		for c, v := range a.row(a.x, r) {
			d := v - mean[c]
			y[c] += d * d
		}
	}
}

func columnScaleGeneric(a *columnArgs) {
	scale, shift := a.row(a.a, 0), a.row(a.b, 0)
	for r := range a.rows {
		y := a.row(a.y, r)
		for c, v := range a.row(a.x, r) {
			y[c] = clampTo(v*scale[c]+shift[c], a.lo, a.hi)
		}
	}
}
