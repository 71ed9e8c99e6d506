package kernel

import (
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// fenced returns a copy of x whose last element is the last of a page, with a page behind it that nobody may read or write.
func fenced[T any](t *testing.T, x []T) []T {
	t.Helper()
	var one T
	page := syscall.Getpagesize()
	bytes := len(x) * int(unsafe.Sizeof(one))
	size := (bytes + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mprotect(m[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	y := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(m)), size-bytes)), len(x))
	copy(y, x)
	return y
}

// TestFence checks the fence itself.
func TestFence(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() == nil {
			t.Fatal("the element behind the last one can be read")
		}
	}()
	x := fenced(t, []float32{1, 2, 3})
	behind := *(*float32)(unsafe.Add(unsafe.Pointer(&x[2]), 4))
	t.Log(behind)
}
