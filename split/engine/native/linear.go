package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// matmulShapes are the batch shape and the M, K, N of NumPy's matmul; vectors are seen as matrices.
func matmulShapes(a, b tensor.Shape) (batch tensor.Shape, as, bs tensor.Shape, out tensor.Shape, ok bool) {
	if len(a) == 0 || len(b) == 0 {
		return nil, nil, nil, nil, false
	}
	as, bs = a, b
	if len(a) == 1 {
		as = tensor.Shape{1, a[0]}
	}
	if len(b) == 1 {
		bs = tensor.Shape{b[0], 1}
	}
	if as[len(as)-1] != bs[len(bs)-2] {
		return nil, nil, nil, nil, false
	}
	batch, ok = broadcastShapes(as[:len(as)-2], bs[:len(bs)-2])
	if !ok {
		return nil, nil, nil, nil, false
	}
	out = batch.Clone()
	if len(a) > 1 {
		out = append(out, as[len(as)-2])
	}
	if len(b) > 1 {
		out = append(out, bs[len(bs)-1])
	}
	return batch, as, bs, out, true
}

// matmul is the product of two stacks of matrices, summed in order of k.
func matmul[T float64 | int64](a []T, as tensor.Shape, b []T, bs tensor.Shape, batch tensor.Shape, out []T) {
	m, k, n := as[len(as)-2], as[len(as)-1], bs[len(bs)-1]
	sa, sb := broadcastStrides(as[:len(as)-2], batch), broadcastStrides(bs[:len(bs)-2], batch)
	o := 0
	walk(batch, [][]int{sa, sb}, func(rows int, at []int) {
		for r := range rows {
			x := a[(at[0]+r*last(sa))*m*k:]
			y := b[(at[1]+r*last(sb))*k*n:]
			for i := range m {
				dst := out[o : o+n]
				clear(dst)
				for p := range k {
					v := x[i*k+p]
					for j, w := range y[p*n : p*n+n] {
						dst[j] += v * w
					}
				}
				o += n
			}
		}
	})
}

// evalMatMul is MatMul and, with its attributes, com.microsoft's FusedMatMul.
func evalMatMul(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	b, err := c.tensor(1)
	if err != nil {
		return err
	}
	if c.attrInt("transA", 0) == 1 {
		if a, err = c.transposed(a); err != nil {
			return err
		}
	}
	if c.attrInt("transB", 0) == 1 {
		if b, err = c.transposed(b); err != nil {
			return err
		}
	}
	if c.attrInt("transBatchA", 0)+c.attrInt("transBatchB", 0) > 0 {
		return c.unsupported("transposed batches")
	}
	batch, as, bs, so, ok := matmulShapes(a.Shape(), b.Shape())
	if !ok || a.DType() != b.DType() {
		return c.errorf("%s and %s cannot be multiplied", a, b)
	}
	out, err := c.output(0, a.DType(), so)
	if err != nil {
		return err
	}
	if isInteger(a.DType()) {
		x, err := c.ints(0)
		if err != nil {
			return err
		}
		y, err := c.ints(1)
		if err != nil {
			return err
		}
		r := make([]int64, out.Len())
		matmul(toInt64s(x), as, toInt64s(y), bs, batch, r)
		setInts(out, r)
		return nil
	}
	r := make([]float64, out.Len())
	matmul(floats(a), as, floats(b), bs, batch, r)
	if alpha := c.attrFloat("alpha", 1); alpha != 1 {
		for i := range r {
			r[i] *= alpha
		}
	}
	setFloats(out, r)
	return nil
}

func toInt64s(v []int) []int64 {
	r := make([]int64, len(v))
	for i, x := range v {
		r[i] = int64(x)
	}
	return r
}

// setInts stores integers into an integer tensor, wrapping.
func setInts(t *tensor.Tensor, v []int64) {
	switch t.DType() {
	case tensor.Int64, tensor.Uint64:
		copy(tensor.Data[int64](t), v)
	case tensor.Int32, tensor.Uint32:
		for i, x := range v {
			tensor.Data[int32](t)[i] = int32(x)
		}
	default:
		f := make([]float64, len(v))
		for i, x := range v {
			f[i] = float64(x)
		}
		setFloats(t, f)
	}
}

// transposed swaps the last two dimensions.
func (c *call) transposed(t *tensor.Tensor) (*tensor.Tensor, error) {
	s, st := t.Shape().Clone(), strides(t.Shape())
	r := len(s)
	if r < 2 {
		return nil, c.errorf("%v has no last two dimensions", s)
	}
	s[r-1], s[r-2] = s[r-2], s[r-1]
	st[r-1], st[r-2] = st[r-2], st[r-1]
	out, err := c.scratch(t.DType(), s)
	if err != nil {
		return nil, err
	}
	return out, c.strided(out, t, s, 0, st)
}

func evalGemm(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	b, err := c.tensor(1)
	if err != nil {
		return err
	}
	if c.attrInt("transA", 0) == 1 {
		if a, err = c.transposed(a); err != nil {
			return err
		}
	}
	if c.attrInt("transB", 0) == 1 {
		if b, err = c.transposed(b); err != nil {
			return err
		}
	}
	as, bs := a.Shape(), b.Shape()
	if len(as) != 2 || len(bs) != 2 || as[1] != bs[0] || a.DType() != b.DType() {
		return c.errorf("%s and %s cannot be multiplied", a, b)
	}
	out, err := c.output(0, a.DType(), tensor.Shape{as[0], bs[1]})
	if err != nil {
		return err
	}
	alpha, beta := c.attrFloat("alpha", 1), c.attrFloat("beta", 1)
	r := make([]float64, out.Len())
	matmul(floats(a), as, floats(b), bs, tensor.Shape{}, r)
	for i := range r {
		r[i] *= alpha
	}
	if t := c.maybe(2); t != nil && beta != 0 {
		if s, ok := broadcastShapes(t.Shape(), out.Shape()); !ok || !s.Equal(out.Shape()) {
			return c.errorf("bias %v does not fit %v", t.Shape(), out.Shape())
		}
		zip(r, out.Shape(), r, out.Shape(), floats(t), t.Shape(), func(x, y float64) float64 { return x + beta*y })
	}
	setFloats(out, r)
	return nil
}

// evalDet is the determinant of each matrix in a stack, by elimination with pivots.
func evalDet(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	s := t.Shape()
	if len(s) < 2 || s[len(s)-1] != s[len(s)-2] {
		return c.errorf("needs square matrices, not %v", s)
	}
	n := s[len(s)-1]
	out, err := c.output(0, t.DType(), s[:len(s)-2])
	if err != nil {
		return err
	}
	v, r := floats(t), make([]float64, out.Len())
	for i := range r {
		r[i] = determinant(v[i*n*n:(i+1)*n*n], n)
	}
	setFloats(out, r)
	return nil
}

func determinant(a []float64, n int) float64 {
	det := 1.0
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if math.Abs(a[i*n+k]) > math.Abs(a[p*n+k]) {
				p = i
			}
		}
		if a[p*n+k] == 0 {
			return 0
		}
		if p != k {
			det = -det
			for j := range n {
				a[k*n+j], a[p*n+j] = a[p*n+j], a[k*n+j]
			}
		}
		det *= a[k*n+k]
		for i := k + 1; i < n; i++ {
			f := a[i*n+k] / a[k*n+k]
			for j := k; j < n; j++ {
				a[i*n+j] -= f * a[k*n+j]
			}
		}
	}
	return det
}
