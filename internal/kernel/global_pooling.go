package kernel

import "unsafe"

// GlobalPooling is the task Y[n][c] = the mean, or the highest, of X[n][p][c] over Pixels pixels p, at least one, of N NHWC images.
type GlobalPooling struct {
	N, Pixels, C int
	Highest      bool
	X, Y         []float32
}

// globalCols is the channels of one unit: a panel of the widest instruction set.
const globalCols = 32

// Units implements pool.Task.
func (g *GlobalPooling) Units() int { return g.N * ceilDiv(g.C, globalCols) }

// Nanos implements pool.Task.
func (g *GlobalPooling) Nanos() int { return elementNanos(active, g.N*g.Pixels*g.C, 2) }

// Run implements pool.Task.
func (g *GlobalPooling) Run(lo, hi int) {
	perImage := ceilDiv(g.C, globalCols)
	s := getScratch()
	defer s.free()
	for u := lo; u < hi; u++ {
		img, c0 := u/perImage, u%perImage*globalCols
		c1 := min(c0+globalCols, g.C)
		x, y := g.X[img*g.Pixels*g.C:(img+1)*g.Pixels*g.C], g.Y[img*g.C+c0:img*g.C+c1]
		if g.Highest {
			copy(y, x[c0:c1])
			for p := 1; p < g.Pixels; p++ {
				Max(y, y, x[p*g.C+c0:p*g.C+c1])
			}
			continue
		}
		g.sum(s, y, x, c0)
		MulScalar(y, y, 1/float32(g.Pixels))
	}
}

// ones is the row that sums the rows of a matrix when it is multiplied by it.
var ones = func() (x [blockK]float32) {
	for i := range x {
		x[i] = 1
	}
	return x
}()

// sum adds the pixels' channels from c0 on to y, in ascending order of pixels: as a product of a row of ones by the image where the
// product's inner loop reads no element beyond it.
func (g *GlobalPooling) sum(s *scratch, y, x []float32, c0 int) {
	clear(y)
	panel := panelWidth(active)
	for n := 0; n < len(y); n += panel {
		width, cols := panel, min(panel, len(y)-n)
		if cols <= panel/2 {
			width = panel / 2
		}
		if active < AVX2 || active < AVX512 && cols < width {
			for p := range g.Pixels {
				Add(y[n:n+cols], y[n:n+cols], x[p*g.C+c0+n:p*g.C+c0+n+cols])
			}
			continue
		}
		rows := grow(&s.rows, tileRows)
		rows[0] = address(&ones[0])
		a := &s.tile
		for p := 0; p < g.Pixels; p += blockK {
			*a = tileArgs{
				rows: &rows[0], b: unsafe.Pointer(&x[p*g.C+c0+n]), c: unsafe.Pointer(&y[n]), taps: 1, acc: 1, lo: negInf, hi: posInf,
				k: uintptr(min(blockK, g.Pixels-p)) * 4, ldb: uintptr(g.C) * 4, cols: uintptr(cols),
			}
			tiles(active, a, 1, width, panel)
		}
	}
}
