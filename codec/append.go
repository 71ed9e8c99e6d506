package codec

import (
	"errors"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Append appends the frame of t to dst. It fails with an error that wraps ErrUnsuitable when the codec does not fit the
// tensor and ErrSpec when the spec is wrong; dst is then returned unchanged in length. t is only read.
func Append(dst []byte, t *tensor.Tensor, s Spec) ([]byte, error) {
	return (*Coder)(nil).Append(dst, t, s)
}

// Decode reads exactly one frame into a new tensor. Its errors are *FrameError.
func Decode(frame []byte, lim Limits) (*tensor.Tensor, error) {
	return (*Coder)(nil).Decode(frame, lim)
}

// DecodeInto is Decode into t, whose type and shape the frame must have. After an error t's contents are undefined.
func DecodeInto(t *tensor.Tensor, frame []byte, lim Limits) error {
	return (*Coder)(nil).DecodeInto(t, frame, lim)
}

// Append is the package's Append with the Coder's tables.
func (c *Coder) Append(dst []byte, t *tensor.Tensor, s Spec) ([]byte, error) {
	w := works.Get().(*work)
	defer w.release()
	k, err := c.begin(w, t, s)
	if err != nil {
		return dst, fmt.Errorf("encode %v as %v: %w", t, s, err)
	}
	start := len(dst)
	dst = w.header.append(dst)
	for i := range w.chunks {
		if dst, err = appendChunkFrame(dst, k, w, i); err != nil {
			return dst[:start], fmt.Errorf("encode %v as %v: %w", t, s, err)
		}
	}
	return dst, nil
}

// begin prepares w for encoding t.
func (c *Coder) begin(w *work, t *tensor.Tensor, s Spec) (coder, error) {
	if int(s.ID) >= len(coders) {
		return nil, fmt.Errorf("%w: unknown codec %d", ErrSpec, s.ID)
	}
	k := coders[s.ID]
	if err := k.Accepts(t.DType(), t.Shape(), s.Params); err != nil {
		return nil, err
	}
	if len(t.Shape()) > MaxRank {
		return nil, fmt.Errorf("%w: rank %d, limit %d", ErrUnsuitable, len(t.Shape()), MaxRank)
	}
	chunk, err := params(s.Params).chunk()
	if err != nil {
		return nil, err
	}
	w.codec, w.dtype, w.flags, w.params = s.ID, t.DType(), 0, w.params[:0]
	w.shape = append(w.shape[:0], t.Shape()...)
	w.chunkElems = min((chunk+chunkAlign-1)/chunkAlign*chunkAlign, maxChunk(Raw, t.DType()))
	w.tables = c
	w.open(t)
	if err := w.derive(); err != nil {
		return nil, err
	}
	if err := k.prepare(w, s.Params); err != nil {
		return nil, err
	}
	if len(w.params) > MaxHeader/2 {
		return nil, fmt.Errorf("%w: %d bytes of parameters, limit %d", ErrUnsuitable, len(w.params), MaxHeader/2)
	}
	return k, w.derive()
}

// Decode is the package's Decode with the Coder's tables.
func (c *Coder) Decode(frame []byte, lim Limits) (*tensor.Tensor, error) {
	return c.decode(nil, frame, lim)
}

// DecodeInto is the package's DecodeInto with the Coder's tables.
func (c *Coder) DecodeInto(t *tensor.Tensor, frame []byte, lim Limits) error {
	_, err := c.decode(t, frame, lim)
	return err
}

func (c *Coder) decode(t *tensor.Tensor, frame []byte, lim Limits) (*tensor.Tensor, error) {
	w := works.Get().(*work)
	defer w.release()
	at, err := w.parse(frame, lim)
	if err != nil {
		return nil, err
	}
	w.limit = lim.maxBytes()
	k, t, err := c.accept(w, t)
	if err != nil {
		return nil, err
	}
	for i := range w.chunks {
		if len(frame)-at < chunkPrefix {
			return nil, chunkError(i, at, ErrCorrupt, "frame ends inside the chunk's first %d bytes", chunkPrefix)
		}
		n, err := w.chunkLength(frame[at:at+chunkPrefix], i, at)
		if err != nil {
			return nil, err
		}
		end := at + chunkPrefix + n + sumBytes
		if end > len(frame) {
			return nil, chunkError(i, at+4, ErrCorrupt, "payload of %d bytes reaches beyond the frame's end at %d", n, len(frame))
		}
		if err := decodeChunkFrame(k, w, frame[at:end], i, at); err != nil {
			return nil, err
		}
		at = end
	}
	if at != len(frame) {
		return nil, chunkError(w.chunks, at, ErrCorrupt, "%d bytes after the last chunk", len(frame)-at)
	}
	return t, nil
}

// accept checks a parsed header against its codec and t, or makes t from the header.
func (c *Coder) accept(w *work, t *tensor.Tensor) (coder, *tensor.Tensor, error) {
	k := coders[w.codec]
	if err := k.Accepts(w.dtype, w.shape, nil); err != nil {
		return nil, nil, headerError(5, ErrCorrupt, "%v", err)
	}
	w.tables = c
	if err := k.parse(w); err != nil {
		return nil, nil, headerError(prefixBytes, cause(err), "parameters of %s: %v", k.Name(), err)
	}
	if t == nil {
		fresh, err := tensor.New(w.dtype, w.shape)
		if err != nil {
			return nil, nil, headerError(prefixBytes, ErrCorrupt, "%v", err)
		}
		t = fresh
	} else if t.DType() != w.dtype || !t.Shape().Equal(w.shape) {
		return nil, nil, headerError(6, ErrCorrupt, "frame holds %v %v, want %v", w.dtype, w.shape, t)
	}
	w.open(t)
	w.text.left = max(w.limit-w.stringHeaders(), 0)
	return k, t, nil
}

// cause is ErrTable where err wraps it, else ErrCorrupt.
func cause(err error) error {
	if errors.Is(err, ErrTable) {
		return ErrTable
	}
	return ErrCorrupt
}
