package split

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// reshaped is the first input with the shape that the op's rule gives; it shares the buffer.
func (e *evaluation) reshaped() (*tensor.Tensor, error) {
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	return e.in[0].Reshape(s)
}

// view is a strided look at a tensor's elements: element (i, j, ...) of the result is element offset + i*strides[0] + ... of the source.
type view struct {
	shape   tensor.Shape
	strides []int
	offset  int
}

// denseStrides is the strides of a row-major tensor.
func denseStrides(s tensor.Shape) []int {
	strides := make([]int, len(s))
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		strides[i] = n
		n *= s[i]
	}
	return strides
}

// copyView copies what v sees of src, whose elements have width bytes, to dst, from element at on and with row length
// row of dst's dimension axis (see concat). Plain callers take take.
func copyView(dst, src []byte, width int, v view, dstStrides []int, dstOffset int) {
	if len(v.shape) == 0 {
		copy(dst[dstOffset*width:][:width], src[v.offset*width:][:width])
		return
	}
	last := len(v.shape) - 1
	if slices.Contains(v.shape, 0) {
		return
	}
	index := make([]int, last)
	from, to := v.offset, dstOffset
	for {
		if v.strides[last] == 1 && dstStrides[last] == 1 {
			copy(dst[to*width:(to+v.shape[last])*width], src[from*width:])
		} else {
			for i := range v.shape[last] {
				d, s := (to+i*dstStrides[last])*width, (from+i*v.strides[last])*width
				copy(dst[d:d+width], src[s:s+width])
			}
		}
		i := last - 1
		for ; i >= 0; i-- {
			index[i]++
			from += v.strides[i]
			to += dstStrides[i]
			if index[i] < v.shape[i] {
				break
			}
			from -= v.strides[i] * v.shape[i]
			to -= dstStrides[i] * v.shape[i]
			index[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// take is a new tensor of what v sees of t.
func (e *evaluation) take(t *tensor.Tensor, v view) (*tensor.Tensor, error) {
	out, err := e.alloc(t.DType(), v.shape)
	if err != nil {
		return nil, err
	}
	copyView(out.Bytes(), t.Bytes(), t.DType().Bits()/8, v, denseStrides(v.shape), 0)
	return out, nil
}

func (e *evaluation) transpose() (*tensor.Tensor, error) {
	x := e.in[0]
	perm, err := permutation(e.o.Ints("perm"), len(x.Shape()))
	if err != nil {
		return nil, err
	}
	strides := denseStrides(x.Shape())
	v := view{shape: make(tensor.Shape, len(perm)), strides: make([]int, len(perm))}
	for i, p := range perm {
		v.shape[i], v.strides[i] = x.Shape()[p], strides[p]
	}
	return e.take(x, v)
}

func (e *evaluation) slice() (*tensor.Tensor, error) {
	x := e.in[0]
	starts, err := e.ints(1)
	if err != nil {
		return nil, err
	}
	ends, err := e.ints(2)
	if err != nil {
		return nil, err
	}
	if _, err := e.inferredShape(); err != nil {
		return nil, err
	}
	v := view{shape: x.Shape().Clone(), strides: denseStrides(x.Shape())}
	base := slices.Clone(v.strides)
	for i := range starts {
		axis, step := i, int64(1)
		if e.arg(3) != nil {
			axes, err := e.ints(3)
			if err != nil {
				return nil, err
			}
			if axis, err = axisOf(nth(axes, i), len(x.Shape())); err != nil {
				return nil, err
			}
		}
		if e.arg(4) != nil {
			steps, err := e.ints(4)
			if err != nil {
				return nil, err
			}
			step = nth(steps, i)
		}
		if i >= len(ends) || axis >= len(base) || step == 0 {
			return nil, ErrUnknownOp
		}
		n := x.Shape()[axis]
		from, _ := sliceBounds(n, starts[i], ends[i], step)
		v.shape[axis] = sliceCount(n, starts[i], ends[i], step)
		if v.shape[axis] > 0 {
			v.offset += int(from) * base[axis]
		}
		if v.shape[axis] > 1 {
			v.strides[axis] = base[axis] * int(step)
		}
	}
	return e.take(x, v)
}

// stretch is t broadcast to s.
func (e *evaluation) stretch(t *tensor.Tensor, s tensor.Shape) (*tensor.Tensor, error) {
	if t.Shape().Equal(s) {
		return t, nil
	}
	if len(t.Shape()) > len(s) {
		return nil, invalid("%v does not stretch to %v", t.Shape(), s)
	}
	v := view{shape: s, strides: make([]int, len(s))}
	strides := denseStrides(t.Shape())
	skip := len(s) - len(t.Shape())
	for i, n := range t.Shape() {
		switch {
		case n == s[skip+i]:
			v.strides[skip+i] = strides[i]
		case n != 1:
			return nil, invalid("%v does not stretch to %v", t.Shape(), s)
		}
	}
	return e.take(t, v)
}

func (e *evaluation) expand() (*tensor.Tensor, error) {
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	return e.stretch(e.in[0], s)
}

func (e *evaluation) tile() (*tensor.Tensor, error) {
	x := e.in[0]
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	out, err := e.alloc(x.DType(), s)
	if err != nil {
		return nil, err
	}
	// Seen with each dimension split into repeats and size, the output stretches the input.
	v := view{strides: []int{}}
	strides := denseStrides(x.Shape())
	for i, n := range x.Shape() {
		r := 0
		if n > 0 {
			r = s[i] / n
		}
		v.shape = append(v.shape, r, n)
		v.strides = append(v.strides, 0, strides[i])
	}
	copyView(out.Bytes(), x.Bytes(), x.DType().Bits()/8, v, denseStrides(v.shape), 0)
	return out, nil
}

func (e *evaluation) concat() (*tensor.Tensor, error) {
	for _, t := range e.in {
		if t == nil || t.DType() != e.in[0].DType() {
			return nil, ErrUnknownOp
		}
	}
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	axis, err := axisOf(e.o.Int("axis", 1), len(s))
	if err != nil {
		return nil, err
	}
	out, err := e.alloc(e.in[0].DType(), s)
	if err != nil {
		return nil, err
	}
	to := denseStrides(s)
	at := 0
	for _, t := range e.in {
		copyView(out.Bytes(), t.Bytes(), t.DType().Bits()/8, view{shape: t.Shape(), strides: denseStrides(t.Shape())}, to, at*to[axis])
		at += t.Shape()[axis]
	}
	return out, nil
}

func (e *evaluation) split() ([]*tensor.Tensor, error) {
	x := e.in[0]
	shapes, err := e.inferredShapes()
	if err != nil {
		return nil, err
	}
	axis, err := axisOf(e.o.Int("axis", 0), len(x.Shape()))
	if err != nil {
		return nil, err
	}
	strides := denseStrides(x.Shape())
	out := make([]*tensor.Tensor, len(shapes))
	at := 0
	for i, s := range shapes {
		if out[i], err = e.take(x, view{shape: s, strides: strides, offset: at * strides[axis]}); err != nil {
			return nil, err
		}
		at += s[axis]
	}
	return out, nil
}

func (e *evaluation) gather() (*tensor.Tensor, error) {
	x := e.in[0]
	index, err := e.ints(1)
	if err != nil {
		return nil, err
	}
	s, err := e.inferredShape()
	if err != nil {
		return nil, err
	}
	axis, err := axisOf(e.o.Int("axis", 0), len(x.Shape()))
	if err != nil {
		return nil, err
	}
	out, err := e.alloc(x.DType(), s)
	if err != nil {
		return nil, err
	}
	width := x.DType().Bits() / 8
	outer, _ := x.Shape()[:axis].Elements()
	inner, _ := x.Shape()[axis+1:].Elements()
	n, row := x.Shape()[axis], inner*width
	to := 0
	for o := range outer {
		for _, i := range index {
			if i < 0 {
				i += int64(n)
			}
			if i < 0 || i >= int64(n) {
				return nil, invalid("index %d is out of range for %d", i, n)
			}
			copy(out.Bytes()[to:to+row], x.Bytes()[(o*n+int(i))*row:])
			to += row
		}
	}
	return out, nil
}

func (e *evaluation) constantOfShape() (*tensor.Tensor, error) {
	dims, err := e.ints(0)
	if err != nil {
		return nil, err
	}
	if len(dims) > MaxRank {
		return nil, ErrLimit
	}
	s := make(tensor.Shape, len(dims))
	for i, d := range dims {
		if d < 0 || d > MaxElements {
			return nil, fmt.Errorf("%w: %d", tensor.ErrShape, d)
		}
		s[i] = int(d)
	}
	value := e.o.Tensor("value")
	if value == nil {
		return e.alloc(tensor.Float32, s)
	}
	if value.Len() != 1 || value.DType().Bits() < 8 {
		return nil, ErrUnknownOp
	}
	out, err := e.alloc(value.DType(), s)
	if err != nil {
		return nil, err
	}
	fill(out.Bytes(), value.Bytes())
	return out, nil
}

// fillBlock is the most bytes that fill copies at once.
const fillBlock = 16 << 10

// fill repeats pattern all over dst, which is zero and whose length is a multiple of the pattern's.
func fill(dst, pattern []byte) {
	if slices.Max(pattern) == 0 {
		return
	}
	n := copy(dst, pattern)
	block := fillBlock / len(pattern) * len(pattern)
	for n < len(dst) {
		n += tensor.Copy(dst[n:], dst[:min(n, block)])
	}
}

func (e *evaluation) shape() (*tensor.Tensor, error) {
	s := e.in[0].Shape()
	from, n := shapeRange(e.o, len(s)), shapeCount(e.o, len(s))
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(s[from+i])
	}
	return tensor.Of(tensor.Int64, tensor.Shape{n}, out...), nil
}

func (e *evaluation) nonZero() (*tensor.Tensor, error) {
	x := e.in[0]
	width := x.DType().Bits() / 8
	var hits []int
	zero := make([]byte, width)
	if d := x.DType(); d != tensor.Bool && !isInteger(d) {
		return nil, ErrUnknownOp
	}
	for i := range x.Len() {
		if !slices.Equal(x.Bytes()[i*width:][:width], zero) {
			hits = append(hits, i)
		}
	}
	rank := len(x.Shape())
	out, err := e.alloc(tensor.Int64, tensor.Shape{rank, len(hits)})
	if err != nil {
		return nil, err
	}
	strides := denseStrides(x.Shape())
	for i, h := range hits {
		for d := range rank {
			tensor.Data[int64](out)[d*len(hits)+i] = int64(h / strides[d] % x.Shape()[d])
		}
	}
	return out, nil
}
