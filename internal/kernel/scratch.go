package kernel

import (
	"sync"
	"unsafe"
)

// scratch is the working memory of one call on one goroutine. It grows to what the calls need and is reused.
type scratch struct {
	tile    tileArgs
	dw      depthwiseArgs
	int8    int8Args
	nbits   nbitsArgs
	resize  resizeArgs
	narrow  narrowArgs
	columns columnArgs
	// factors are an InstanceNorm's of the channels of one unit.
	factors [4 * normChannels]float32
	// rows is a table of addresses for the inner loops; held keeps what they point into alive and on the heap.
	rows []uintptr
	held [4]unsafe.Pointer
	f32  []float32
	// z is the planes of a narrow convolution.
	z   []float32
	i32 []int32
	u8  []uint8
	// panelInts and panelFloats are the factors of an integer product's columns.
	panelInts   []int32
	panelFloats []float32
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

// free gives s back. It drops pointers into the call's tensors so that s does not keep them alive.
func (s *scratch) free() {
	s.held = [4]unsafe.Pointer{}
	s.tile = tileArgs{}
	s.dw = depthwiseArgs{}
	s.int8 = int8Args{}
	s.nbits = nbitsArgs{}
	s.resize = resizeArgs{}
	s.narrow = narrowArgs{}
	s.columns = columnArgs{}
	scratches.Put(s)
}

// hold keeps operand i of the call alive while s.rows holds addresses in it, and makes the compiler put it on the heap, which
// does not move.
func hold[T any](s *scratch, i int, x []T) { s.held[i] = unsafe.Pointer(unsafe.SliceData(x)) }

// address is where x begins.
func address[T any](x *T) uintptr { return uintptr(unsafe.Pointer(x)) }

// grow returns s with length n, its contents undefined.
func grow[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	*s = (*s)[:n]
	return *s
}

// alignedFloats allocates n float32 at a cache line's start.
func alignedFloats(n int) []float32 {
	const line = 64
	buf := make([]float32, n+line/4)
	off := 0
	if r := uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % line; r != 0 {
		off = int(line-r) / 4
	}
	return buf[off : off+n : off+n]
}
