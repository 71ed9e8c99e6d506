//go:build unix

package onnx

import (
	"os"
	"syscall"
)

func systemMap(f *os.File, size int) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_PRIVATE)
}
