package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// mover copies runs of elements between tensors of one type, whatever the type is.
type mover struct{ width int } // bytes an element; 0 for strings

// move copies n elements from src, starting at element i, to dst, starting at element o.
func (m mover) move(dst *tensor.Tensor, o int, src *tensor.Tensor, i, n int) {
	if m.width == 0 {
		copy(dst.Strings()[o:o+n], src.Strings()[i:i+n])
		return
	}
	w := m.width
	d, s := dst.Bytes()[o*w:(o+n)*w], src.Bytes()[i*w:(i+n)*w]
	switch len(d) {
	case 4:
		*(*[4]byte)(d) = *(*[4]byte)(s)
	case 8:
		*(*[8]byte)(d) = *(*[8]byte)(s)
	default:
		copy(d, s)
	}
}

// fill sets every element of dst to src's element i.
func (m mover) fill(dst *tensor.Tensor, src *tensor.Tensor, i int) {
	n := dst.Len()
	if n == 0 {
		return
	}
	m.move(dst, 0, src, i, 1)
	for done := 1; done < n; done *= 2 {
		m.move(dst, done, dst, 0, min(done, n-done))
	}
}

// moverOf is the mover of a type whose elements are whole bytes, or strings.
func moverOf(d tensor.DType) mover { return mover{d.Bits() / 8} }

// moves runs f with the mover of out's type. Packed 4-bit and 2-bit tensors never come here: the evaluator unpacks them.
func (c *call) moves(out *tensor.Tensor, f func(m mover)) error {
	if b := out.DType().Bits(); b%8 != 0 {
		return c.unsupported("type %s", out.DType())
	}
	f(moverOf(out.DType()))
	return nil
}

// gatherRows writes the blocks of src that start at the given element offsets, one after the other.
func (c *call) gatherRows(out, src *tensor.Tensor, offsets []int, n int) error {
	return c.moves(out, func(m mover) {
		for k, at := range offsets {
			m.move(out, k*n, src, at, n)
		}
	})
}

// strided writes, in row-major order of shape, the elements of src that stand at start + index·stride.
func (c *call) strided(out, src *tensor.Tensor, shape tensor.Shape, start int, st []int) error {
	return c.moves(out, func(m mover) {
		l, o := last(st), 0
		walk(shape, [][]int{st}, func(n int, at []int) {
			i := start + at[0]
			if l == 1 {
				m.move(out, o, src, i, n)
				o += n
				return
			}
			switch m.width {
			case 4:
				stride(tensor.Data[uint32](out)[o:o+n], tensor.Data[uint32](src), i, l)
			case 1:
				stride(out.Bytes()[o:o+n], src.Bytes(), i, l)
			case 8:
				stride(tensor.Data[uint64](out)[o:o+n], tensor.Data[uint64](src), i, l)
			default:
				for k := range n {
					m.move(out, o+k, src, i+k*l, 1)
				}
			}
			o += n
		})
	})
}

func stride[T any](out, in []T, i, step int) {
	for k := range out {
		out[k] = in[i]
		i += step
	}
}
