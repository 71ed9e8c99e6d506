package codec

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
	MaxChunk     = 1 << 26
	chunkAlign   = 64
	// MaxChunkBytes is the longest payload of one chunk, whatever the codec.
	MaxChunkBytes = 1 << 30
	// DefaultMaxBytes is the largest decoded tensor when Limits does not say.
	DefaultMaxBytes = 1 << 30
)

// Limits bound what a decoder accepts from a peer.
type Limits struct {
	// MaxBytes is the largest decoded tensor in bytes; 0 means DefaultMaxBytes.
	MaxBytes int64
}

func (l Limits) maxBytes() int64 {
	if l.MaxBytes <= 0 {
		return DefaultMaxBytes
	}
	return l.MaxBytes
}
