package tensor

import (
	"fmt"
	"runtime"
	"unsafe"
)

// unaligned says that the processor reads numbers at any address.
const unaligned = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

// FromMapped is FromBytes for data in a read-only mapping of a file. Where the processor can read numbers at any address the
// tensor is the mapping itself, not a copy, and must not be written.
func FromMapped(d DType, s Shape, data []byte) (*Tensor, error) {
	if !unaligned || d == String {
		return FromBytes(d, s, data)
	}
	n, err := Bytes(d, s)
	if err != nil {
		return nil, fmt.Errorf("tensor from mapped bytes: %w", err)
	}
	if n != len(data) || !d.Valid() {
		return nil, fmt.Errorf("tensor from mapped bytes: %s %v needs %d bytes, got %d", d, s, n, len(data))
	}
	return &Tensor{dtype: d, shape: s.Clone(), data: data, mapped: true}, nil
}

// Mapped reports whether t is a part of a file's mapping.
func (t *Tensor) Mapped() bool { return t.mapped }

// Cool lets the system take back the memory of t's part of a mapped file, which it reads again when somebody looks at t. It
// does nothing for other tensors.
func (t *Tensor) Cool() {
	if t.mapped {
		cool(t.data)
	}
}

// pages is the pages that data, part of a file's mapping, lies on. Those at its ends have neighbours' bytes too, which the
// system reads again as well.
func pages(data []byte, page int) []byte {
	first := unsafe.Pointer(unsafe.SliceData(data))
	before := int(uintptr(first) % uintptr(page))
	return unsafe.Slice((*byte)(unsafe.Add(first, -before)), before+len(data))
}
