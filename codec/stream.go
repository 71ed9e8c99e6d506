package codec

import (
	"errors"
	"fmt"
	"io"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Encoder writes tensors as frames, one chunk at a time, so that a chunk is under way while the next is being encoded.
// It is for one goroutine.
type Encoder struct {
	w     io.Writer
	spec  Spec
	coder *Coder
	buf   []byte
}

// NewEncoder returns an Encoder that writes to w under s.
func NewEncoder(w io.Writer, s Spec) *Encoder { return (*Coder)(nil).NewEncoder(w, s) }

// NewEncoder is the package's NewEncoder with the Coder's tables.
func (c *Coder) NewEncoder(w io.Writer, s Spec) *Encoder { return &Encoder{w: w, spec: s, coder: c} }

// Encode writes one frame: a Write for the header, then one for each chunk. It fails like Append, or with w's error.
func (e *Encoder) Encode(t *tensor.Tensor) error {
	k := works.Get().(*work)
	defer k.release()
	c, err := e.coder.begin(k, t, e.spec)
	if err != nil {
		return fmt.Errorf("encode %v as %v: %w", t, e.spec, err)
	}
	e.buf = k.header.append(e.buf[:0])
	if _, err := e.w.Write(e.buf); err != nil {
		return fmt.Errorf("write frame header: %w", err)
	}
	for i := range k.chunks {
		if e.buf, err = appendChunkFrame(e.buf[:0], c, k, i); err != nil {
			return fmt.Errorf("encode %v as %v: %w", t, e.spec, err)
		}
		if _, err := e.w.Write(e.buf); err != nil {
			return fmt.Errorf("write chunk %d: %w", i, err)
		}
	}
	return nil
}

// Decoder reads frames and decodes each chunk as soon as it is there. It reads no byte beyond a frame's end. It is for
// one goroutine.
type Decoder struct {
	r     io.Reader
	lim   Limits
	coder *Coder
	buf   []byte
	off   int // of the next byte in the current frame
}

// NewDecoder returns a Decoder that reads from r.
func NewDecoder(r io.Reader, lim Limits) *Decoder { return (*Coder)(nil).NewDecoder(r, lim) }

// NewDecoder is the package's NewDecoder with the Coder's tables.
func (c *Coder) NewDecoder(r io.Reader, lim Limits) *Decoder {
	return &Decoder{r: r, lim: lim, coder: c}
}

// Decode reads one frame. It returns io.EOF itself when r ends before the frame's first byte, a *FrameError when the frame
// is bad or cut off, and any other error of r as it is.
func (d *Decoder) Decode() (*tensor.Tensor, error) { return d.decode(nil) }

// DecodeInto is Decode into t, whose type and shape the frame must have. After an error t's contents are undefined.
func (d *Decoder) DecodeInto(t *tensor.Tensor) error {
	_, err := d.decode(t)
	return err
}

func (d *Decoder) decode(t *tensor.Tensor) (*tensor.Tensor, error) {
	w := works.Get().(*work)
	defer w.release()
	d.off = 0
	if err := d.read(0, prefixBytes, -1); err != nil {
		return nil, err
	}
	body, err := bodyLength(d.buf)
	if err != nil {
		return nil, err
	}
	if err := d.read(prefixBytes, body+sumBytes, -1); err != nil {
		return nil, err
	}
	if _, err := w.parse(d.buf, d.lim); err != nil {
		return nil, err
	}
	w.limit = d.lim.maxBytes()
	k, t, err := d.coder.accept(w, t)
	if err != nil {
		return nil, err
	}
	for i := range w.chunks {
		start := d.off
		if err := d.read(0, chunkPrefix, i); err != nil {
			return nil, err
		}
		n, err := w.chunkLength(d.buf, i, start)
		if err != nil {
			return nil, err
		}
		if err := d.read(chunkPrefix, n+sumBytes, i); err != nil {
			return nil, err
		}
		if err := decodeChunkFrame(k, w, d.buf, i, start); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// readStep is the most that read allocates ahead of the bytes that have arrived.
const readStep = 1 << 20

// read appends the next n bytes to the first have bytes of d.buf.
func (d *Decoder) read(have, n, chunk int) error {
	d.buf = d.buf[:have]
	for n > 0 {
		step := min(n, readStep)
		d.buf = grow(d.buf, step)
		got, err := io.ReadFull(d.r, d.buf[len(d.buf):len(d.buf)+step])
		d.buf = d.buf[:len(d.buf)+got]
		d.off += got
		switch {
		case err == io.EOF && d.off == 0:
			return io.EOF
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return &FrameError{Chunk: chunk, Offset: d.off, What: "stream ends", Err: fmt.Errorf("%w: %w", ErrCorrupt, io.ErrUnexpectedEOF)}
		case err != nil:
			return err
		}
		n -= step
	}
	return nil
}
