package tensor

import (
	"fmt"
	"slices"
	"unsafe"
)

// Align is the alignment in bytes of every buffer that this package allocates.
const Align = 64

// Tensor is a dense row-major tensor. The zero Tensor has no type and holds nothing.
//
// Several Tensors may share one buffer (see Reshape and engine arenas); whoever owns the buffer says how long it is
// valid. A Tensor is safe for concurrent reading.
type Tensor struct {
	dtype DType
	shape Shape
	data  []byte   // every type but String
	text  []string // String only
	// mapped says that data is part of a file's mapping.
	mapped bool
}

// New allocates a zeroed tensor. It fails on an invalid type, an unknown dimension or an overflow.
func New(d DType, s Shape) (*Tensor, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("new tensor: invalid element type %d", uint8(d))
	}
	if d == String {
		n, err := s.Elements()
		if err != nil {
			return nil, fmt.Errorf("new tensor: %w", err)
		}
		return &Tensor{dtype: d, shape: s.Clone(), text: make([]string, n)}, nil
	}
	n, err := Bytes(d, s)
	if err != nil {
		return nil, fmt.Errorf("new tensor: %w", err)
	}
	return &Tensor{dtype: d, shape: s.Clone(), data: AlignedBytes(n)}, nil
}

// FromBytes wraps data, which the tensor keeps, as a tensor; data that is not aligned to the element's width is copied
// first. It fails when the length is not what type and shape need.
func FromBytes(d DType, s Shape, data []byte) (*Tensor, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("tensor from bytes: invalid element type %d", uint8(d))
	}
	n, err := Bytes(d, s)
	if err != nil {
		return nil, fmt.Errorf("tensor from bytes: %w", err)
	}
	if n != len(data) {
		return nil, fmt.Errorf("tensor from bytes: %s %v needs %d bytes, got %d", d, s, n, len(data))
	}
	if width := uintptr(d.Bits()+7) / 8; n > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(data)))%min(width, 8) != 0 {
		aligned := AlignedBytes(n)
		copy(aligned, data)
		data = aligned
	}
	return &Tensor{dtype: d, shape: s.Clone(), data: data}, nil
}

// FromStrings wraps text, which the tensor keeps, as a String tensor of shape s.
func FromStrings(s Shape, text []string) (*Tensor, error) {
	n, err := s.Elements()
	if err != nil {
		return nil, fmt.Errorf("tensor from strings: %w", err)
	}
	if n != len(text) {
		return nil, fmt.Errorf("tensor from strings: %v needs %d elements, got %d", s, n, len(text))
	}
	return &Tensor{dtype: String, shape: s.Clone(), text: text}, nil
}

// DType is the element type.
func (t *Tensor) DType() DType { return t.dtype }

// Shape is the shape; the caller must not change it.
func (t *Tensor) Shape() Shape { return t.shape }

// Len is the number of elements.
func (t *Tensor) Len() int {
	n, _ := t.shape.Elements() // every constructor has checked it
	return n
}

// Bytes is the buffer itself, not a copy; nil for String.
func (t *Tensor) Bytes() []byte { return t.data }

// Strings is the elements of a String tensor, not a copy; nil for every other type.
func (t *Tensor) Strings() []string { return t.text }

// Clone is a deep copy.
func (t *Tensor) Clone() *Tensor {
	c := &Tensor{dtype: t.dtype, shape: t.shape.Clone(), text: slices.Clone(t.text)}
	if t.dtype != String {
		c.data = AlignedBytes(len(t.data))
		Copy(c.data, t.data)
	}
	return c
}

// Copy is the copy of bytes, piece by piece: a goroutine can stop for the garbage collector between two pieces but not within
// one, and the collector would spin on another core for as long as a large copy takes.
func Copy(dst, src []byte) int {
	n := min(len(dst), len(src))
	for at := 0; at < n; at += copyPiece {
		copyOne(dst[at:n], src[at:min(n, at+copyPiece)])
	}
	return n
}

// copyPiece is the most bytes that Copy copies at once.
const copyPiece = 64 << 10

// copyOne is copy, in a function of its own because a goroutine can stop where a function begins.
//
//go:noinline
func copyOne(dst, src []byte) { copy(dst, src) }

// Reshape is a tensor of shape s over the same buffer. It fails when the number of elements differs.
func (t *Tensor) Reshape(s Shape) (*Tensor, error) {
	n, err := s.Elements()
	if err != nil {
		return nil, fmt.Errorf("reshape: %w", err)
	}
	if n != t.Len() {
		return nil, fmt.Errorf("reshape: %v has %d elements, %v has %d", t.shape, t.Len(), s, n)
	}
	return &Tensor{dtype: t.dtype, shape: s.Clone(), data: t.data, text: t.text, mapped: t.mapped}, nil
}

// Equal reports whether both tensors have the same type, shape and bits: NaNs with the same payload are equal, and 0
// differs from -0.
func (t *Tensor) Equal(o *Tensor) bool {
	return t.dtype == o.dtype && t.shape.Equal(o.shape) && slices.Equal(t.data, o.data) && slices.Equal(t.text, o.text)
}

// String describes type and shape, for example "float32 1x16x16x88".
func (t *Tensor) String() string { return t.dtype.String() + " " + t.shape.String() }

// Element is a Go type that Data can view a buffer as. Half-precision types are viewed as uint16 and 8-bit floats as
// uint8; packed 4-bit and 2-bit types have no element view, see Bytes.
type Element interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~bool |
		~complex64 | ~complex128
}

// Data views the buffer of t as a slice of T without copying. It panics when T's width is not the element width: that is
// an error in the program, never in its input.
func Data[T Element](t *Tensor) []T {
	var z T
	size := int(unsafe.Sizeof(z))
	if t.dtype.Bits() != size*8 {
		panic(fmt.Sprintf("tensor: %s viewed as %T", t.dtype, z))
	}
	if len(t.data) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.data))), len(t.data)/size)
}

// Of makes a tensor of type d and shape s that holds a copy of values. It panics when they do not fit each other: it is
// meant for literals and tests.
func Of[T Element](d DType, s Shape, values ...T) *Tensor {
	t, err := New(d, s)
	if err != nil {
		panic(err)
	}
	if t.Len() != len(values) {
		panic(fmt.Sprintf("tensor: %v has %d elements, got %d values", s, t.Len(), len(values)))
	}
	copy(Data[T](t), values)
	return t
}

// AlignedBytes allocates n zeroed bytes aligned to Align.
func AlignedBytes(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	b := make([]byte, n+Align-1)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (Align - 1))
	return b[off : off+n : off+n]
}
