package codec

import (
	"encoding/binary"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Partial collects the chunks of one frame in any order, for transports that lose or reorder them, and conceals those
// that never come. Its zero value is not ready: see NewPartial. It is for one goroutine.
type Partial struct {
	k      coder
	w      work
	t      *tensor.Tensor
	have   []bool
	missed int
}

// NewPartial begins with a frame's header, alone or with chunks behind it, which are taken too as far as they are whole
// and right. It fails like Decode when the header is bad.
func (c *Coder) NewPartial(header []byte, lim Limits) (*Partial, error) {
	p := &Partial{}
	at, err := p.w.parse(header, lim)
	if err != nil {
		return nil, err
	}
	p.w.limit = lim.maxBytes()
	if p.k, p.t, err = c.accept(&p.w, nil); err != nil {
		return nil, err
	}
	p.have, p.missed = make([]bool, p.w.chunks), p.w.chunks
	for rest := header[at:]; len(rest) > chunkPrefix+sumBytes; {
		n := int(binary.LittleEndian.Uint32(rest[4:]))
		end := chunkPrefix + n + sumBytes // no more than the buffer has, below
		if n < 0 || n > MaxTextBytes || end > len(rest) {
			break
		}
		if p.Add(rest[:end]) != nil {
			break
		}
		rest = rest[end:]
	}
	return p, nil
}

// NewPartial is Coder.NewPartial without tables.
func NewPartial(header []byte, lim Limits) (*Partial, error) {
	return (*Coder)(nil).NewPartial(header, lim)
}

// Add decodes one whole chunk: prefix, payload and checksum. A chunk that is there already is ignored. A bad chunk is a
// *FrameError and counts as missing.
func (p *Partial) Add(chunk []byte) error {
	if len(chunk) < chunkPrefix+sumBytes {
		return chunkError(0, len(chunk), ErrCorrupt, "chunk of %d bytes", len(chunk))
	}
	i := int(binary.LittleEndian.Uint32(chunk))
	if i < 0 || i >= p.w.chunks {
		return chunkError(i, 0, ErrCorrupt, "the frame has %d chunks", p.w.chunks)
	}
	n, err := p.w.chunkLength(chunk, i, 0)
	if err != nil {
		return err
	}
	if len(chunk) != chunkPrefix+n+sumBytes {
		return chunkError(i, 4, ErrCorrupt, "payload of %d bytes in a chunk of %d", n, len(chunk))
	}
	if p.have[i] {
		return nil
	}
	if err := decodeChunkFrame(p.k, &p.w, chunk, i, 0); err != nil {
		return err
	}
	p.have[i] = true
	p.missed--
	return nil
}

// Missing is the number of chunks that have not come.
func (p *Partial) Missing() int { return p.missed }

// Tensor is what has come, with every missing chunk concealed: by the same elements of previous, which may be nil or of
// another type or shape and is then not used, else by zeros. The result is the caller's; p must not be used afterwards.
func (p *Partial) Tensor(previous *tensor.Tensor) *tensor.Tensor {
	usable := previous != nil && previous.DType() == p.t.DType() && previous.Shape().Equal(p.t.Shape())
	for i, have := range p.have {
		if have {
			continue
		}
		lo, hi := p.w.span(i)
		switch {
		case p.t.DType() == tensor.String && usable:
			copy(p.t.Strings()[lo:hi], previous.Strings()[lo:hi])
		case p.t.DType() == tensor.String: // a bad chunk may have been decoded in part
			clear(p.t.Strings()[lo:hi])
		case usable:
			from := work{header: p.w.header, data: previous.Bytes()}
			copy(p.w.bytesOf(lo, hi), from.bytesOf(lo, hi))
		default:
			clear(p.w.bytesOf(lo, hi)) // a bad chunk may have been decoded in part
		}
	}
	return p.t
}
