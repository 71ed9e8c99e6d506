package native

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// broadcastShapes is NumPy's common shape; ok is false when the shapes do not fit each other.
func broadcastShapes(shapes ...tensor.Shape) (out tensor.Shape, ok bool) {
	for _, s := range shapes {
		if len(s) > len(out) {
			out = append(make(tensor.Shape, len(s)-len(out), len(s)), out...)
			for i := range len(s) {
				if out[i] == 0 {
					out[i] = -2 // nothing said yet
				}
			}
		}
		off := len(out) - len(s)
		for i, d := range s {
			switch o := out[off+i]; {
			case o == -2 || o == 1 || o == d:
				out[off+i] = d
			case d != 1:
				return nil, false
			}
		}
	}
	if out == nil {
		out = tensor.Shape{}
	}
	return out, true
}

// strides are the element strides of a dense row-major tensor.
func strides(s tensor.Shape) []int {
	st := make([]int, len(s))
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		st[i] = n
		n *= s[i]
	}
	return st
}

// broadcastStrides are the strides with which a tensor of shape s walks over shape out: 0 where it repeats.
func broadcastStrides(s, out tensor.Shape) []int {
	st := make([]int, len(out))
	own := strides(s)
	off := len(out) - len(s)
	for i, d := range s {
		if d != 1 {
			st[off+i] = own[i]
		}
	}
	return st
}

// walk calls f for every innermost row of shape with the offset of the row's first element in each of several strided
// operands. f gets the row's length; the operands advance by their last stride inside a row.
func walk(shape tensor.Shape, sts [][]int, f func(n int, at []int)) {
	rank := len(shape)
	at := make([]int, len(sts))
	if rank == 0 {
		f(1, at)
		return
	}
	for _, d := range shape {
		if d == 0 {
			return
		}
	}
	idx := make([]int, rank-1)
	for {
		f(shape[rank-1], at)
		k := rank - 2
		for ; k >= 0; k-- {
			idx[k]++
			for o := range sts {
				at[o] += sts[o][k]
			}
			if idx[k] < shape[k] {
				break
			}
			for o := range sts {
				at[o] -= sts[o][k] * shape[k]
			}
			idx[k] = 0
		}
		if k < 0 {
			return
		}
	}
}

// last is the innermost stride, 0 for a scalar.
func last(st []int) int {
	if len(st) == 0 {
		return 0
	}
	return st[len(st)-1]
}

// zip computes out = f(a, b) with broadcasting; out has shape so.
func zip[T, R any](out []R, so tensor.Shape, a []T, sa tensor.Shape, b []T, sb tensor.Shape, f func(T, T) R) {
	switch {
	case sa.Equal(so) && sb.Equal(so):
		for i := range out {
			out[i] = f(a[i], b[i])
		}
		return
	case sa.Equal(so) && len(b) == 1:
		for i, v := range a {
			out[i] = f(v, b[0])
		}
		return
	}
	sta, stb := broadcastStrides(sa, so), broadcastStrides(sb, so)
	la, lb := last(sta), last(stb)
	o := 0
	walk(so, [][]int{sta, stb}, func(n int, at []int) {
		i, j := at[0], at[1]
		for range n {
			out[o] = f(a[i], b[j])
			o++
			i += la
			j += lb
		}
	})
}

// expand writes a, of shape sa, broadcast to shape so.
func expand[T any](out []T, so tensor.Shape, a []T, sa tensor.Shape) {
	st := broadcastStrides(sa, so)
	l, o := last(st), 0
	walk(so, [][]int{st}, func(n int, at []int) {
		i := at[0]
		for range n {
			out[o] = a[i]
			o++
			i += l
		}
	})
}
