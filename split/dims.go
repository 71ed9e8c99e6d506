package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// dim is one dimension while types are inferred: a size, or -1 and perhaps the name of a symbolic size.
type dim struct {
	n int
	p string
}

// dims is a shape while types are inferred; nil when not even the rank is known.
type dims []dim

var unknownDim = dim{n: tensor.Unknown}

// size is a known dimension.
func size(n int) dim { return dim{n: n} }

// unknownDims is a shape of which only the rank is known; nil for a negative rank.
func unknownDims(rank int) dims {
	if rank < 0 {
		return nil
	}
	d := make(dims, rank)
	for i := range d {
		d[i] = unknownDim
	}
	return d
}

// typeDims is the shape of t.
func typeDims(t Type) dims {
	if t.Kind != TensorKind || t.Shape == nil {
		return nil
	}
	d := make(dims, len(t.Shape))
	for i, n := range t.Shape {
		d[i] = dim{n: n}
		if n < 0 && i < len(t.Params) {
			d[i].p = t.Params[i]
		}
	}
	return d
}

// tensorOf is a tensor type of shape d.
func tensorOf(dt tensor.DType, d dims) Type {
	t := Type{DType: dt}
	if d == nil {
		return t
	}
	t.Shape = make(tensor.Shape, len(d))
	for i, x := range d {
		t.Shape[i] = x.n
		if x.p != "" && x.n < 0 {
			if t.Params == nil {
				t.Params = make([]string, len(d))
			}
			t.Params[i] = x.p
		}
	}
	return t
}

func (d dim) known() bool { return d.n >= 0 }

// known reports whether rank and every size are known.
func (d dims) known() bool {
	return d != nil && !slices.ContainsFunc(d, func(x dim) bool { return x.n < 0 })
}

// shape is d as sizes.
func (d dims) shape() tensor.Shape { return tensorOf(tensor.Invalid, d).Shape }

// product is the product of the sizes; unknown when one is not known, unless another is 0.
func (d dims) product() dim {
	const most = min(MaxElements, math.MaxInt)
	n := 1
	unknown := -1
	for i, x := range d {
		switch {
		case x.n == 0:
			return size(0)
		case x.n < 0 && unknown >= 0:
			return unknownDim
		case x.n < 0:
			unknown = i
		default:
			if n > most/x.n {
				return unknownDim
			}
			n *= x.n
		}
	}
	if unknown < 0 {
		return size(n)
	}
	if n == 1 {
		return d[unknown] // the one unknown size itself
	}
	return unknownDim
}

// MaxElements is the most elements of a tensor whose size inference computes with; larger sizes count as unknown.
const MaxElements = 1 << 46

// add is a+n where a is known.
func (d dim) add(n int) dim {
	if d.n < 0 {
		if n == 0 {
			return d
		}
		return unknownDim
	}
	return size(max(d.n+n, 0))
}

// same is what is known of a dimension that is both a and b. It fails when they are different.
func same(a, b dim) (dim, bool) {
	switch {
	case a.n >= 0 && b.n >= 0:
		return a, a.n == b.n
	case a.n >= 0:
		return a, true
	case b.n >= 0:
		return b, true
	case a.p != "":
		return a, true
	}
	return b, true
}

// either is what is known of a dimension that is a or b.
func either(a, b dim) dim {
	if a == b {
		return a
	}
	return unknownDim
}

// eitherDims is what is known of a shape that is a or b.
func eitherDims(a, b dims) dims {
	if a == nil || b == nil || len(a) != len(b) {
		return nil
	}
	out := make(dims, len(a))
	for i := range a {
		out[i] = either(a[i], b[i])
	}
	return out
}

// eitherType is what is known of a value that is of type a or b.
func eitherType(a, b Type) Type {
	if a.Kind != b.Kind {
		return a
	}
	if a.Kind != TensorKind {
		if a.Elem == nil || b.Elem == nil {
			return Type{Kind: a.Kind}
		}
		e := eitherType(*a.Elem, *b.Elem)
		return Type{Kind: a.Kind, Elem: &e}
	}
	t := tensorOf(a.DType, eitherDims(typeDims(a), typeDims(b)))
	if b.DType != a.DType && b.DType != tensor.Invalid {
		t.DType = tensor.Invalid
		if a.DType == tensor.Invalid {
			t.DType = b.DType
		}
	}
	return t
}

// broadcast is numpy's rule: shapes line up at the end, and a size of 1 stretches.
func broadcast(shapes ...dims) (dims, error) {
	rank := 0
	for _, s := range shapes {
		if s == nil {
			return nil, nil
		}
		rank = max(rank, len(s))
	}
	out := make(dims, rank)
	for i := range out {
		out[i] = size(1)
		for _, s := range shapes {
			j := i - (rank - len(s))
			if j < 0 || s[j].n == 1 {
				continue
			}
			x := s[j]
			switch {
			case out[i].n == 1:
				out[i] = x
			case out[i].n >= 0 && x.n >= 0 && out[i].n != x.n:
				return nil, invalid("shapes do not broadcast: %s", shapeList(shapes))
			case out[i].n >= 0: // x is unknown: 1 or the same
			case x.n >= 0:
				out[i] = x
			case out[i] != x:
				out[i] = unknownDim
			}
		}
	}
	return out, nil
}

// shapeList prints shapes for an error.
func shapeList(shapes []dims) string {
	s := ""
	for i, d := range shapes {
		if i > 0 {
			s += " and "
		}
		if d == nil {
			s += "*"
		} else {
			s += d.shape().String()
		}
	}
	return s
}
