package tensor

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Shape is the sizes of the dimensions, outermost first; an empty Shape is a scalar. Unknown stands for a size that is
// not known before run time.
type Shape []int

// Unknown is the size of a dimension that is not known yet.
const Unknown = -1

// ErrShape is wrapped by every error about a shape that is negative, unknown or too large.
var ErrShape = errors.New("bad shape")

// Known reports whether every dimension has a size.
func (s Shape) Known() bool { return !slices.ContainsFunc(s, func(d int) bool { return d < 0 }) }

// Elements is the product of the sizes: 1 for a scalar, 0 when any size is 0.
// It fails when a size is unknown or the product does not fit in an int.
func (s Shape) Elements() (int, error) {
	if !s.Known() {
		return 0, fmt.Errorf("%w %v: dimension is unknown", ErrShape, s)
	}
	n := uint64(1)
	for _, d := range s {
		if d == 0 {
			return 0, nil
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, fmt.Errorf("%w %v: too many elements", ErrShape, s)
		}
		n = lo
	}
	return int(n), nil
}

// Equal reports whether both shapes have the same rank and sizes.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Clone is a copy that shares nothing with s; a scalar's clone is empty, not nil.
func (s Shape) Clone() Shape { return append(Shape{}, s...) }

// String prints the sizes joined by "x", "?" for an unknown size and "scalar" for rank 0.
func (s Shape) String() string {
	if len(s) == 0 {
		return "scalar"
	}
	var b strings.Builder
	for i, d := range s {
		if i > 0 {
			b.WriteByte('x')
		}
		if d < 0 {
			b.WriteByte('?')
		} else {
			b.WriteString(strconv.Itoa(d))
		}
	}
	return b.String()
}

// Bytes is the size of a dense tensor of dtype d and shape s, sub-byte types rounded up to whole bytes.
// It fails where Elements fails, for String, and when the byte count does not fit in an int.
func Bytes(d DType, s Shape) (int, error) {
	n, err := s.Elements()
	if err != nil {
		return 0, err
	}
	w := d.Bits()
	if w == 0 {
		return 0, fmt.Errorf("%s has no fixed element width", d)
	}
	hi, lo := bits.Mul64(uint64(n), uint64(w))
	if hi != 0 || lo > math.MaxInt64-7 || (lo+7)/8 > math.MaxInt {
		return 0, fmt.Errorf("%w %v of %s: too many bytes", ErrShape, s, d)
	}
	return int((lo + 7) / 8), nil
}
