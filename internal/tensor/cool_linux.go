package tensor

import (
	"os"
	"syscall"
)

// cool tells the system that data, part of a file's mapping, is not needed soon.
func cool(data []byte) {
	if len(data) > 0 {
		_ = syscall.Madvise(pages(data, os.Getpagesize()), syscall.MADV_DONTNEED) // a hint
	}
}
