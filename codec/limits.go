package codec

import "github.com/cleave-mesh/cleave/internal/tensor"

// The fixed limits of every frame. A frame beyond one of them is refused before anything is allocated for it.
const (
	// Version is the version of the frame that this package writes and the only one that it reads.
	Version = 1
	// MaxRank is the most dimensions of a tensor.
	MaxRank = 32
	// MaxHeader is the longest header body in bytes.
	MaxHeader = 1 << 20
	// DefaultChunk, MinChunk and MaxChunk are elements of a chunk. Chunks are multiples of chunkAlign elements, so that
	// packed types begin on whole bytes.
	DefaultChunk = 1 << 16
	MinChunk     = chunkAlign
	MaxChunk     = 1 << 22
	chunkAlign   = 64
	// MaxChunkBytes is the most bytes that the elements of a chunk may have, but for pictures and text: a decoder's scratch
	// memory is a small multiple of it.
	MaxChunkBytes = 16 << 20
	// MaxPicture is the most elements of a picture, which is one chunk.
	MaxPicture = 1 << 26
	// MaxTextBytes is the longest payload of a chunk of strings.
	MaxTextBytes = 1 << 30
	// DefaultMaxBytes is the largest decoded tensor when Limits does not say.
	DefaultMaxBytes = 1 << 30
)

// Limits bound what a decoder accepts from a peer.
type Limits struct {
	// MaxBytes is the largest decoded tensor in bytes, strings and their headers together; 0 means DefaultMaxBytes.
	MaxBytes int64
}

// maxChunk is the most elements of a chunk of a codec and type.
func maxChunk(c ID, d tensor.DType) int {
	switch {
	case c == JPEG || c == PNG:
		return MaxPicture
	case d == tensor.String:
		return MaxChunk
	}
	return min(MaxChunk, MaxChunkBytes*8/d.Bits())
}

func (l Limits) maxBytes() int64 {
	if l.MaxBytes <= 0 {
		return DefaultMaxBytes
	}
	return l.MaxBytes
}
