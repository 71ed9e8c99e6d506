package codec

import (
	"slices"
	"sync"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// work is everything that one Append or Decode needs besides its arguments. Works are pooled, so that neither allocates
// once its buffers have grown.
type work struct {
	header
	// data is the tensor's buffer, read by encoders and written by decoders; text is that of a String tensor.
	data []byte
	text text
	// limit is the most bytes that a decoded tensor may have.
	limit int64
	// tables are the calibrated tables of this side.
	tables *Coder
	quant  quantState
	fold   foldState
	planes planeState
	image  imageState
}

var works = sync.Pool{New: func() any { return new(work) }}

// release gives w back, without references to the caller's memory.
func (w *work) release() {
	w.data, w.text, w.tables = nil, text{}, nil
	works.Put(w)
}

// open points w at t for encoding or decoding into.
func (w *work) open(t *tensor.Tensor) { w.data, w.text.elems = t.Bytes(), t.Strings() }

// sized is s with length n; the contents are arbitrary.
func sized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
