package onnx

import (
	"errors"
	"io"
	"math"
	"os"
	"sync"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// minMapped is the smallest file that is mapped; smaller ones are read.
const minMapped = 64 << 10

// minMappedTensor is the smallest constant that stays in the mapping; smaller ones are copied, since a system brings in
// many pages to read one.
const minMappedTensor = 64 << 10

// errNotMapped means that a file is to be read instead.
var errNotMapped = errors.New("file is not mapped")

// mappings are the files that this process has mapped. A mapping stays as long as the process: tensors and the slices that
// were taken of them lie in it, and the garbage collector does not see them. A file that is loaded again has the mapping it
// had, unless it has changed. Its pages are the system's cache of the file, which is given up when memory runs short.
var mappings struct {
	mu   sync.Mutex
	list []mapping // guarded by mu
}

type mapping struct {
	info os.FileInfo
	data []byte
}

// contentsOf is the whole of f: its mapping, or its bytes in memory of the caller.
func contentsOf(f *os.File, info os.FileInfo) (data []byte, mapped bool, err error) {
	if data, err := mapFile(f, info); err == nil {
		return data, true, nil
	}
	data = make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, false, err
}

// coolFile lets the system take back the pages of a mapping that were read.
func coolFile(data []byte) {
	if t, err := tensor.FromMapped(tensor.Uint8, tensor.Shape{len(data)}, data); err == nil && t.Mapped() {
		t.Cool()
	}
}

// mapFile maps f read-only. Whoever makes the file shorter in place while it is mapped ends the process (SIGBUS) when it next
// reads a constant of the part that is gone; a change in place changes the constants. Replacing the file by renaming does no
// harm, nor does removing it, though its space on disk is free only when the process ends. There is no check that would hold: the
// file can change after any look at it, and the runtime's turning of such a fault into a panic counts for the goroutine that
// asks for it alone, while kernels read constants on every worker. Where others may write, give a private copy, as nodes do:
// their store keeps files under their digests and never writes them in place.
func mapFile(f *os.File, info os.FileInfo) ([]byte, error) {
	if info.Size() < minMapped || info.Size() > math.MaxInt {
		return nil, errNotMapped
	}
	mappings.mu.Lock()
	defer mappings.mu.Unlock()
	for _, m := range mappings.list {
		if os.SameFile(m.info, info) && m.info.Size() == info.Size() && m.info.ModTime().Equal(info.ModTime()) {
			return m.data, nil
		}
	}
	data, err := systemMap(f, int(info.Size()))
	if err != nil {
		return nil, err
	}
	mappings.list = append(mappings.list, mapping{info, data})
	return data, nil
}
